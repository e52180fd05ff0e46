"""Label Studio's JSON (export "JSON", not "JSON-MIN"), as its page "Label Studio Task Format" documents it.

The project's labelling interface needs these controls on the object `text`: Choices `stance` and `sentiment`, and for
the mentions Labels `mentions` with `holder` and `target`. TextArea `note` may be missing.
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


def read(path: Path) -> list[Row]:
    """A row for each annotation that was not cancelled, and for each task without one.

    Raises:
        StancewiseError: the file is no such export.
    """
    return rows_of(json_list(path, 'Label Studio "JSON"'), _rows)


def _rows(task: dict[str, Any]) -> list[dict[str, Any]]:
    data = task.get("data")
    if not isinstance(data, dict):
        raise Wrong('no "data" in the task; export as "JSON", not as "JSON-MIN"')
    base = known_content(data) | {"text": data.get("text")}
    if "id" not in base and "id" in task:
        base["id"] = str(task["id"])
    given = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
    return [base | _labelled(data, one) for one in given] or [base]


def _labelled(data: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any]:
    text = data.get("text")
    values: dict[str, Any] = {"labeller": _who(annotation.get("completed_by"))}
    found = []
    for one in annotation.get("result") or ():
        kind, value = one.get("type"), one.get("value") or {}
        if kind == "labels" and isinstance(text, str):
            found += [(label, *_place(text, value)) for label in value.get("labels", ())]
        elif kind == "choices" and one.get("from_name") in HEADS:
            [*chosen] = value.get("choices", ())
            if len(chosen) > 1:
                raise Wrong(f"{one['from_name']}: {len(chosen)} choices; keep one of them")
            values[one["from_name"]] = own_word(chosen[0]) if chosen else None
        elif kind == "textarea" and one.get("from_name") == "note":
            note = value.get("text") or []
            values["note"] = note if isinstance(note, str) else " ".join(map(str, note))
    return values | (mentioned(text, found) if isinstance(text, str) else {})


def _place(text: str, value: dict[str, Any]) -> tuple[Any, Any]:
    """Start and end in characters: old versions count UTF-16 units, and the words tell which it is."""
    start, end, words = value.get("start"), value.get("end"), value.get("text")
    if type(start) is not int or type(end) is not int or not isinstance(words, str) or text[start:end] == words:
        return start, end
    units = text.encode("utf-16-le")
    before, inside = units[: 2 * start], units[2 * start : 2 * end]
    if inside.decode("utf-16-le", "replace") != words:
        raise Wrong("a span's words are not at its place in the text; label it again")
    first = len(before.decode("utf-16-le", "replace"))
    return first, first + len(words)


def _who(completed_by: Any) -> str | None:
    """The id of the labeller; an export may hold the whole user."""
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    return None if completed_by is None else str(completed_by)


def write(statements: Iterable[LabelledStatement], path: Path, labeller: str | None) -> None:
    """Tasks to import: labelled ones with their annotation, others with holder and target marked as a prediction."""
    write_json((_task(one, labeller) for one in statements), path, lines=False)


def _task(statement: LabelledStatement, labeller: str | None) -> dict[str, Any]:
    result = [
        {
            "id": role,
            "from_name": "mentions",
            "to_name": "text",
            "type": "labels",
            "value": {"start": start, "end": end, "text": statement.text[start:end], "labels": [role]},
        }
        for role, start, end in spans(statement)
    ]
    task: dict[str, Any] = {"data": {"text": statement.text, **content(statement)}}
    if not labels(statement):
        return task | ({"predictions": [{"model_version": "table", "result": result}]} if result else {})
    for head in HEADS:
        if label := getattr(statement, head):
            result.append(_control(head, "choices", {"choices": [label]}))
    if statement.note:
        result.append(_control("note", "textarea", {"text": [statement.note]}))
    who = {} if labeller is None else {"completed_by": int(labeller) if labeller.isdigit() else {"email": labeller}}
    return task | {"annotations": [{"result": result, "was_cancelled": False, "ground_truth": False, **who}]}


def _control(name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": "text", "type": kind, "value": value}
