"""Labelled statements on disk: one JSON object a line."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from serving.errors import StancewiseError, describe
from serving.labels import HEADS
from serving.statement import Statement
from serving.tables import read_rows

UNLABELLED = -100  # the index that cross-entropy leaves out


class LabelledStatement(Statement):
    """A statement with its labels; a head without a label is None and teaches nothing."""

    id: str
    stance: Literal["support", "neutrality", "criticism"] | None = None
    sentiment: Literal["positive", "neutral", "negative"] | None = None
    domain: str | None = None
    group: str | None = None
    note: str | None = None

    def statement(self) -> Statement:
        """What the model may see: the statement without its labels."""
        return Statement.model_construct(**{name: getattr(self, name) for name in Statement.model_fields})


@dataclass(frozen=True)
class Corpus:
    """One part of a data set, and the file it was read from."""

    path: Path
    rows: list[LabelledStatement]

    def statements(self) -> list[Statement]:
        """The statements without labels, in order."""
        return [row.statement() for row in self.rows]

    def labels(self, head: str) -> npt.NDArray[np.int64]:
        """Label indices of one head, shape (rows,), UNLABELLED where there is none."""
        names = HEADS[head]
        labels = (getattr(row, head) for row in self.rows)
        return np.array([names.index(label) if label else UNLABELLED for label in labels], dtype=np.int64)

    def groups(self) -> npt.NDArray[np.int64]:
        """Group numbers, shape (rows,): rows of one group are not independent. Without groups: the same text."""
        keys = {key: i for i, key in enumerate(dict.fromkeys(row.group or row.text for row in self.rows))}
        return np.array([keys[row.group or row.text] for row in self.rows], dtype=np.int64)

    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def read_corpus(path: Path) -> Corpus:
    """Read labelled statements; fields beyond the known ones are left out.

    Raises:
        StancewiseError: the first row that is not a labelled statement, as file:line.
    """
    rows = []
    for row in read_rows(path):
        if row.problem:
            raise StancewiseError(f"{path}:{row.line}: {row.problem}")
        known = {key: value for key, value in row.values.items() if key in LabelledStatement.model_fields}
        try:
            rows.append(LabelledStatement.model_validate(known))
        except ValidationError as error:
            raise StancewiseError(f"{path}:{row.line}: {describe(error)}") from None
    if not rows:
        raise StancewiseError(f"{path}: no statements in it")
    return Corpus(path, rows)
