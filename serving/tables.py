"""Rows in and rows out, a piece at a time (JSON Lines, CSV, Parquet by extension); files that appear whole."""

import csv
import errno
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from pydantic import ValidationError

from serving.errors import StancewiseError, describe, disk_is_full
from serving.statement import Statement

FORMATS = (".jsonl", ".csv", ".parquet")
_PARQUET_ROWS = 1024  # rows read or written at once


@dataclass(frozen=True)
class Row:
    """One input row: its line (JSON Lines, CSV: in the file; Parquet: the row), its values or what is wrong."""

    line: int
    values: dict[str, Any]
    problem: str | None = None


def statement_of(row: Row) -> Statement | str:
    """The row's statement, or what is wrong with it (never the text itself)."""
    if row.problem:
        return row.problem
    # An empty CSV cell is a missing value, also where a number is due.
    # A column named scheme is the user's own affair; the scheme is chosen from Python.
    known = Statement.model_fields.keys() - {"scheme"}
    fields = {k: v for k, v in row.values.items() if k in known and (v != "" or k == "text")}
    try:
        return Statement.model_validate(fields)
    except ValidationError as error:
        return describe(error)


def table_format(path: Path) -> str:
    """The extension, one of FORMATS.

    Raises:
        StancewiseError: another extension.
    """
    if path.suffix.lower() not in FORMATS:
        raise StancewiseError(f"{path}: unknown extension {path.suffix!r}; use one of {', '.join(FORMATS)}")
    return path.suffix.lower()


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, without holding the file in memory; a row that cannot be read carries its problem.

    Raises:
        StancewiseError: the file is missing, has an unknown extension or is no Parquet file.
    """
    kind = table_format(path)
    if not path.is_file():
        raise StancewiseError(f"{path}: no such file")
    if kind == ".parquet":
        yield from _read_parquet(path)
        return
    # Bytes that are not UTF-8 become lone surrogates, which the statement's own check refuses row by row.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="" if kind == ".csv" else None) as lines:
        yield from _read_csv(lines) if kind == ".csv" else read_json_lines(lines)


def read_json_lines(lines: Iterable[str]) -> Iterator[Row]:
    """JSON objects, one a line; blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            yield Row(number, {}, f"not JSON: {error.msg} at column {error.colno}")
            continue
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            yield Row(number, {}, f"a JSON object is needed, not {type(values).__name__}")


def _read_csv(lines: IO[str]) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)
    reader = csv.DictReader(lines, strict=True)
    columns = reader.fieldnames or ()  # reads the header, so that line numbers begin behind it
    while True:
        line = reader.line_num + 1
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, f"not CSV: {error}")
            continue
        if None in values or None in values.values():
            found = "more" if None in values else "fewer"
            yield Row(line, {}, f"{found} fields than the header's {len(columns)}")
        else:
            yield Row(line, dict(values))


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in batch.to_pylist():
                    line += 1
                    yield Row(line, values)
    except pa.ArrowInvalid as error:
        raise StancewiseError(f"{path}: not a Parquet file ({error})") from None


class RowWriter(Protocol):
    """Where output rows go."""

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        ...


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self.file.write(json.dumps(row, ensure_ascii=False, default=str) + "\n")


class CsvWriter:
    """CSV whose columns are those of the first row; probabilities stand in their column as JSON."""

    def __init__(self, file: IO[str]) -> None:
        self.file = file
        self.writer: csv.DictWriter[str] | None = None

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        if self.writer is None:
            self.writer = csv.DictWriter(self.file, fieldnames=list(row))
            self.writer.writeheader()
        if extra := set(row) - set(self.writer.fieldnames):
            raise StancewiseError(f"column {min(extra)!r} is not in the first row; write .jsonl instead of .csv")
        self.writer.writerow({k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in row.items()})


class ParquetWriter:
    """Parquet whose column types are those of the first 1,024 rows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.writer: Any = None

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self.rows.append(row)
        if len(self.rows) == _PARQUET_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows at hand."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pa.Table.from_pylist(self.rows, schema=self.writer.schema if self.writer else None)
        except pa.ArrowException as error:
            raise StancewiseError(f"{self.path}: a column changes its type ({error}); write .jsonl instead") from None
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)
        self.rows = []

    def close(self) -> None:
        """Write what is left and the file's footer."""
        self.flush()
        self.writer.close()


@contextmanager
def open_writer(path: Path | None) -> Iterator[RowWriter]:
    """A writer for `path` (None: JSON Lines on standard output); the file appears whole at the end, or not at all."""
    if path is None:
        with open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as out:
            yield JsonLinesWriter(out)
        return
    kind = table_format(path)
    with whole(path) as temporary:
        if kind == ".parquet":
            writer = ParquetWriter(temporary)
            yield writer
            writer.close()
        else:
            # A lone surrogate in a column that is only passed on becomes its escape, which JSON reads back.
            with temporary.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
                yield JsonLinesWriter(file) if kind == ".jsonl" else CsvWriter(file)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name beside `path` to write to, which becomes `path` at the end; after an error nothing is left of it.

    Raises:
        StancewiseError: the folder does not exist.
        OSError: the disk is full; with the path's name.
    """
    if not path.parent.is_dir():
        raise StancewiseError(f"{path}: the folder {path.parent} does not exist")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if not disk_is_full(error):
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.absolute())) from None
    finally:
        temporary.unlink(missing_ok=True)
