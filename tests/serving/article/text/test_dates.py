"""Days as people write them; two meanings are refused, impossible days are errors."""

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving import StancewiseError
from serving.article.text.dates import AmbiguousDateError, day_of, day_of_name

DAYS = st.dates(datetime.date(1900, 1, 1), datetime.date(2099, 12, 31))
MARCH = datetime.date(2026, 3, 14)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-14", "2026-3-14", "2026/03/14", "2026.03.14", "20260314", 20260314, "14/03/2026", "03/14/2026",
        "14.3.2026", "14 March 2026", "14 mar. 2026", "14th of March, 2026", "March 14, 2026", "Mar 14 2026",
        "Sat, 14 Mar 2026 23:30:00 -0500", "Saturday, March 14, 2026 at 9:05 a.m.", "  2026-03-14\n",
        "2026-03-14T23:30:00-05:00", "2026-03-14 00:10 +14:00", "2026-03-14T00:00:00.000Z", "20260314T233000Z",
        MARCH, datetime.datetime(2026, 3, 14, 23, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=-5))),
    ],
)  # fmt: skip
def test_a_day_is_taken_as_it_is_written(written):
    assert day_of(written) == MARCH


@pytest.mark.parametrize("value", [None, "", " \n"])
def test_no_date_is_none(value):
    assert day_of(value, "day-first") is None


@given(DAYS)
def test_every_day_is_read_in_every_form_that_has_one_meaning(day):
    names = [f"{day:%d} {day:%B} {day:%Y}", f"{day:%B} {day.day}, {day:%Y}", f"{day:%d} {day:%b} {day:%Y} 10:15"]
    for written in (day.isoformat(), f"{day}T23:59:59-11:00", f"{day:%Y%m%d}", f"{day:%Y/%m/%d}", *names):
        assert day_of(written) == day
    assert day_of(f"{day:%d/%m/%Y}", "day-first") == day
    assert day_of(f"{day:%m/%d/%Y}", "month-first") == day
    for name in (f"{day}-ferries.md", f"{day:%Y%m%d}_ferries.txt", f"{day:%Y_%m_%d}.html"):
        assert day_of_name(Path("reports") / name) == day


@given(DAYS, st.sampled_from("/-."))
def test_a_date_is_refused_exactly_where_it_could_be_two_days(day, mark):
    written = f"{day.day:02}{mark}{day.month:02}{mark}{day.year}"
    if day.day <= 12 and day.day != day.month:
        with pytest.raises(AmbiguousDateError, match=r"--dates day-first or --dates month-first"):
            day_of(written)
    else:
        assert day_of(written) == day


@given(st.text(alphabet="0123456789-/.T: marchJune,", max_size=24) | st.integers() | st.floats() | st.booleans())
def test_whatever_is_given_is_a_day_or_a_mistake_that_is_told(value):
    try:
        found = day_of(value)
    except StancewiseError:
        return
    assert found is None or (isinstance(found, datetime.date) and str(found.year) in str(value))


@pytest.mark.parametrize(
    ("written", "order", "message"),
    [
        ("03/04/2026", None, r"03/04/2026 is 3 April or 4 March; say which"),
        ("2026-02-30", None, "there is no day 30 of month 2 in 2026"),
        ("30/02/2026", None, "there is no day 30 of month 2 in 2026"),
        ("0000-01-01", None, "there is no day"),
        ("2025-02-29T10:00", None, "there is no day 29"),
        ("14/03/2026", "month-first", "there is no day 3 of month 14 in 2026 with --dates month-first"),
        ("31 June 2026", None, "there is no day 31 of month 6"),
        ("03/04/26", "day-first", "a year of two digits"),
        ("spring", None, "no date that can be read; write it as YYYY-MM-DD"),
        ("March 2026", None, "no date that can be read"),
        ("2026", None, "no date that can be read"),
        ("2026-03-14, or so", None, "no date that can be read"),
        (46000.5, None, "no date; write it"),
        (True, None, "no date; write it"),
    ],
)
def test_what_is_no_day_is_a_mistake_with_its_fix(written, order, message):
    with pytest.raises(StancewiseError, match=message):
        day_of(written, order)


@pytest.mark.parametrize(
    "name", ["ferries.md", "2026.md", "202603141.txt", "12345678.txt", "a-2026-03-14.md", "2026-3-4.md"]
)
def test_a_name_without_a_day_gives_none(name):
    assert day_of_name(Path(name)) is None


def test_an_impossible_day_in_a_name_is_a_mistake():
    with pytest.raises(StancewiseError, match="there is no day 31 of month 2 in 2026"):
        day_of_name(Path("2026-02-31-ferries.md"))
