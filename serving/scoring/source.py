"""The files to score: which they are, what columns they have, their rows as Arrow tables."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.check import Columns
from serving.rows.read import READ, Row, read_rows, table_format
from serving.scoring.manifest import fingerprint
from serving.statement import Prediction
from serving.tables import as_text

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Survey:
    """What a look over the whole input finds before a row is scored."""

    columns: pa.Schema
    rows: int
    lacking: str | None = None  # which of speaker and target are not there, and what is taken instead


def find_files(path: Path) -> list[Path]:
    """The file itself, or the tables in a folder by name; what begins with `.`, `_` or `~` is passed over.

    `~$rows.xlsx` says that Excel has `rows.xlsx` open.

    Raises:
        StancewiseError: there is none, or they are of several formats.
    """
    if not path.is_dir():
        table_format(path)
        if not path.is_file():
            raise StancewiseError(f"--input {path}: no such file or folder")
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in READ and file.name[0] not in "._~")
    if not files:
        raise StancewiseError(f"--input {path}: no {', '.join(READ)} in this folder")
    formats = " and ".join(sorted({table_format(file) for file in files}))
    if formats not in READ:
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
            name that is not Unicode or nearly that of a field; no row has a text.
    """
    found = _survey_parquet(files) if files[0].suffix.lower() == ".parquet" else _survey_text(files)
    if taken := sorted(set(found.columns.names) & set(Prediction.COLUMNS)):
        raise StancewiseError(f"--input: column {taken[0]!r} is there already and would be overwritten; rename it")
    return found


def _survey_parquet(files: Sequence[Path]) -> Survey:
    schemas, rows, seen = [], 0, Columns()
    for path in files:
        try:
            with pq.ParquetFile(path) as file:
                schemas.append(file.schema_arrow.remove_metadata())
                rows += file.metadata.num_rows
                seen.see(str(path), dict.fromkeys(file.schema_arrow.names))
            columns = pa.unify_schemas(schemas, promote_options="permissive")
        except pa.ArrowInvalid as error:
            raise StancewiseError(f"{path}: not a Parquet file ({error})") from None
        except pa.ArrowTypeError as error:
            raise StancewiseError(f"{path}: a column has another type than in the files before ({error})") from None
    seen.require_text(str(path))
    return Survey(columns, rows, seen.lacking())


def _survey_text(files: Sequence[Path]) -> Survey:
    kinds: dict[str, set[type]] = {}
    rows, seen = 0, Columns()
    header = files[0].suffix.lower() != ".jsonl"
    for file, row in all_rows(files):
        rows += 1
        if not row.problem:
            seen.see(file if header else f"{file}:{row.line}", row.values)
        for name, value in row.values.items():
            kinds.setdefault(name, set()).add(_kind(value))
    if any(name != as_text(name) for name in kinds):
        raise StancewiseError("--input: a column's name is not Unicode text; save the file as UTF-8")
    if kinds:
        seen.require_text(f"--input: {', '.join(file.name for file in files[:3])}")
    fields = [(name, _column_type(found - {type(None)})) for name, found in kinds.items()]
    return Survey(pa.schema(fields), rows, seen.lacking() if kinds else None)


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
    return [*fields, pa.field("abstained", pa.bool_()), pa.field("language", pa.string())]


def to_table(rows: Sequence[dict[str, Any]], answers: Sequence[Prediction], columns: pa.Schema) -> pa.Table:
    """Rows and their predictions as one table; what is no text in a column of texts stands there as JSON."""
    passed = [pa.array([_cell(row.get(f.name), f.type) for row in rows], f.type) for f in columns]
    labelled = [answer.row() for answer in answers]
    added = _answer_fields()
    new = [pa.array([row[field.name] for row in labelled], field.type) for field in added]
    return pa.Table.from_arrays(passed + new, schema=pa.schema([*columns, *added]))


def _cell(value: Any, kind: pa.DataType) -> Any:
    return as_text(value) if pa.types.is_string(kind) else value
