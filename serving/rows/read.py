"""Tables read a row at a time, in the form that their extension says; what cannot be read is never passed over."""

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from io import BufferedReader, TextIOWrapper
from itertools import chain
from pathlib import Path
from typing import Any

from serving.errors import StancewiseError
from serving.rows.content import LOOKED_AT, other_than_text

FORMATS = (".jsonl", ".csv", ".parquet")  # that are also written
READ = (".jsonl", ".csv", ".tsv", ".xlsx", ".parquet")
_PARQUET_ROWS = 1024  # rows read at once
_CELL = 2**24  # characters; a quotation mark that is never closed would fill the memory
_MOST_COLUMNS = 20  # listed in a message
_LONGEST_SHOWN = 40  # characters of a name; a longer one may be a text that stands in the wrong place

# What R, pandas, Excel and databases write into a CSV for a value that is missing.
MISSING = frozenset(
    ("NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-nan", "NaT", "NULL", "null", "<null>", "None", "\\N")
)
_SEPARATORS = ",;\t|"
_TOLD_SEPARATOR = re.compile(r'"?sep=([,;\t|])"?\s*', re.I)  # a first line by which Excel knows it


@dataclass(frozen=True)
class Row:
    """One input row: its line (Parquet: the row; else in the file), its values or what is wrong with it."""

    line: int
    values: dict[str, Any]
    problem: str | None = None
    missing: frozenset[str] = frozenset()  # of CSV and Excel: columns with one of MISSING, not quoted


def table_format(path: Path, known: Sequence[str] = READ) -> str:
    """The extension, one of those that are known.

    Raises:
        StancewiseError: another extension.
    """
    kind = path.suffix.lower()
    if kind not in known:
        fix = {".xls": "; save the sheet as .xlsx", ".gz": "; unpack it first"}.get(kind, "")
        raise StancewiseError(f"{path}: unknown extension {path.suffix!r}; use one of {', '.join(known)}{fix}")
    return kind


def shown(name: str) -> str:
    """A column or label for a message; nothing so long that it could be a text."""
    return repr(name) if len(name) <= _LONGEST_SHOWN else f"(of {len(name)} characters)"


def listed(names: Iterable[str]) -> str:
    """Columns for a message."""
    names = list(names)
    more = f" and {len(names) - _MOST_COLUMNS} more" if len(names) > _MOST_COLUMNS else ""
    return ", ".join(shown(name) for name in names[:_MOST_COLUMNS]) + more


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, without holding the file in memory; a row that cannot be read carries its problem.

    Raises:
        StancewiseError: the file is missing, has an unknown extension, is none of its format, or has a header with
            two columns of one name.
    """
    kind = table_format(path)
    if kind in _OTHER_THAN_TEXT:
        yield from _OTHER_THAN_TEXT[kind](path)
        return
    with _opened(path) as file:
        lines = _text(file, str(path), newline=None if kind == ".jsonl" else "")
        if kind == ".jsonl":
            yield from read_json_lines(lines)
        else:
            yield from _read_csv(lines, path, separator="\t" if kind == ".tsv" else None)


def read_standard_input() -> Iterator[Row]:
    """JSON Lines on standard input, under the rules for files."""
    return read_json_lines(_text(sys.stdin.buffer, "standard input", newline=None))  # type: ignore[arg-type]


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise StancewiseError(f"{path}: {why}; check the path") from None


def _text(file: BufferedReader, name: str, newline: str | None) -> TextIOWrapper:
    if found := other_than_text(file.peek(LOOKED_AT)):
        raise StancewiseError(f"{name}: {found[0]}, not UTF-8 text; {found[1]}")
    # Bytes that are not UTF-8 become lone surrogates, by which their row is known.
    return TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline=newline)


def read_json_lines(lines: Iterable[str]) -> Iterator[Row]:
    """JSON objects, one a line; blank lines are skipped."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if problem := _not_utf8(line):
            yield Row(number, {}, problem)
            continue
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            yield Row(number, {}, f"not JSON: {error.msg} at column {error.colno}")
            continue
        except (ValueError, RecursionError):
            yield Row(number, {}, "not JSON that can be read: a number or a nesting is too long")
            continue
        if isinstance(values, dict):
            yield Row(number, values)
        else:
            yield Row(number, {}, f"a JSON object is needed, not {type(values).__name__}")


def _not_utf8(line: str) -> str | None:
    """What is wrong with a line that holds bytes which are not UTF-8."""
    if line.isascii():
        return None
    try:
        line.encode()
    except UnicodeEncodeError as error:
        byte = ord(line[error.start]) - 0xDC00
        fix = "save the file as UTF-8 (Excel: as 'CSV UTF-8'; elsewhere: iconv -f WINDOWS-1252 -t UTF-8)"
        return f"not UTF-8: byte 0x{byte:02X} at column {error.start + 1}; {fix}"
    return None


