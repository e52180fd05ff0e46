"""What one person answers about the statements of a table, each answer on the disk before the next is asked."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from serving.errors import StancewiseError, describe
from serving.rows.check import values_of
from serving.rows.read import read_rows
from serving.statement import Statement
from serving.tables import append_row, appendable, drop_last_row, mend_end
from training.data.corpus import LabelledStatement, Sentiment, Stance

NOTE_CHARACTERS = 2000
_LATEST = 20  # answers whose pace tells how long the rest takes
_LEAST = 5
_OWN = {"stance", "sentiment", "stance_votes", "taught", "note", "model_answer"}  # what an answer replaces


class Span(BaseModel):
    """Where a mention stands, in characters."""

    model_config = ConfigDict(extra="forbid")

    start: int = Field(ge=0)
    end: int = Field(ge=1)


class Mentions(BaseModel):
    """A statement of the table, and the words that stand for its holder and target if the table has them wrong.

    A field that is left out says that the table is right, null that it is the author, or the main subject.
    """

    model_config = ConfigDict(extra="forbid")

    id: str
    speaker: Span | None = None
    target: Span | None = None


class Given(Mentions):
    """An answer."""

    stance: Stance | None = None
    sentiment: Sentiment | None = None
    note: str | None = Field(default=None, max_length=NOTE_CHARACTERS)

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.stance is None and self.sentiment is None:
            raise ValueError("stance, sentiment: give one of them at least")
        return self


class Answered(Exception):  # noqa: N818
    """The statement was answered meanwhile, in another window."""


@dataclass
class Session:
    """The statements of a table in order, those that were answered, and where the labeller is."""

    path: Path
    file: BinaryIO
    statements: dict[str, LabelledStatement]
    answers: dict[str, LabelledStatement]  # by id, in the order in which they were given
    at: int = 0
    skipped: list[int] = field(default_factory=list)  # places, since the last answer
    shown: dict[str, Any] = field(default_factory=dict)  # what the model said of a statement, where it was shown
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_LATEST))
    since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.ids = list(self.statements)
        if self.answers:
            self.at = self.ids.index(next(reversed(self.answers))) + 1

    def next(self) -> LabelledStatement | None:
        """The next statement without an answer, from where the labeller is; None: all are answered."""
        for place in (*range(self.at, len(self.ids)), *range(min(self.at, len(self.ids)))):
            if self.ids[place] not in self.answers:
                self.at = place
                return self.statements[self.ids[place]]
        return None

    def answer(self, given: Given) -> None:
        """Keep an answer; it is on the disk when this returns.

        Raises:
            Answered: the statement has one.
            StancewiseError: there is no such statement, or the words chosen are not in the text.
            OSError: the disk is full or broken; nothing has changed then.
        """
        asked = self._open(given.id)
        labels = {"stance": given.stance, "sentiment": given.sentiment, "note": (given.note or "").strip() or None}
        kept = {**mended(asked, given), **labels, "model_answer": self.shown.get(given.id)}
        row = asked.model_copy(update={**dict.fromkeys(_OWN), **kept})
        append_row(self.file, row_of(row))
        self.answers[row.id] = row
        self.at = self.ids.index(row.id) + 1
        self.skipped.clear()
        now = time.monotonic()
        self.seconds.append(now - self.since)
        self.since = now

    def skip(self, statement: str) -> None:
        """Go on without an answer; the statement comes again when the others are done.

        Raises:
            Answered: the statement has an answer.
            StancewiseError: there is no such statement.
        """
        self._open(statement)
        place = self.ids.index(statement)
        self.skipped.append(place)
        self.at = place + 1
        self.since = time.monotonic()

    def undo(self) -> LabelledStatement | None:
        """Go back over the last skip, else take the last answer back; it is what the page shows as chosen.

        Raises:
            OSError: the disk is broken; nothing has changed then.
        """
        self.since = time.monotonic()
        if self.skipped:
            self.at = self.skipped.pop()
            return None
        if not self.answers:
            return None
        last = next(reversed(self.answers))
        drop_last_row(self.file)
        self.at = self.ids.index(last)
        return self.answers.pop(last)

    def can_undo(self) -> bool:
        """Whether there is a step to go back."""
        return bool(self.skipped or self.answers)

    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace of the last answers of this session; None: too few to say."""
        if len(self.seconds) < _LEAST:
            return None
        return median(self.seconds) * (len(self.ids) - len(self.answers))

    def statement(self, given: Mentions) -> Statement:
        """A statement of the table, with the holder and target chosen for it.

        Raises:
            StancewiseError: there is no such statement, or the words chosen are not in the text.
        """
        asked = self._known(given.id)
        return asked.model_copy(update=mended(asked, given)).statement()

    def _open(self, statement: str) -> LabelledStatement:
        known = self._known(statement)
        if statement in self.answers:
            raise Answered
        return known

    def _known(self, statement: str) -> LabelledStatement:
        if statement not in self.statements:
            raise StancewiseError("id: no statement of this table has it; load the page again")
        return self.statements[statement]


