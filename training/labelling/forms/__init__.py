"""The forms in which other tools keep labelled statements: `read` gives rows, `write` takes statements."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.read import Row
from training.data.corpus import LabelledStatement
from training.labelling.forms import argilla, doccano, label_studio, prodigy


class Form(NamedTuple):
    """One tool's form."""

    read: Callable[[Path], list[Row]]
    write: Callable[[Iterable[LabelledStatement], Path, str | None], None]


FORMS = {
    "label-studio": Form(label_studio.read, label_studio.write),
    "argilla": Form(argilla.read, argilla.write),
    "doccano": Form(doccano.read, doccano.write),
    "prodigy": Form(prodigy.read, prodigy.write),
}


def of_one(rows: Sequence[Row], path: Path, labeller: str | None) -> list[Row]:
    """The rows of one labeller, and the rows that nobody labelled.

    Args:
        rows: with `labeller` among their values where the tool says who it was.
        path: for messages.
        labeller: whose rows are wanted; None: there is only one.

    Raises:
        StancewiseError: there are several and none was chosen, or nobody of this name.
    """
    known = list(dict.fromkeys(str(one) for row in rows if (one := row.values.get("labeller")) is not None))
    if labeller is None and len(known) > 1:
        several = f"labelled by {len(known)} people ({', '.join(known)})"
        raise StancewiseError(f"{path}: {several}; choose one with --labeller")
    if labeller is not None and labeller not in known:
        raise StancewiseError(f"--labeller: nobody of this name in {path}; it has: {', '.join(known) or 'none'}")
    mine = [row for row in rows if labeller is None or str(row.values.get("labeller")) == labeller]
    done = {row.line for row in mine}
    # Tasks that this person has not labelled, once each.
    others = {row.line: _without_labels(row) for row in rows if row.line not in done}
    return sorted((*mine, *others.values()), key=lambda row: row.line)


def _without_labels(row: Row) -> Row:
    kept = {name: value for name, value in row.values.items() if name not in (*HEADS, "note", "labeller")}
    return Row(row.line, kept, row.problem)