def _read_csv(lines: Iterator[str], path: Path, separator: str | None = None) -> Iterator[Row]:
    csv.field_size_limit(_CELL)
    record: list[str] = []  # the lines of the row that is read

    def recorded() -> Iterator[str]:
        for line in lines:
            record.append(line)
            yield line

    blank = 0
    first = ""
    while not first.strip() and (one := next(lines, None)) is not None:
        blank += bool(first)
        first = one
        if not separator and (told := _TOLD_SEPARATOR.fullmatch(first.lstrip("\ufeff"))):
            separator, first = told[1], "\n"
    lines = chain([first], lines)
    separator = separator or separator_of(first)
    reader = csv.reader(recorded(), delimiter=separator, strict=True)
    columns = _header(reader, record, path)
    one = re.escape(separator)
    cells = re.compile(rf'(?:^|{one})("(?:[^"]|"")*"|[^{one}\r\n]*)')
    line = 1 + blank
    while True:
        line += len(record)
        record.clear()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # As long as a mark is open nobody knows what is a row and what is a text: up to its pair nothing is read.
            marks = sum(one.count('"') for one in record)
            while marks % 2 and (one := next(lines, None)) is not None:
                record.append("")
                marks += one.count('"')
            yield from _unread(line, len(record), str(error))
            continue
        if problem := next(filter(None, map(_not_utf8, record)), None):
            yield Row(line, {}, problem)
        elif len(fields) == len(columns):
            missing = (
                frozenset()
                if MISSING.isdisjoint(map(str.strip, fields))
                else _missing(columns, fields, "".join(record), cells)
            )
            yield Row(line, dict(zip(columns, fields, strict=True)), None, missing)
        elif fields:
            found = "more" if len(fields) > len(columns) else "fewer"
            yield Row(line, {}, f"{found} fields than the header's {len(columns)}")


def separator_of(header: str) -> str:
    """The comma, or the semicolon (as Excel saves in countries with decimal commas), the tab or the bar.

    It is the one that sets off a column `text`, else the one that makes most columns.
    """

    def worth(separator: str) -> tuple[bool, int]:
        names = next(csv.reader([header], delimiter=separator), [])
        return len(names) > 1 and "text" in (name.strip("\ufeff ").casefold() for name in names), len(names)

    return max(_SEPARATORS, key=worth)


def _header(reader: Any, record: list[str], path: Path) -> list[str]:
    try:
        columns: list[str] = next(reader, [])
    except csv.Error as error:
        raise StancewiseError(f"{path}:1: the header is not CSV: {error}; correct it") from None
    if problem := next(filter(None, map(_not_utf8, record)), None):
        raise StancewiseError(f"{path}:1: {problem}")
    _refuse_twice(path, columns)
    return columns


def _refuse_twice(path: Path, columns: Sequence[str]) -> None:
    if twice := [name for name in columns if columns.count(name) > 1]:
        raise StancewiseError(f"{path}:1: column {shown(twice[0])} stands twice in the header; rename or remove one")


def _unread(line: int, lines: int, error: str) -> Iterator[Row]:
    """A problem for each line that is not read."""
    fix = 'inside a quoted cell write "" for a quotation mark, or quote the whole cell'
    if lines == 1:
        yield Row(line, {}, f"not CSV: {error}; {fix}")
        return
    where = f"lines {line} to {line + lines - 1} could not be read"
    why = f"a quotation mark in line {line} opens a cell that is not closed as it should be"
    for number in range(line, line + lines):
        yield Row(number, {}, f"not CSV: {where}: {why}; {fix}")


def _missing(columns: list[str], fields: list[str], record: str, cells: re.Pattern[str]) -> frozenset[str]:
    """The columns whose cell is a word for a missing value, and not the same word in quotation marks."""
    as_written = cells.findall(record) if '"' in record else fields
    return frozenset(name for name, written in zip(columns, as_written, strict=True) if written.strip() in MISSING)


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise StancewiseError(f"{path}: no such file; check the path")
    try:
        with pq.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for values in batch.to_pylist():
                    line += 1
                    yield Row(line, values)
    except pa.ArrowInvalid as error:
        raise StancewiseError(f"{path}: not a Parquet file ({error})") from None


def _read_excel(path: Path) -> Iterator[Row]:
    """The first sheet; its first row names the columns. A formula counts as what Excel last showed for it."""
    from openpyxl import load_workbook

    if not path.is_file():
        raise StancewiseError(f"{path}: no such file; check the path")
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except Exception:  # openpyxl passes on whatever zip and XML raise
        raise StancewiseError(f"{path}: not an Excel workbook (.xlsx); save it again from Excel") from None
    lines = book.worksheets[0].iter_rows(values_only=True)
    header = [str(cell).strip() if cell is not None else "" for cell in next(lines, ())]
    _refuse_twice(path, [name for name in header if name])
    for number, cells in enumerate(lines, 2):
        values = {name: _cell(cell) for name, cell in zip(header, cells, strict=False) if name}
        if any(str(value).strip() for value in values.values() if value is not None):  # Excel keeps emptied rows
            missing = (name for name, value in values.items() if isinstance(value, str) and value.strip() in MISSING)
            yield Row(number, values, None, frozenset(missing))
    book.close()


def _cell(value: Any) -> Any:
    """A cell as a table of text has it: a date in ISO form, which Excel keeps as the midnight that begins it."""
    if not isinstance(value, date):
        return value
    return value.isoformat().removesuffix("T00:00:00")


_OTHER_THAN_TEXT: dict[str, Callable[[Path], Iterator[Row]]] = {".parquet": _read_parquet, ".xlsx": _read_excel}
