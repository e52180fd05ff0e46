"""Argilla 2's JSON, as `dataset.records.to_json` writes it and `dataset.records.from_json` reads it.

The dataset's settings need the fields `text`, `speaker` and `target` (the last two not required), the label questions
`stance` and `sentiment`, and for the mentions a span question `mentions` on `text` with the labels `holder` and
`target`. A text question `note` may be missing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serving.labels import HEADS
from serving.rows.read import Row
from training.data.corpus import LabelledStatement
from training.labelling.forms.parts import (
    Wrong,
    content,
    json_list,
    known_content,
    labels,
    mentioned,
    own_word,
    rows_of,
    spans,
    write_json,
)

_NAMES = ("speaker", "target")


def read(path: Path) -> list[Row]:
    """A row for each person that responded to a record, and for each record without responses.

    Suggestions are no labels: they come from models.

    Raises:
        StancewiseError: the file is no such export.
    """
    return rows_of(json_list(path, "Argilla's records.to_json"), _rows)


def _rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    fields = record.get("fields")
    if not isinstance(fields, dict):
        raise Wrong('no "fields" in the record; export it with records.to_json')
    base = known_content(record.get("metadata") or {}) | known_content(fields) | {"text": fields.get("text")}
    if record.get("id") is not None:
        base["id"] = str(record["id"])
    people: dict[str, dict[str, Any]] = {}
    for question, responses in (record.get("responses") or {}).items():
        for one in responses:
            people.setdefault(str(one.get("user_id")), {})[question] = one.get("value")
    return [base | {"labeller": who} | _labelled(fields.get("text"), said) for who, said in people.items()] or [base]


def _labelled(text: Any, said: dict[str, Any]) -> dict[str, Any]:
    values = {head: own_word(said[head]) for head in HEADS if said.get(head) is not None}
    if said.get("note"):
        values["note"] = said["note"]
    marked = said.get("mentions")
    if isinstance(text, str) and marked:
        values |= mentioned(text, [(one.get("label"), one.get("start"), one.get("end")) for one in marked])
    return values


def write(statements: Iterable[LabelledStatement], path: Path, labeller: str | None) -> None:
    """Records to load: labels as the responses of `labeller` (the id of an Argilla user), else as suggestions."""
    write_json((_record(one, labeller) for one in statements), path, lines=False)


def _record(statement: LabelledStatement, labeller: str | None) -> dict[str, Any]:
    rest = content(statement)
    fields = {"text": statement.text} | {name: rest[name] for name in _NAMES if name in rest}
    answers: dict[str, Any] = {head: label for head in HEADS if (label := getattr(statement, head))}
    marked = [{"label": role, "start": start, "end": end} for role, start, end in spans(statement)]
    if marked:
        answers["mentions"] = marked
    if statement.note:
        answers["note"] = statement.note
    responds = labeller is not None and bool(labels(statement))
    suggestions = {question: {"value": value, "score": None, "agent": "table"} for question, value in answers.items()}
    responses = {question: [{"value": value, "user_id": labeller}] for question, value in answers.items()}
    return {
        "id": statement.id,
        "fields": fields,
        "metadata": {name: value for name, value in rest.items() if name not in ("id", *_NAMES)},
        "suggestions": {} if responds else suggestions,
        "responses": responses if responds else {},
        "vectors": {},
        "_server_id": None,
    }
