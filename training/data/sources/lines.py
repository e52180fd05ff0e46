"""Text files of others, read with every check: one clear error with file, line and fix, and never a text in it."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from serving.errors import StancewiseError, describe
from serving.rows.read import read_json_lines, shown
from training.data.corpus import LabelledStatement

T = TypeVar("T")


@dataclass(frozen=True)
class Record:
    """One row as its authors publish it, and where it stands."""

    source: Path | str
    line: int  # 1-based, in the file; of a Hub set the row
    number: int  # of the row, from 0
    values: Mapping[str, Any]

    def error(self, message: str) -> StancewiseError:
        """The message with file and line before it."""
        return StancewiseError(f"{self.source}:{self.line}: {message}")

    def value(self, name: str) -> Any:
        """A field that every row has."""
        if self.values.get(name) is None:
            raise self.error(f"no {name} in it; use the set as its authors publish it")
        return self.values[name]

    def text(self, name: str) -> str:
        """A field that every row has and that is not blank."""
        value = self.value(name)
        if not isinstance(value, str) or not value.strip():
            raise self.error(f"{name} is empty or no text; use the set as its authors publish it")
        return value

    def label(self, name: str, labels: Mapping[str, T]) -> T:
        """What a label of the authors means here."""
        value = str(self.value(name)).strip()
        if value not in labels:
            known = ", ".join(labels)
            raise self.error(f"{name}: label {shown(value)} is unknown; known: {known}; correct the row or remove it")
        return labels[value]


def read_text(path: Path) -> str:
    """A UTF-8 file as its authors publish it.

    Raises:
        StancewiseError: it is missing, starts with a byte order mark, has Windows line ends or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StancewiseError(f"{path}: cannot be read ({error.strerror}); check the path in the config") from None
    if content.startswith(b"\xef\xbb\xbf"):
        raise StancewiseError(f"{path}:1: starts with a byte order mark; save as UTF-8 without it")
    place = content.find(b"\r\n")
    if place >= 0:
        fix = "save with Unix line ends (git: core.autocrlf=false)"
        raise StancewiseError(f"{path}:{_line(content, place)}: Windows line ends; {fix}")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise StancewiseError(f"{path}:{_line(content, error.start)}: not UTF-8; save the file as UTF-8") from None


def _line(content: bytes, place: int) -> int:
    return content.count(b"\n", 0, place) + 1


def split_lines(content: str) -> list[str]:
    """Lines between line feeds; a tweet may hold other characters that `splitlines` breaks at."""
    return content.removesuffix("\n").split("\n") if content else []


def json_lines(path: Path) -> Iterator[Record]:
    """The objects of a JSON Lines file."""
    for number, row in enumerate(read_json_lines(split_lines(read_text(path)))):
        if row.problem:
            raise StancewiseError(f"{path}:{row.line}: {row.problem}; the file may be cut short, fetch it again")
        yield Record(path, row.line, number, row.values)


def tab_separated(path: Path, needed: tuple[str, ...], header: bool = True) -> Iterator[Record]:
    """The rows of a tab-separated file, quoted as in CSV; without a header the needed columns are all there are."""
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter="\t", strict=True)
    columns = list(next(_fields(path, reader), (1, []))[1]) if header else list(needed)
    if missing := [name for name in needed if name not in columns]:
        raise StancewiseError(
            f"{path}:1: no {', '.join(missing)} in the header; use the file as its authors publish it"
        )
    for number, (line, fields) in enumerate(_fields(path, reader)):
        if len(fields) != len(columns):
            found = f"{len(fields)} fields, {len(columns)} are needed"
            raise StancewiseError(f"{path}:{line}: {found}; the file may be cut short, fetch it again")
        yield Record(path, line, number, dict(zip(columns, fields, strict=True)))


def _fields(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    while True:
        line = reader.line_num + 1  # a quoted field may go over several lines
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fix = "the file may be cut short, fetch it again"
            raise StancewiseError(f"{path}:{line}: not tab-separated fields ({error}); {fix}") from None
        yield line, fields


def labelled(record: Record, values: Mapping[str, Any]) -> LabelledStatement:
    """The record as a row of ours, its offsets checked against the text.

    Raises:
        StancewiseError: a field of the wrong type, an empty text, offsets past the text or not on the mention.
    """
    values = dict(values)
    text = values.get("text")
    if not isinstance(text, str) or not text.strip():
        raise record.error("text: empty, or no text; correct the row or remove it")
    for name in ("speaker", "target"):
        start, end = values.get(f"{name}_start"), values.get(f"{name}_end")
        if start is not None or end is not None:
            values[f"{name}_end"] = _checked_end(record, text, name, values.get(name), start, end)
    try:
        return LabelledStatement.model_validate(values)
    except ValidationError as error:
        raise record.error(f"{describe(error)}; correct the row or remove it") from None


def _checked_end(record: Record, text: str, name: str, mention: Any, start: Any, end: Any) -> int:
    """Where the mention ends, without white space behind it."""
    if not mention or type(start) is not int or type(end) is not int:
        raise record.error(f"{name}: give {name} and, as whole numbers, {name}_start and {name}_end, or no offsets")
    if not 0 <= start < end <= len(text):
        where = f"offsets {start}:{end} are outside the text of {len(text)} characters"
        raise record.error(f"{name}: {where}; correct them or leave them out")
    if text[start:end] != mention:
        raise record.error(
            f"{name}: the text at {start}:{end} is not the {name} named; correct the offsets or leave them out"
        )
    return start + len(text[start:end].rstrip())
