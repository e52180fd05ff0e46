"""Rows out, a piece at a time (JSON Lines, CSV, Parquet by extension); files that appear whole, or grow by lines."""

import csv
import errno
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from serving.errors import StancewiseError, disk_is_full
from serving.rows.read import FORMATS, table_format

_PARQUET_ROWS = 1024  # rows in a piece
_BLOCK = 2**16  # bytes looked through at once


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
    """Parquet with every column that a row has, null in rows without it; a column of mixed values is text, as JSON.

    Rows are written in pieces. A piece with columns or types that the file has no place for begins a file of its own,
    and the files are joined at the end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.writer: Any = None
        self.finished: list[BinaryIO] = []  # files before the one that is written, without a name

    def write(self, row: dict[str, Any]) -> None:
        """Add one row."""
        self.rows.append(row)
        if len(self.rows) == _PARQUET_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows at hand."""
        table = _table(self.rows)
        self.rows = []
        if self.writer is not None:
            joined = _joined([self.writer.schema, table.schema])
            if joined != self.writer.schema:
                self._finish()
                self.finished.append(self.path.open("rb"))
                self.path.unlink()
        self._add(table)

    def _add(self, table: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema)
        try:
            self.writer.write_table(_as(table, self.writer.schema))
        except pa.ArrowException as error:
            raise StancewiseError(f"{self.path}: a column does not fit into Parquet ({error}); write .jsonl") from None

    def _finish(self) -> None:
        self.writer.close()
        self.writer = None

    def close(self) -> None:
        """Write what is left and the file's footer."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self.rows or self.writer is None:
            self.flush()
        self._finish()
        if not self.finished:
            return
        self.finished.append(self.path.open("rb"))
        self.path.unlink()
        files = [pq.ParquetFile(file) for file in self.finished]
        schema = _joined([file.schema_arrow for file in files])
        for file in files:
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                self._add(_as(pa.Table.from_batches([batch]), schema))
        self._finish()
        for opened in self.finished:
            opened.close()


def _table(rows: Sequence[dict[str, Any]]) -> Any:
    """Rows as a `pyarrow.Table` with the columns of all of them."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({as_text(name): _column([row.get(name) for row in rows]) for name in names})


def _column(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    try:
        column = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError):
        return pa.array([as_text(value) for value in values], pa.string())
    # Parquet has no objects without keys.
    return pa.array([as_text(value) for value in values], pa.string()) if _keyless(column.type) else column


def _keyless(kind: Any) -> bool:
    inner = [kind.field(place).type for place in range(kind.num_fields)]
    return (str(kind) == "struct<>") or any(map(_keyless, inner))


def _joined(schemas: Sequence[Any]) -> Any:
    """One schema for all: of a column's types the one that holds them all, or text."""
    import pyarrow as pa

    kinds: dict[str, Any] = {}
    for field in (field for schema in schemas for field in schema):
        alone = pa.schema([pa.field(field.name, field.type)])
        try:
            found = pa.unify_schemas([kinds.get(field.name, alone), alone], promote_options="permissive")
        except pa.ArrowException:
            found = pa.schema([pa.field(field.name, pa.string())])
        kinds[field.name] = found
    return pa.unify_schemas(list(kinds.values())) if kinds else pa.schema([])


def _as(table: Any, schema: Any) -> Any:
    """The table with the columns and types of a schema that holds its own."""
    import pyarrow as pa

    columns = []
    for field in schema:
        if field.name not in table.column_names:
            columns.append(pa.nulls(table.num_rows, field.type))
        elif table[field.name].type == field.type:
            columns.append(table[field.name])
        else:
            values = table[field.name].to_pylist()
            columns.append(pa.array(map(as_text, values) if pa.types.is_string(field.type) else values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def as_text(value: Any) -> str | None:
    """A value in a column of texts: what is no text stands there as JSON, a lone surrogate as its escape."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


@contextmanager
def open_writer(path: Path | None) -> Iterator[RowWriter]:
    """A writer for `path` (None: JSON Lines on standard output); the file appears whole at the end, or not at all."""
    if path is None:
        with open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as out:
            yield JsonLinesWriter(out)
        return
    kind = table_format(path, FORMATS)
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


@contextmanager
def appendable(path: Path, wait: bool = False) -> Iterator[BinaryIO]:
    """A JSON Lines file for `append_row`, which nobody else may add to meanwhile; it is made if there is none.

    Args:
        path: of the file.
        wait: for another process that holds it, instead of refusing.

    Raises:
        StancewiseError: it cannot be written, or another process holds it.
    """
    try:
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b", buffering=0)
    except OSError as error:
        raise StancewiseError(f"{path}: cannot be written ({error.strerror}); choose a file elsewhere") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise StancewiseError(f"{path}: another process writes to it; stop it, or choose another file") from None
        _sync_folder(path)  # a new file's name is on the disk before its first row
        yield file


def mend_end(file: BinaryIO) -> int:
    """Cut off a last line that a crash left half-written; how many bytes that were.

    A last line that is whole and lacks only its end, as an editor may leave it, is given one.
    """
    while True:
        size, end = file.seek(0, os.SEEK_END), _last_line(file)
        file.seek(end)
        rest = file.read()
        if not size or rest.strip():
            break
        file.truncate(end)  # a blank line
    if not rest or rest.endswith(b"\n"):
        return 0
    try:
        complete = isinstance(json.loads(rest), dict)
    except ValueError:
        complete = False
    if complete:
        file.write(b"\n")
    else:
        file.truncate(end)
    os.fsync(file.fileno())
    return 0 if complete else size - end


def append_row(file: BinaryIO, row: dict[str, Any]) -> None:
    """Add one row; it is on the disk when this returns, and nothing of it is in the file when this raises.

    Raises:
        OSError: the disk is full or broken.
    """
    line = json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n"
    start = file.seek(0, os.SEEK_END)
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(start)
        raise


def drop_last_row(file: BinaryIO) -> None:
    """Take back the row that was added last."""
    file.truncate(_last_line(file))
    os.fsync(file.fileno())


def _last_line(file: BinaryIO) -> int:
    """Where the last line begins, whether or not it has an end."""
    place = max(0, file.seek(0, os.SEEK_END) - 1)  # its own end does not count
    while place > 0:
        start = max(0, place - _BLOCK)
        file.seek(start)
        found = file.read(place - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        place = start
    return 0


def _sync_folder(path: Path) -> None:
    folder = os.open(path.absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
