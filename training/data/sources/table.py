"""A user's own table (CSV, JSON Lines, Parquet), with a map of its columns and labels."""

import difflib
from collections.abc import Iterable
from typing import Any

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.check import FIELDS, cell, refuse_nearly
from serving.rows.read import Row, listed, read_rows, shown
from training.config import DataSet
from training.data.corpus import Corpus, LabelledStatement, identifier
from training.data.sources.lines import Record, labelled

_FIELDS = tuple(LabelledStatement.model_fields)
_OFFSETS = ("speaker_start", "speaker_end", "target_start", "target_end")


def read_table(wanted: DataSet) -> Corpus:
    """The labelled rows of a table; with a teacher, whose answers will stand for labels, all of them.

    Raises:
        StancewiseError: a file that cannot be read, a column or label that the maps do not fit, offsets that are wrong.
    """
    path = wanted.path
    assert path is not None  # the config sees to it
    found = []
    for row in read_rows(path):
        if row.problem:
            raise StancewiseError(
                f"{path}:{row.line}: {row.problem}; correct the row, or fetch the file again if it is cut short"
            )
        found.append(row)
    columns = _columns(wanted, dict.fromkeys(name for row in found for name in row.values))
    rows, lines = [], []
    for number, row in enumerate(found):
        record = Record(path, row.line, number, row.values)
        statement = labelled(record, _values(record, row, columns, wanted))
        if statement.stance or statement.sentiment or wanted.teacher:
            rows.append(statement)
            lines.append(row.line)
    if not rows:
        raise StancewiseError(
            f"{path}: no row with a stance or a sentiment; name their columns under columns, or a teacher"
        )
    return Corpus(path, rows, lines)


def _columns(wanted: DataSet, present: Iterable[str]) -> dict[str, str]:
    """Our field -> its column."""
    present = list(present)
    for field, column in wanted.columns.items():
        if field not in _FIELDS:
            raise StancewiseError(
                f"columns: {field!r} is not a known field{_near(field, _FIELDS)}: {', '.join(_FIELDS)}"
            )
        if column not in present:
            missing = f"no column {column!r} (columns.{field})"
            raise StancewiseError(f"{wanted.path}:1: {missing}{_near(column, present)}; its columns: {listed(present)}")
    fields = [field for field in (*FIELDS, *HEADS, "group") if field not in wanted.columns]
    unmapped = [column for column in present if column not in wanted.columns.values()]
    refuse_nearly(f"{wanted.path}:1", unmapped, fields, " or name it under columns in the config")
    columns = {field: field for field in _FIELDS if field in present} | wanted.columns
    if "text" not in columns:
        fix = "name it under columns.text"
        raise StancewiseError(f"{wanted.path}:1: no column 'text'; {fix}; its columns: {listed(present)}")
    return columns


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {shown(near[0])}?" if near else ""


def _values(record: Record, row: Row, columns: dict[str, str], wanted: DataSet) -> dict[str, Any]:
    cells = {field: cell(row, column) for field, column in columns.items()}
    for one, own in wanted.labels.items():
        column = columns.get(one, "")
        if column in row.missing and row.values[column] in own:
            cells[one] = row.values[column]  # NA is a label where the map says so
    for field in _OFFSETS:
        if cells.get(field) is not None:
            cells[field] = _offset(record, field, cells[field])
    maps: dict[str, dict[str, str]] = {head: dict(zip(own, own, strict=True)) for head, own in HEADS.items()}
    for head, labels in (maps | dict(wanted.labels)).items():
        if cells.get(head) is not None:
            cells[head] = _label(record, head, cells[head], labels)
        if isinstance(cells.get(f"{head}_votes"), list):
            cells[f"{head}_votes"] = [_label(record, f"{head}_votes", vote, labels) for vote in cells[f"{head}_votes"]]
    if cells.get("id") is None:
        cells["id"] = f"{record.source.stem}:{record.line}" if not isinstance(record.source, str) else None
    return {field: _as_text(field, value) for field, value in cells.items()}


def _offset(record: Record, field: str, value: Any) -> int:
    # Parquet has floats where some rows lack the number.
    try:
        number = float(value)
        whole = number.is_integer() and not isinstance(value, bool)
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise record.error(f"{field}: must be a whole number of characters; correct it or leave the column out")
    return int(number)


def _label(record: Record, name: str, value: Any, labels: dict[str, str]) -> str:
    label = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
    if label not in labels:
        head = name.partition("_")[0]
        fix = f"add it to labels.{head} in the config, or correct the row"
        raise record.error(f"{name}: label {shown(label)} is not in the map; known: {', '.join(labels)}; {fix}")
    return labels[label]


def _as_text(field: str, value: Any) -> Any:
    """Numbers in a column of texts as text, as in a CSV."""
    numeric = isinstance(value, int | float) and field not in _OFFSETS
    return identifier(value) if numeric else value
