"""What the forms share: files of JSON, spans of holder and target, labels by head."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.names.mentions import find_mention
from serving.rows.read import Row, read_json_lines
from serving.tables import whole
from training.data.corpus import LabelledStatement

ROLES = {"speaker": "holder", "target": "target"}  # our field -> the label of its span
_FIELD = {"holder": "speaker", "speaker": "speaker", "target": "target"}
_OFFSETS = ("speaker_start", "speaker_end", "target_start", "target_end")
_CONTENT = ("id", "speaker", "target", "group", "domain", "language", "scheme")


class Wrong(Exception):  # noqa: N818
    """A task that is not of the form; the text names the field and never holds a user's text."""


def json_list(path: Path, tool: str) -> list[Row]:
    """The tasks of a file that is one JSON list, numbered from 1.

    Raises:
        StancewiseError: it cannot be read, or is something else.
    """
    try:
        tasks = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise StancewiseError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except json.JSONDecodeError as error:
        why = f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        raise StancewiseError(f"{path}: {why}; export it again as {tool}") from None
    except (UnicodeDecodeError, RecursionError):
        raise StancewiseError(f"{path}: not JSON in UTF-8; export it again as {tool}") from None
    if not isinstance(tasks, list) or not all(isinstance(one, dict) for one in tasks):
        raise StancewiseError(f"{path}: a JSON list of tasks is needed; export it again as {tool}")
    return [Row(number, task) for number, task in enumerate(tasks, 1)]


def json_lines(path: Path) -> Iterator[Row]:
    """The tasks of a file with one JSON object a line.

    Raises:
        StancewiseError: it cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
            yield from read_json_lines(file)
    except OSError as error:
        raise StancewiseError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def rows_of(tasks: Iterable[Row], turned: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> list[Row]:
    """The rows of a tool's tasks; a task that is not of the form is one row with its problem.

    Args:
        tasks: as `json_list` or `json_lines` gave them.
        turned: makes of one task the values of its rows; may raise Wrong.
    """
    rows: list[Row] = []
    for task in tasks:
        try:
            rows += [task] if task.problem else [Row(task.line, values) for values in turned(task.values)]
        except Wrong as error:
            rows.append(Row(task.line, {}, str(error)))
    return rows


def write_json(tasks: Iterable[dict[str, Any]], path: Path, lines: bool) -> None:
    """One JSON object a line, or one list."""
    with whole(path) as file, file.open("w", encoding="utf-8") as out:
        if lines:
            out.writelines(json.dumps(task, ensure_ascii=False) + "\n" for task in tasks)
        else:
            json.dump(list(tasks), out, ensure_ascii=False, indent=1)


def content(statement: LabelledStatement) -> dict[str, Any]:
    """What is no label and no text: id, names and the rest, without what is missing."""
    return {name: value for name in _CONTENT if (value := getattr(statement, name)) is not None}


def known_content(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `content` that a task has."""
    return {name: values[name] for name in _CONTENT if values.get(name) not in (None, "")}


def spans(statement: LabelledStatement) -> list[tuple[str, int, int]]:
    """Label, start and end of the mentions of holder and target that the text has."""
    found = []
    for name, role in ROLES.items():
        words, start, end = (getattr(statement, field) for field in (name, f"{name}_start", f"{name}_end"))
        span = find_mention(statement.text, words) if words and start is None else (start, end)
        if span and span[0] is not None:
            found.append((role, *span))
    return found


def mentioned(text: str, found: Iterable[tuple[str, int, int]]) -> dict[str, Any]:
    """Our fields for spans of holder and target; spans of other labels are somebody else's.

    Raises:
        Wrong: a span outside the text, or two of one role.
    """
    fields: dict[str, Any] = {}
    for label, start, end in found:
        name = _FIELD.get(str(label).casefold())
        if name is None:
            continue
        if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
            raise Wrong(f"the span of the {ROLES[name]} is outside the text of {len(text)} characters")
        if name in fields:
            raise Wrong(f"two spans are a {ROLES[name]}; keep one of them")
        words = text[start:end]
        first = start + len(words) - len(words.lstrip())
        fields |= {name: words.strip(), f"{name}_start": first, f"{name}_end": first + len(words.strip())}
    return fields


def labels_of(words: Iterable[Any]) -> dict[str, str]:
    """The labels of a list that does not say which head each is of: our own words say it, in any case of letters.

    Raises:
        Wrong: a word is none of ours, or two are of one head.
    """
    found: dict[str, str] = {}
    for word in words:
        label = str(word).strip().casefold()
        head = next((head for head, own in HEADS.items() if label in own), None)
        if head is None:
            known = ", ".join(label for own in HEADS.values() for label in own)
            raise Wrong(f"a label is none of {known}; rename it in the tool, or in the file")
        if found.setdefault(head, label) != label:
            raise Wrong(f"two labels of {head}; keep one of them")
    return found


def own_word(word: Any) -> Any:
    """A label of a head as the tables have it: ours in any case of letters, others as they are."""
    plain = str(word).strip().casefold()
    return plain if any(plain in own for own in HEADS.values()) else word


def labels(statement: LabelledStatement) -> list[str]:
    """The labels that a statement has."""
    return [label for head in HEADS if (label := getattr(statement, head))]
