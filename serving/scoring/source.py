"""The files to score: which they are, what columns they have, their rows as Arrow tables."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.scoring.manifest import fingerprint
from serving.statement import Prediction
from serving.tables import FORMATS, Row, read_rows, table_format

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Survey:
    """What a look over the whole input finds: the columns that are passed on, and the number of rows."""

    columns: pa.Schema
    rows: int


def find_files(path: Path) -> list[Path]:
    """The file itself, or the tables in a folder by name; what begins with `.` or `_` is passed over.

    Raises:
        StancewiseError: there is none, or they are of several formats.
    """
    if not path.is_dir():
        table_format(path)
        if not path.is_file():
            raise StancewiseError(f"--input {path}: no such file or folder")
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in FORMATS and file.name[0] not in "._")
    if not files:
        raise StancewiseError(f"--input {path}: no {', '.join(FORMATS)} in this folder")
    formats = " and ".join(sorted({table_format(file) for file in files}))
    if formats not in FORMATS:
        raise StancewiseError(f"--input {path}: holds {formats}; put each format into a folder of its own")
    return files


def files_fingerprint(files: Iterable[Path]) -> str:
    """What tells these files from others: names, sizes and times of change, not what is in them."""
    return fingerprint((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


def all_rows(files: Iterable[Path]) -> Iterator[tuple[str, Row]]:
    """Every row with the name of its file, file after file."""
    for file in files:
        for row in read_rows(file):
            yield file.name, row


def survey(files: Sequence[Path]) -> Survey:
    """Find one type for every column, so that all shards have the same: for Parquet its own.

    Raises:
        StancewiseError: a column has different types in two Parquet files, or the name of one that is added, or a
            name that is not Unicode.
    """
    found = _survey_parquet(files) if files[0].suffix.lower() == ".parquet" else _survey_text(files)
    if taken := sorted(set(found.columns.names) & set(Prediction.COLUMNS)):
        raise StancewiseError(f"--input: column {taken[0]!r} is there already and would be overwritten; rename it")
    return found


def _survey_parquet(files: Sequence[Path]) -> Survey:
    schemas, rows = [], 0
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                schemas.append(file.schema_arrow.remove_metadata())
                rows += file.metadata.num_rows
            columns = pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowInvalid as error:
            raise StancewiseError(f"{path}: not a Parquet file ({error})") from None
        except pa.ArrowTypeError as error:
            raise StancewiseError(f"{path}: a column has another type than in the files before ({error})") from None
    return Survey(columns, rows)


def _survey_text(files: Sequence[Path]) -> Survey:
    kinds: dict[str, set[type]] = {}
    rows = 0
    for _, row in all_rows(files):
        rows += 1
        for name, value in row.values.items():
            kinds.setdefault(name, set()).add(_kind(value))
    if any(name != _clean(name) for name in kinds):
        raise StancewiseError("--input: a column's name is not Unicode text; save the file as UTF-8")
    fields = [(name, _column_type(found - {type(None)})) for name, found in kinds.items()]
    return Survey(pa.schema(fields), rows)


def _kind(value: Any) -> type:
    return str if isinstance(value, int) and value not in _INT64 else type(value)


def _column_type(kinds: set[type]) -> pa.DataType:
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()


def passed_on(shard: Path) -> pa.Schema:
    """The input's columns in a finished shard."""
    return pa.schema([field for field in pq.read_schema(shard) if field.name not in Prediction.COLUMNS])


def _answer_fields() -> list[pa.Field]:
    """The columns that are added, the same for a model of one head as for a model of two."""
    fields = []
    for head, labels in HEADS.items():
        fields.append(pa.field(head, pa.string()))
        fields.append(pa.field(f"{head}_probabilities", pa.struct([(label, pa.float64()) for label in labels])))
    return [*fields, pa.field("abstained", pa.bool_())]


def to_table(rows: Sequence[dict[str, Any]], answers: Sequence[Prediction], columns: pa.Schema) -> pa.Table:
    """Rows and their predictions as one table; what is no text in a column of texts stands there as JSON."""
    passed = [pa.array([_cell(row.get(f.name), f.type) for row in rows], f.type) for f in columns]
    labelled = [answer.row() for answer in answers]
    added = _answer_fields()
    new = [pa.array([row[field.name] for row in labelled], field.type) for field in added]
    return pa.Table.from_arrays(passed + new, schema=pa.schema([*columns, *added]))


def _cell(value: Any, kind: pa.DataType) -> Any:
    if value is None or not pa.types.is_string(kind):
        return value
    return _clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def _clean(text: str) -> str:
    # Parquet has no lone surrogates: in a column that is only passed on they become their escapes.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
