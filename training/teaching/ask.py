"""Statements of a file, asked several at once; each answer is on the disk before the next statement is sent."""

import asyncio
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from serving.errors import StancewiseError
from serving.rows.check import FIELDS, cell, checked, statement_of
from serving.rows.read import read_rows, shown
from serving.statement import Statement
from serving.tables import append_row, appendable, mend_end
from training.data.corpus import identifier
from training.data.sources.teacher import question_id
from training.teaching.answer import Answer, Unanswered
from training.teaching.endpoint import Endpoint
from training.teaching.prompt import VERSION

_SHOWN = 20  # rows in a message
_IN_A_ROW = 5  # statements that an endpoint may leave without an answer before it counts as down
_AT_FIRST = 2  # the same, before it has answered anything


@dataclass(frozen=True)
class Question:
    """A statement of a file, with the line where it stands first."""

    statement: Statement
    line: int
    group: str | None = None

    @cached_property
    def id(self) -> str:
        """What a `teacher` file finds its answer by."""
        return question_id(self.statement)

    def row(self) -> dict[str, Any]:
        """The columns that say what was asked."""
        given = {name: getattr(self.statement, name) for name in FIELDS}
        places = {name: value for name, value in given.items() if value is not None or name in ("speaker", "target")}
        return {"id": self.id, **places, **({"group": self.group} if self.group else {})}


def read_questions(path: Path, tell: Callable[[str], None]) -> list[Question]:
    """The statements of a table, each once.

    Args:
        path: a table of any form that is read; other columns than those of a statement, and `group`, are not read.
        tell: takes a line for the user, about columns that the table lacks.

    Raises:
        StancewiseError: rows that cannot be read, each with its line; columns as in `checked`; no rows.
    """
    found: dict[str, Question] = {}
    problems = []
    for row in checked(read_rows(path), str(path), tell, header=path.suffix.lower() != ".jsonl"):
        statement = statement_of(row)
        if isinstance(statement, str):
            problems.append(f"{path}:{row.line}: {statement}")
            continue
        group = identifier(cell(row, "group"))
        question = Question(statement, row.line, str(group) if group is not None else None)
        found.setdefault(question.id, question)
    if problems:
        rest = [f"... and {len(problems) - _SHOWN:,} more"] if len(problems) > _SHOWN else []
        raise StancewiseError("\n".join([*problems[:_SHOWN], *rest, "nothing was sent; correct these rows"]))
    if not found:
        raise StancewiseError(f"{path}: no statements in it")
    return list(found.values())


class AnswerFile:
    """The answers of one model to one prompt, a JSON object a line, added as they come."""

    def __init__(self, path: Path, llm: str, file: BinaryIO, answered: set[str]) -> None:
        self.path, self.llm = path, llm
        self.file = file
        self.answered = answered  # ids

    def lacking(self, questions: Sequence[Question]) -> list[Question]:
        """Those that have no answer yet."""
        return [one for one in questions if one.id not in self.answered]

    def keep(self, question: Question, answer: Answer) -> None:
        """Add an answer; when this returns it is on the disk."""
        append_row(self.file, {**question.row(), **answer.row(), "llm": self.llm, "prompt": VERSION})
        self.answered.add(question.id)


@contextmanager
def open_answers(path: Path, llm: str) -> Iterator[AnswerFile]:
    """The file to add answers to; what it holds already is not asked again.

    A last line that was cut off when a process was killed is removed.

    Raises:
        StancewiseError: no .jsonl, no such folder, answers of another model or to another prompt, some other file, or
            another process writes it.
    """
    if path.suffix.lower() != ".jsonl":
        raise StancewiseError(f"--output: {path}: answers are added line by line; give a name that ends with .jsonl")
    if not path.parent.is_dir():
        raise StancewiseError(f"{path}: the folder {path.parent} does not exist")
    with appendable(path) as file:
        try:
            answered = _answered(path, llm)
            mend_end(file)
            yield AnswerFile(path, llm, file, answered)
        finally:
            if not file.seek(0, os.SEEK_END):  # where nothing was asked no file is left
                path.unlink(missing_ok=True)


def _answered(path: Path, llm: str) -> set[str]:
    """The ids in the file, but for a last line that was cut off."""
    content = path.read_bytes()
    last = content.rpartition(b"\n")[2]  # without its end
    lines = content.count(b"\n")  # with one
    ids: set[str] = set()
    for row in read_rows(path):
        if row.problem and row.line > lines and last:
            break
        model, prompt, known = (row.values.get(name) for name in ("llm", "prompt", "id"))
        if row.problem or not (isinstance(model, str) and isinstance(prompt, str) and isinstance(known, str)):
            what = row.problem or "not an answer of a language model"
            raise StancewiseError(f"{path}:{row.line}: {what}; give another --output")
        if model != llm:
            fix = f"give another --output, or go on with --llm {model}"
            raise StancewiseError(f"{path}:{row.line}: an answer of the model {shown(model)}, not {shown(llm)}; {fix}")
        if prompt != VERSION:
            what = f"an answer to another prompt ({shown(prompt)}) than that of this version of stancewise"
            raise StancewiseError(f"{path}:{row.line}: {what} ({VERSION!r}); give another --output")
        ids.add(known)
    return ids


def ask(
    endpoint: Endpoint,
    questions: Sequence[Question],
    answers: AnswerFile,
    at_once: int,
    moved: Callable[[], None],
) -> list[tuple[Question, str]]:
    """Ask what the file has no answer to, and keep every answer; returns what got none, with the reason.

    The shortest statement goes first and alone: it shows what the endpoint offers.

    Args:
        endpoint: which model.
        questions: may include some that are answered already.
        answers: where answers are kept.
        at_once: how many statements are under way at a time.
        moved: is called after each statement.

    Raises:
        StancewiseError: the endpoint cannot be used, or does not answer any more; what came until then is kept.
    """
    left = sorted(answers.lacking(questions), key=lambda one: len(one.statement.text))
    return asyncio.run(_ask(endpoint, left, answers, at_once, moved))


async def _ask(
    endpoint: Endpoint, questions: Sequence[Question], answers: AnswerFile, at_once: int, moved: Callable[[], None]
) -> list[tuple[Question, str]]:
    unanswered: list[tuple[Question, str]] = []
    silent = 0

    async def one(question: Question) -> None:
        nonlocal silent
        found = await endpoint.answer(question.statement)
        if isinstance(found, Answer):
            answers.keep(question, found)
            silent = 0
        else:
            unanswered.append((question, found.reason))
            silent = silent + 1 if found.unreachable else 0
            if silent == (_IN_A_ROW if endpoint.settled else _AT_FIRST):
                raise StancewiseError(_down(endpoint, found))
        moved()

    async def several(waiting: Iterable[Question]) -> None:
        for question in waiting:
            await one(question)

    async with endpoint:
        waiting = iter(questions)
        while not endpoint.settled and (question := next(waiting, None)) is not None:
            await one(question)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(at_once):
                    group.create_task(several(waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return sorted(unanswered, key=lambda pair: pair[0].line)


def _down(endpoint: Endpoint, found: Unanswered) -> str:
    fix = "see to the server, or ask fewer --at-once; nothing is lost: the same command goes on"
    return f"{endpoint.host} does not answer ({found.reason}); {fix}"
