"""Which columns and cells of a table count: the same for `predict`, `score`, training, HTTP and the MLflow model."""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from pydantic import ValidationError

from serving.errors import StancewiseError, describe
from serving.rows.read import Row, listed, shown
from serving.statement import Statement

# A column named scheme is the user's own affair; the scheme is chosen from Python.
FIELDS = tuple(name for name in Statement.model_fields if name != "scheme")
_FIRST = 256  # rows whose columns are looked at before the work begins
_HOLDER = frozenset(("holder", "opinionholder", "stanceholder"))
_WITHOUT = {
    "speaker": "the author of each text is taken for the holder",
    "target": "the main subject of each text is taken for the target",
}
_SYNONYMS = {
    "text": "texts sentence statement content body message tweet post comment headline title quote utterance passage",
    "speaker": "speakers source author actor person politician opinion_holder",
    "target": "targets topic entity aspect object issue mention",
}


def cell(row: Row, column: str) -> Any:
    """A value; None where it is missing: no such column, blank, null, NaN, in a CSV also NA without quotation marks."""
    value = row.values.get(column)
    if value is None or value == "" or column in row.missing:
        return None
    nan = value != value  # noqa: PLR0124
    return None if nan or (isinstance(value, str) and value.isspace()) else value


def values_of(row: Row, columns: Iterable[str]) -> dict[str, Any]:
    """The row's values of those columns that it has; a text that is missing is an empty one."""
    values = {column: cell(row, column) for column in columns if column in row.values}
    if "text" in values and values["text"] is None:
        values["text"] = ""
    return values


def statement_of(row: Row) -> Statement | str:
    """The row's statement, or what is wrong with it (never the text itself)."""
    if row.problem:
        return row.problem
    try:
        return Statement.model_validate({"text": "", **values_of(row, FIELDS)})
    except ValidationError as error:
        return describe(error)


def nearly(column: str, fields: Collection[str] = FIELDS) -> str | None:
    """The field that a column is surely meant for though it is written otherwise: `Target`, ` text`, `holder`."""
    if column in fields:
        return None
    plain = re.sub(r"[\W_]", "", column).casefold()
    if plain in _HOLDER and "speaker" in fields:
        return "speaker"
    return next((field for field in fields if field.replace("_", "") == plain), None)


def refuse_nearly(place: str, columns: Iterable[str], fields: Collection[str] = FIELDS, fix: str = "") -> None:
    """Stop where a column is meant for a field that the table lacks.

    Args:
        place: file, or file and line.
        columns: of the table or row.
        fields: that a column may be meant for.
        fix: what else can be done than to rename the column.

    Raises:
        StancewiseError: there is one.
    """
    columns = list(columns)
    meant = {column: field for column in columns if (field := nearly(column, fields)) and field not in columns}
    if meant:
        names = ", ".join(f"{shown(column)} as {field!r}" for column, field in meant.items())
        raise StancewiseError(
            f"{place}: columns that would not be read for their names: write {names}{fix}; "
            "what is something else needs another name"
        )


def guess(field: str, columns: Iterable[str]) -> str | None:
    """The column that may be meant for a field that the table lacks."""
    known = _SYNONYMS.get(field, "").split()
    plain = {re.sub(r"[\W]", "", column).casefold(): column for column in columns}
    found = [one for one in known if one in plain] or difflib.get_close_matches(field, plain, n=1, cutoff=0.75)
    return plain[found[0]] if found else None


class Columns:
    """The columns of a table, as its rows are met."""

    def __init__(self) -> None:
        self.names: dict[str, None] = {}
        self._odd = False  # whether one is nearly a field

    def see(self, place: str, values: Mapping[str, Any]) -> None:
        """Note the columns of a row.

        Raises:
            StancewiseError: as `refuse_nearly`.
        """
        if not values.keys() <= self.names.keys():
            self.names |= dict.fromkeys(values)
            self._odd = any(nearly(name) for name in self.names)
        if self._odd:
            refuse_nearly(place, values)

    def require_text(self, place: str) -> None:
        """Stop where no row has a text.

        Raises:
            StancewiseError: no row has one.
        """
        if "text" not in self.names:
            meant = guess("text", self.names)
            which = f"{shown(meant)}, if that is it," if meant else "the column of the texts"
            raise StancewiseError(
                f"{place}: no column 'text'; rename {which} to 'text'; its columns: {listed(self.names)}"
            )

    def lacking(self) -> str | None:
        """Which of speaker and target no row has, and what is taken instead."""
        parts = []
        for field, instead in _WITHOUT.items():
            if field not in self.names:
                meant = guess(field, self.names)
                hint = f" (if {shown(meant)} is the {field}, rename it)" if meant else ""
                parts.append(f"no column {field!r}: {instead}{hint}")
        return "; ".join(parts) or None


def checked(rows: Iterator[Row], place: str, tell: Callable[[str], None], header: bool) -> Iterator[Row]:
    """The same rows, their columns checked; what a table lacks is told once, before the first row.

    Args:
        rows: of a table to be labelled.
        place: the table's name in messages.
        tell: takes a line for the user.
        header: whether the columns stand in one place, not in each row.

    Raises:
        StancewiseError: a column is nearly a field, no row has a text, or none of the first rows can be read.
    """
    columns = Columns()
    first = list(islice(rows, _FIRST))
    good = [row for row in first if not row.problem]
    for row in good:
        columns.see(place if header else f"{place}:{row.line}", row.values)
    if good:
        columns.require_text(place)
        if lacking := columns.lacking():
            tell(f"{place}: {lacking}" + ("" if header or len(first) < _FIRST else f" (in the first {_FIRST} rows)"))
    elif first and not header:
        where = f"{place}:{first[0].line}"
        raise StancewiseError(f"{where}: {first[0].problem}; nor can a line after it be read: give JSON Lines, or .csv")
    for row in chain(first, rows):
        if not row.problem:
            columns.see(place if header else f"{place}:{row.line}", row.values)
        yield row
