"""Prodigy's JSON Lines, as `db-out` writes and `db-in` reads them (its page "Annotation interfaces").

A task combines the interface `spans_manual` with the labels `holder` and `target`, and `choice` (choice_style
"multiple") with our six labels as options. A block `text_input` with the field `note` may be missing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving.labels import HEADS
from serving.rows.read import Row
from training.data.corpus import LabelledStatement
from training.labelling.forms.parts import (
    content,
    json_lines,
    known_content,
    labels,
    labels_of,
    mentioned,
    rows_of,
    spans,
    write_json,
)

_OPTIONS = [{"id": label, "text": f"{head}: {label}"} for head, own in HEADS.items() for label in own]


def read(path: Path) -> list[Row]:
    """A row for each task; one that was rejected or ignored has no labels.

    Raises:
        StancewiseError: the file cannot be read.
    """
    return rows_of(json_lines(path), lambda task: [_values(task)])


def _values(task: dict[str, Any]) -> dict[str, Any]:
    text = task.get("text")
    values = known_content(task.get("meta") or {}) | {"text": text}
    if task.get("answer", "accept") != "accept":
        return values
    if task.get("answer"):  # a task to label has none
        who = task.get("_annotator_id") or task.get("_session_id")
        values |= {"labeller": str(who)} if who else {}
        chosen = task.get("accept") or ()
        values |= labels_of([*chosen, task["label"]] if task.get("label") else chosen)
        values |= {"note": task["note"]} if task.get("note") else {}
    if isinstance(text, str):
        found = [(one.get("label"), one.get("start"), one.get("end")) for one in task.get("spans") or ()]
        values |= mentioned(text, found)
    return values


def write(statements: Iterable[LabelledStatement], path: Path, labeller: str | None) -> None:
    """Tasks to label, or to import where they have labels."""
    write_json((_task(one, labeller) for one in statements), path, lines=True)


def _task(statement: LabelledStatement, labeller: str | None) -> dict[str, Any]:
    given = labels(statement)
    answer = {"accept": given, "answer": "accept"} | ({"_annotator_id": labeller} if labeller else {})
    return {
        "text": statement.text,
        "spans": [{"start": start, "end": end, "label": role} for role, start, end in spans(statement)],
        "options": _OPTIONS,
        "meta": content(statement),
        **({"note": statement.note} if statement.note else {}),
        **(answer if given else {}),
    }
