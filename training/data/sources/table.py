"""A user's own table (CSV, TSV, Excel, JSON Lines, Parquet), with a map of its columns and labels."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.check import FIELDS, cell, refuse_nearly
from serving.rows.read import Row, listed, read_rows, shown
from training.config import DataSet
from training.data.corpus import Corpus, LabelledStatement, identifier
from training.data.sources.label_map import LabelMap
from training.data.sources.lines import Record, labelled

_FIELDS = tuple(LabelledStatement.model_fields)
_LABELS = {"stance", "sentiment", "stance_votes"}
_OFFSETS = ("speaker_start", "speaker_end", "target_start", "target_end")


def read_table(wanted: DataSet) -> Corpus:
    """The labelled rows of a table; with a teacher, whose answers will stand for labels, all of them.

    Raises:
        StancewiseError: a file that cannot be read, a column or label that the maps do not fit, offsets that are wrong.
    """
    path = wanted.path
    assert path is not None  # the config sees to it
    found = list(read_rows(path))
    every = statements_of(found, wanted)
    kept = [i for i, one in enumerate(every) if one.stance or one.sentiment or wanted.teacher]
    if not kept:
        raise StancewiseError(
            f"{path}: no row with a stance or a sentiment; name their columns under columns, or a teacher"
        )
    lines = [found[i].line for i in kept]
    return Corpus(path, [every[i] for i in kept], lines, unlabelled=len(found) - len(kept))


def statements_of(found: Sequence[Row], wanted: DataSet) -> list[LabelledStatement]:
    """Every row of a table as a statement, those without a label too.

    Raises:
        StancewiseError: as `read_table`.
    """
    path = wanted.path
    assert path is not None
    for row in found:
        if row.problem:
            raise StancewiseError(
                f"{path}:{row.line}: {row.problem}; correct the row, or fetch the file again if it is cut short"
            )
    columns = _columns(wanted, dict.fromkeys(name for row in found for name in row.values))
    label_map = LabelMap(wanted)
    labels = [_labels(row, columns, label_map) for row in found]
    label_map.refuse_unknown()
    rows = []
    for number, (row, given) in enumerate(zip(found, labels, strict=True)):
        record = Record(path, row.line, number, row.values)
        rows.append(labelled(record, _values(record, row, columns) | given))
    return rows


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
    for head in wanted.labels:
        if columns.keys().isdisjoint((head, f"{head}_votes")):
            raise StancewiseError(
                f"{wanted.path}:1: labels.{head} is given, but no column {head!r}; name it under columns.{head}; "
                f"its columns: {listed(present)}"
            )
    if "text" not in columns:
        fix = "name it under columns.text"
        raise StancewiseError(f"{wanted.path}:1: no column 'text'; {fix}; its columns: {listed(present)}")
    return columns


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {shown(near[0])}?" if near else ""


def _values(record: Record, row: Row, columns: dict[str, str]) -> dict[str, Any]:
    """The cells of a row, but for its labels."""
    cells = {field: cell(row, column) for field, column in columns.items() if field not in _LABELS}
    for field in _OFFSETS:
        if cells.get(field) is not None:
            cells[field] = _offset(record, field, cells[field])
    if cells.get("id") is None:
        cells["id"] = f"{record.source.stem}:{record.line}" if not isinstance(record.source, str) else None
    return {field: _as_text(field, value) for field, value in cells.items()}


def _labels(row: Row, columns: dict[str, str], label_map: LabelMap) -> dict[str, Any]:
    """The labels and votes of a row, in our words."""
    found: dict[str, Any] = {}
    for field in _LABELS & columns.keys():
        value = row.values.get(columns[field])
        missing = cell(row, columns[field]) is None
        cells = value if isinstance(value, list) else [value]
        ours = [label_map.ours(field, one, missing or one is None, row.line) for one in cells]
        found[field] = [label for label in ours if label] or None if isinstance(value, list) else ours[0]
    return found


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


def _as_text(field: str, value: Any) -> Any:
    """Numbers in a column of texts as text, as in a CSV."""
    numeric = isinstance(value, int | float) and field not in _OFFSETS
    return identifier(value) if numeric else value
