"""The day of a report as people write it; what could be two days is refused, and nothing is guessed."""

import datetime
import re
from pathlib import Path
from typing import Any, Literal

from serving.errors import StancewiseError

Order = Literal["day-first", "month-first"]

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME = r"(?:(?:T|,?\s+)(?:at\s+)?\d{1,2}[:.]\d{2}[^\n]{0,40}|T?\d{6}Z?)?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[.,]?\s+)?"
_WORD, _DAY, _YEAR = r"(?P<word>[a-z]{3,9})\.?", r"(?P<day>\d{1,2})(?:st|nd|rd|th)?", r"(?P<year>\d{4})"
_YEAR_FIRST = re.compile(rf"{_YEAR}(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){_TIME}", re.ASCII)
_EIGHT = re.compile(rf"{_YEAR}(?P<month>\d{{2}})(?P<day>\d{{2}})(?:T\d{{4,6}}Z?)?", re.ASCII)
_YEAR_LAST = re.compile(rf"(?P<one>\d{{1,2}})(?P<mark>[-/.])(?P<two>\d{{1,2}})(?P=mark){_YEAR}{_TIME}", re.ASCII)
_NAMED = tuple(
    re.compile(rf"{_WEEKDAY}{inner}{_TIME}", re.ASCII | re.IGNORECASE)
    for inner in (rf"{_DAY}\.?\s+(?:of\s+)?{_WORD},?\s+{_YEAR}", rf"{_WORD}\s+{_DAY},?\s+{_YEAR}")
)
_SHORT_YEAR = re.compile(r"\d{1,2}([-/.])\d{1,2}\1\d{2}", re.ASCII)
# 2026-03-14-title.md, 2026_03_14.txt, 20260314_title.txt
_FILE = re.compile(r"(\d{4})([-_.])(\d{2})\2(\d{2})(?!\d)|((?:19|20)\d{2})(\d{2})(\d{2})(?!\d)", re.ASCII)


class AmbiguousDateError(StancewiseError):
    """A date that could be two days; whoever reads many dates should ask once and stop."""


def day_of(value: Any, order: Order | None = None) -> datetime.date | None:
    """The day that a value of front matter or of a table stands for; None where there is none.

    A time behind it is left out: the day is the one that is written, whatever the time zone.

    Args:
        value: a text, a date, or a whole number such as 20260314.
        order: how 03/04/2026 is read.

    Raises:
        AmbiguousDateError: it could be two days, and no order is given.
        StancewiseError: there is no such day, or it is no date.
    """
    if value is None or isinstance(value, datetime.datetime):
        return value.date() if value else None
    if isinstance(value, datetime.date):
        return value
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise StancewiseError("no date; write it as YYYY-MM-DD")
    text = " ".join(str(value).split())
    if not text:
        return None
    if match := _YEAR_FIRST.fullmatch(text) or _EIGHT.fullmatch(text):
        return _day(match["year"], match["month"], match["day"])
    if match := _YEAR_LAST.fullmatch(text):
        return _year_last(match["one"], match["two"], match["year"], order)
    for pattern in _NAMED:
        if (match := pattern.fullmatch(text)) and (month := _month(match["word"])):
            return _day(match["year"], month, match["day"])
    if _SHORT_YEAR.fullmatch(text):
        raise StancewiseError("a year of two digits; write it with four")
    raise StancewiseError("no date that can be read; write it as YYYY-MM-DD")


def day_of_name(path: Path) -> datetime.date | None:
    """The day with which a file's name begins.

    Raises:
        StancewiseError: there is no such day.
    """
    match = _FILE.match(path.name)
    return _day(*(one for one in match.group(1, 3, 4, 5, 6, 7) if one)) if match else None


def _year_last(one: str, two: str, year: str, order: Order | None) -> datetime.date:
    first, second = int(one), int(two)
    if order:
        day, month = (first, second) if order == "day-first" else (second, first)
        return _day(year, month, day, f" with --dates {order}")
    days = {_day_or_none(year, month, day) for day, month in ((first, second), (second, first))} - {None}
    if len(days) > 1:
        months = " or ".join(f"{day} {_MONTHS[month - 1].title()}" for day, month in ((first, second), (second, first)))
        raise AmbiguousDateError(f"{one}/{two}/{year} is {months}; say which: --dates day-first or --dates month-first")
    return _day(year, second, first) if first > second else _day(year, first, second)


def _month(word: str) -> int | None:
    """The number of a month by its name or its first letters."""
    found = [number for number, name in enumerate(_MONTHS, 1) if name.startswith(word.lower())]
    return found[0] if len(found) == 1 else None


def _day_or_none(year: str, month: int, day: int) -> datetime.date | None:
    try:
        return datetime.date(int(year), month, day)
    except ValueError:
        return None


def _day(year: str, month: int | str, day: int | str, more: str = "") -> datetime.date:
    found = _day_or_none(year, int(month), int(day))
    if not found:
        raise StancewiseError(f"there is no day {int(day)} of month {int(month)} in {year}{more}; correct the date")
    return found