def mended(asked: LabelledStatement, given: Mentions) -> dict[str, Any]:
    """The fields of holder and target that the labeller has put right.

    Raises:
        StancewiseError: the words chosen are not in the text.
    """
    fields: dict[str, Any] = {}
    for name in ("speaker", "target"):
        if name not in given.model_fields_set:
            continue
        span: Span | None = getattr(given, name)
        if span is None:
            fields |= dict.fromkeys((name, f"{name}_start", f"{name}_end"))
            continue
        if not span.start < span.end <= len(asked.text):
            raise StancewiseError(f"{name}: offsets {span.start}:{span.end} are outside the text")
        words = asked.text[span.start : span.end]
        start = span.start + len(words) - len(words.lstrip())
        fields |= {name: words.strip(), f"{name}_start": start, f"{name}_end": start + len(words.strip())}
    try:
        Statement.model_validate(asked.statement().model_dump() | fields)
    except ValidationError as error:
        raise StancewiseError(describe(error)) from None
    return fields


def row_of(answer: LabelledStatement) -> dict[str, Any]:
    """A row of the file: the fields that are there, the id first."""
    fields = answer.model_dump(mode="json", exclude_none=True)
    return {"id": fields.pop("id"), **fields}


@contextmanager
def session(path: Path, statements: Iterable[LabelledStatement]) -> Iterator[tuple[Session, int]]:
    """The session of one labeller, who goes on where the file ends; it is theirs alone until the end.

    Args:
        path: the file of answers, made if there is none.
        statements: of the table.

    Yields:
        the session, and how many bytes of a half-written last line were cut off.

    Raises:
        StancewiseError: the file cannot be written, is held by another session, or has answers to other statements.
    """
    asked = {one.id: one for one in statements}
    if path.suffix.lower() != ".jsonl":
        raise StancewiseError(f"{path}: answers are kept as JSON Lines; give a name that ends in .jsonl")
    with appendable(path) as file:
        cut = mend_end(file)
        yield Session(path, file, asked, _answers(path, asked)), cut


def _answers(path: Path, asked: dict[str, LabelledStatement]) -> dict[str, LabelledStatement]:
    found: dict[str, LabelledStatement] = {}
    for row in read_rows(path):
        place = f"{path}:{row.line}"
        if row.problem:
            raise StancewiseError(f"{place}: {row.problem}; correct the line or remove it")
        try:
            answer = LabelledStatement.model_validate(values_of(row, LabelledStatement.model_fields))
        except ValidationError as error:
            raise StancewiseError(f"{place}: {describe(error)}; correct the line or remove it") from None
        if answer.id not in asked or answer.text != asked[answer.id].text:
            raise StancewiseError(f"{place}: answers a statement that is not in this table; choose another --output")
        if answer.id in found:
            raise StancewiseError(f"{place}: a second answer to one statement; remove one of the two lines")
        found[answer.id] = answer
    return found
