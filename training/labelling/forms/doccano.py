"""doccano's JSON Lines: what a project for intent detection and slot filling imports and exports.

Such a project has both: categories (`cats`: our six labels) and spans (`entities`: `holder` and `target`). Exports of
projects with categories alone, or with spans alone, are read too (`label`).
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving.rows.read import Row
from training.data.corpus import LabelledStatement
from training.labelling.forms.parts import (
    Wrong,
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

_OURS = "statement_id"  # doccano's own id is a number that it gives


def read(path: Path) -> list[Row]:
    """A row for each line.

    Raises:
        StancewiseError: the file cannot be read.
    """
    return rows_of(json_lines(path), lambda task: [_values(task)])


def _values(line: dict[str, Any]) -> dict[str, Any]:
    text = line.get("text")
    values = known_content(line) | {"text": text}
    if line.get(_OURS):
        values["id"] = line[_OURS]
    marked: list[Any] = [*(line.get("entities") or ())]
    categories: list[Any] = [*(line.get("cats") or ())]
    for one in line.get("label") or line.get("labels") or ():
        (categories if isinstance(one, str) else marked).append(one)
    values |= labels_of(categories)
    if isinstance(text, str):
        values |= mentioned(text, map(_span, marked))
    comments = [str(one.get("text", "")) if isinstance(one, dict) else str(one) for one in line.get("Comments") or ()]
    notes = [line["note"], *comments] if line.get("note") else comments
    return values | ({"note": " ".join(notes)} if notes else {})


def _span(entity: Any) -> tuple[Any, Any, Any]:
    """A span is [start, end, label]; with relations switched on it is an object."""
    if isinstance(entity, dict):
        return entity.get("label"), entity.get("start_offset"), entity.get("end_offset")
    if isinstance(entity, list) and len(entity) == 3:
        return entity[2], entity[0], entity[1]
    raise Wrong("a span is not [start, end, label]; export the project as JSONL")


def write(statements: Iterable[LabelledStatement], path: Path, labeller: str | None) -> None:
    """Lines to import. What is no text and no label is kept beside them: doccano exports it again."""
    write_json(map(_line, statements), path, lines=True)


def _line(statement: LabelledStatement) -> dict[str, Any]:
    rest = content(statement)
    return {
        "text": statement.text,
        "cats": labels(statement),
        "entities": [[start, end, role] for role, start, end in spans(statement)],
        _OURS: rest.pop("id"),
        **rest,
        **({"note": statement.note} if statement.note else {}),
    }
