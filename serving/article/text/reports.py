"""Texts with the day and the source that they give: files by front matter, name or HTML; rows of a table by columns."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.article.text.dates import AmbiguousDateError, Order, day_of, day_of_name
from serving.article.text.files import STANDARD_INPUT, check_text, read_with_page
from serving.article.text.front import fields
from serving.errors import StancewiseError
from serving.rows.check import cell, guess, refuse_nearly
from serving.rows.read import FORMATS, Row, listed, read_rows, shown

COLUMNS = ("text", "date", "source", "id")
# Keys of front matter, as `fields` writes them; the first that is there counts.
DATES = (
    *("date", "published", "publishedat", "publishedon", "datepublished", "publisheddate", "publicationdate"),
    *("publishdate", "pubdate", "publishedtime"),
)
SOURCES = ("source", "publication", "publisher", "outlet", "newspaper", "sitename", "site")
_ADDRESS = re.compile(r"https?://(?:www\.)?([^/:?#\s]+)", re.I)


@dataclass(frozen=True)
class Report:
    """A text, its day and who published it; None where it does not say so."""

    name: str
    text: str
    date: datetime.date | None = None
    source: str | None = None


def is_table(path: Path) -> bool:
    """Whether a file is a table of reports, by its extension."""
    return path.suffix.lower() in FORMATS


def read_report(path: Path, pages: bool = False, order: Order | None = None) -> Report:
    """A file as a report. Its day is that of its front matter, else of its HTML, else of its name.

    Args:
        path: a file or `-` (standard input).
        pages: take the main text, the day and the site out of HTML.
        order: how 03/04/2026 is read.

    Raises:
        StancewiseError: as `read_text`; a date is none, there is no such day, or it could be two days.
    """
    text, page = read_with_page(path, pages)
    name = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        given = fields(text) if page is None else {}
        date, source = (None, None) if page is None else _of_page(page)
    except StancewiseError as error:
        raise StancewiseError(f"{name}: {error}") from None
    for key in DATES:
        if date is None and key in given:
            date = _placed(f"{name}: {key}", given[key], order)
    for key in SOURCES:
        source = source or _source(given.get(key))
    if date is None:
        try:
            date = day_of_name(path)
        except StancewiseError as error:
            raise StancewiseError(f"{name}: its name: {error}") from None
    return Report(str(path), text, date, source)


def read_table(path: Path, order: Order | None = None) -> tuple[list[Report], list[str]]:
    """The rows of a table as reports, and what is wrong with the other rows, each with its place.

    Raises:
        StancewiseError: as `rows_of_table`.
    """
    reports, problems = [], []
    for one in rows_of_table(path, order):
        if isinstance(one, Report):
            reports.append(one)
        else:
            problems.append(str(one))
    return reports, problems


def rows_of_table(path: Path, order: Order | None = None) -> Iterator[Report | StancewiseError]:
    """The same, one row at a time; in place of a row that is no report, what is wrong with it.

    Columns are `text` and, if there are any, `date`, `source` and `id`; others are not read.

    Raises:
        StancewiseError: the table cannot be read, has no texts or a column that is nearly one of ours.
        AmbiguousDateError: a date could be two days.
    """
    columns: dict[str, None] = {}
    row = None
    for row in read_rows(path):
        if not row.values.keys() <= columns.keys():
            columns |= dict.fromkeys(row.values)
            refuse_nearly(str(path), columns, COLUMNS)
        try:
            yield _of_row(path, row, order)
        except AmbiguousDateError:
            raise
        except StancewiseError as error:
            yield error
    if row is None:
        raise StancewiseError(f"{path}: no rows; give a table with a column 'text'")
    if columns and "text" not in columns:
        meant = guess("text", columns)
        which = f"{shown(meant)}, if that is it," if meant else "the column of the texts"
        raise StancewiseError(f"{path}: no column 'text'; rename {which} to 'text'; its columns: {listed(columns)}")


def _of_row(path: Path, row: Row, order: Order | None) -> Report:
    place = f"{path}:{row.line}"
    if row.problem:
        raise StancewiseError(f"{place}: {row.problem}")
    text = cell(row, "text")
    if not isinstance(text, str):
        raise StancewiseError(f"{place}: text: {'empty' if text is None else 'no text; write it in quotation marks'}")
    try:
        check_text(text)
    except StancewiseError as error:
        raise StancewiseError(f"{place}: {error}") from None
    name = cell(row, "id")
    date = _placed(f"{place}: date", cell(row, "date"), order)
    return Report(place if name is None else f"{path}: {name}", text, date, _source(cell(row, "source")))


def _placed(place: str, value: Any, order: Order | None) -> datetime.date | None:
    try:
        return day_of(value, order)
    except StancewiseError as error:
        raise type(error)(f"{place}: {error}") from None


def _source(value: Any) -> str | None:
    """A name in words; of an address the host."""
    if not isinstance(value, str):
        return None
    address = _ADDRESS.match(value.strip())
    return address[1].lower() if address else " ".join(value.split()) or None


def _of_page(page: str) -> tuple[datetime.date | None, str | None]:
    """What a page's metadata say."""
    from trafilatura.metadata import extract_metadata

    found = extract_metadata(page, extensive=False)
    # Where a page does not write its day so, trafilatura has guessed it.
    date = found.date if found and found.date and found.date in page else None
    return day_of(date), _source((found.sitename or found.hostname) if found else None)
