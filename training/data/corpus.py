"""Labelled statements on disk: one JSON object a line."""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BeforeValidator, ValidationError

from serving.errors import StancewiseError, describe
from serving.labels import HEADS, label_indices
from serving.language.detect import known_languages
from serving.rows.check import values_of
from serving.rows.read import read_rows
from serving.statement import Statement

_WHOLE_NUMBER = re.compile(r"[+-]?\d+(?:\.0+|(?:\.\d+)?[eE]\+\d{2})")  # as pandas and R write floats


def identifier(value: Any) -> Any:
    """An id or group as text; 7, 7.0 and "7.0" are one: a column of numbers with a gap becomes floats in pandas."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        value = repr(value) if math.isfinite(value) else None
    elif isinstance(value, int):
        value = str(value)
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        number = Decimal(value)
        return str(int(number)) if number == int(number) else value
    return value


def _known_language(code: str | None) -> str | None:
    if code is not None and code not in known_languages():
        raise ValueError("no code of a language that is known; write its ISO 639 code, such as en")
    return code


Identifier = Annotated[str, BeforeValidator(identifier)]
Stance = Literal["support", "neutrality", "criticism"]
Sentiment = Literal["positive", "neutral", "negative"]


class LabelledStatement(Statement):
    """A statement with its labels; a head without a label is None and teaches nothing."""

    id: Identifier
    stance: Stance | None = None
    sentiment: Sentiment | None = None
    stance_votes: tuple[Stance, ...] | None = None  # one per annotator; training then aims at their shares
    taught: dict[str, tuple[float, float, float]] | None = None  # head -> probabilities of a teacher model
    domain: str | None = None
    group: Annotated[str | None, BeforeValidator(identifier)] = None
    note: str | None = None
    language: Annotated[str | None, AfterValidator(_known_language)] = None  # of the text, as an ISO 639 code
    model_answer: Any = None  # which model said what to the person who labelled the row; it teaches nothing

    def statement(self) -> Statement:
        """What the model may see: the statement without its labels."""
        return Statement.model_construct(**{name: getattr(self, name) for name in Statement.model_fields})


@dataclass(frozen=True)
class Provenance:
    """Where a set comes from."""

    name: str
    url: str
    licence: str  # as its authors state it
    reference: str  # the paper to cite


@dataclass(frozen=True)
class Corpus:
    """Labelled rows, the file and lines they were read from, and what each row weighs in training."""

    path: Path
    rows: list[LabelledStatement]
    lines: list[int] = field(default_factory=list)  # of each row in its file; empty where there are none
    provenance: Provenance | None = None
    weight: float = 1.0
    members: tuple["Corpus", ...] = ()  # the sets this one was joined from
    unlabelled: int = 0  # rows of the file that have no label and were left out
    shared: int = 0  # rows of the file whose text stands in another part and that were left out

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.provenance.name} ({self.path.stem})" if self.provenance else self.path.stem

    def statements(self) -> list[Statement]:
        """The statements without labels, in order."""
        return [row.statement() for row in self.rows]

    def labels(self, head: str) -> npt.NDArray[np.int64]:
        """Label indices of one head, shape (rows,), UNLABELLED where there is none."""
        return label_indices(head, (getattr(row, head) for row in self.rows))

    def weights(self) -> npt.NDArray[np.float64]:
        """What each row weighs in training, shape (rows,)."""
        sets = self.members or (self,)
        return np.concatenate([np.full(len(one.rows), one.weight) for one in sets])

    def groups(self) -> npt.NDArray[np.int64]:
        """Group numbers, shape (rows,): rows of one group are not independent. Without groups: the same text."""
        keys = {key: i for i, key in enumerate(dict.fromkeys(map(group_key, self.rows)))}
        return np.array([keys[group_key(row)] for row in self.rows], dtype=np.int64)

    def schemes(self) -> tuple[str, ...]:
        """The annotation schemes of its rows, in order of appearance."""
        return tuple(dict.fromkeys(row.scheme for row in self.rows if row.scheme))

    def keep(self, chosen: Iterable[int]) -> "Corpus":
        """The rows at these places, in order."""
        places = sorted(chosen)
        lines = [self.lines[i] for i in places] if self.lines else []
        return replace(self, rows=[self.rows[i] for i in places], lines=lines)

    def place(self, row: int) -> str:
        """`file:line` of a row."""
        return f"{self.path}:{self.lines[row]}" if self.lines else f"{self.path}, row {row + 1}"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of rows and weights, in hexadecimal."""
        content = hashlib.sha256()
        for one in self.members or (self,):
            content.update(f"{one.weight}\n".encode())
            for row in one.rows:
                content.update(row.model_dump_json(exclude_none=True).encode() + b"\n")
        return content.hexdigest()


def group_key(row: LabelledStatement) -> str:
    """The story a row belongs to; without one, its text."""
    return row.group or row.text


def join(sets: list[Corpus]) -> Corpus:
    """Several sets as one corpus."""
    if len(sets) == 1:
        return sets[0]
    name = Path("+".join(dict.fromkeys(str(one.path) for one in sets)))
    return Corpus(name, [row for one in sets for row in one.rows], members=tuple(sets))


def draw(corpus: Corpus, rows: int) -> Corpus:
    """At most `rows` rows in whole groups; a smaller draw is part of a larger one."""
    groups = corpus.groups()
    order = np.random.default_rng(0).permutation(groups.max() + 1)
    sizes = np.bincount(groups)[order].cumsum()
    return corpus.keep(np.flatnonzero(np.isin(groups, order[sizes <= rows])).tolist())


def first_of_texts(corpus: Corpus, rows: int) -> Corpus:
    """At most `rows` rows on one text: those that stand first."""
    seen: Counter[str] = Counter()
    kept = []
    for i, row in enumerate(corpus.rows):
        seen[row.text] += 1
        if seen[row.text] <= rows:
            kept.append(i)
    return corpus.keep(kept)


def read_corpus(path: Path) -> Corpus:
    """Read labelled statements; fields beyond the known ones are left out.

    Raises:
        StancewiseError: the first row that is not a labelled statement, as file:line.
    """
    rows, lines = [], []
    for row in read_rows(path):
        if row.problem:
            raise StancewiseError(f"{path}:{row.line}: {row.problem}")
        try:
            rows.append(LabelledStatement.model_validate(values_of(row, LabelledStatement.model_fields)))
        except ValidationError as error:
            raise StancewiseError(f"{path}:{row.line}: {describe(error)}") from None
        lines.append(row.line)
    if not rows:
        raise StancewiseError(f"{path}: no statements in it")
    return Corpus(path, rows, lines)


def only_heads(corpus: Corpus, heads: Iterable[str]) -> Corpus:
    """The rows with labels and a teacher's answers for these heads alone; rows that have neither are left out."""
    others = HEADS.keys() - set(heads)
    hidden: dict[str, None] = dict.fromkeys(others)
    if "stance" in others:
        hidden["stance_votes"] = None
    rows = []
    for row in corpus.rows:
        taught = {head: given for head, given in (row.taught or {}).items() if head not in others}
        rows.append(row.model_copy(update={**hidden, "taught": taught or None}))
    known = [i for i, row in enumerate(rows) if row.stance or row.sentiment or row.taught]
    return replace(corpus, rows=rows).keep(known)
