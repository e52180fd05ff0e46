"""Trends over many reports, with planted statements."""

import datetime
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving import StancewiseError
from serving.article.text.reports import Report, read_report
from serving.article.trends import DIFFERENCE_COLUMNS, by_period, changes, differences, period_of
from serving.labels import STANCES
from tests.conftest import REPOSITORY, read_lines
from tests.serving.article.made import Draft

ADA, FERRY = "Ada Brunn", "the night ferry"
ARCHIVE = REPOSITORY / "data" / "archive"


def report(day, *said, source=None):
    """A report of a day in which holders take stances: (holder, target, stance) or with a probability."""
    draft = Draft(" ".join(f"{target} is what {holder or 'we'} spoke of." for holder, target, *_ in said) or "Nothing.")
    for holder, target, stance, *sure in said:
        sentence = f"{target} is what {holder or 'we'} spoke of."
        draft.says(holder, target, sentence, stance, sure=sure[0] if sure else 0.9)
    date = datetime.date.fromisoformat(day) if day else None
    return Report(day or "undated", draft.text, date, source), draft.article()


def test_a_report_counts_once_for_a_pair_however_much_it_says():
    loud = report("2026-03-02", *[(ADA, FERRY, "support", 1.0)] * 9)
    quiet = [report(f"2026-03-{day}", (ADA, FERRY, "criticism", 1.0)) for day in (10, 31)]
    later = report("2026-04-01", (ADA, FERRY, "neutrality", 0.8))
    march, april = by_period([later, loud, *quiet], "month").to_dict("records")
    assert (march["period"], march["reports"], march["statements"]) == ("2026-03", 3, 11)
    assert [march[label] for label in STANCES] == pytest.approx([1 / 3, 0, 2 / 3])
    assert march["enough"] is True
    assert [april[label] for label in STANCES] == pytest.approx([0.1, 0.8, 0.1])
    assert april["enough"] is False
    assert math.isnan(april["support_low"])


def test_intervals_hold_the_mean_are_seeded_and_narrow_with_more_reports():
    def some(number):
        sides = [("support", "criticism")[place % 2] for place in range(number)]
        return [report("2026-03-02", (ADA, FERRY, side)) for side in sides]

    [few], [many], [again] = (by_period(some(number), "day").to_dict("records") for number in (6, 60, 60))
    assert many == again
    for row in (few, many):
        assert row["support_low"] < row["support"] < row["support_high"]
        assert row["neutrality_low"] == pytest.approx(row["neutrality_high"])
    assert many["support_high"] - many["support_low"] < (few["support_high"] - few["support_low"]) / 2
    # Of 60 reports, half at 0.9 and half at 0.05: a standard error of 0.055.
    assert many["support_high"] - many["support_low"] == pytest.approx(2 * 1.96 * 0.425 / np.sqrt(60), rel=0.15)


def test_names_are_one_by_spelling_and_two_by_name():
    said = [("Zoë O’Hara", FERRY), ("ZOE\u0308  O'Hara", "The Night Ferry"), ("Tom O'Hara", FERRY), (None, FERRY)]
    rows = by_period([report("2026-03-02", (*names, "support")) for names in said], "month").to_dict("records")
    assert [(row["speaker"], row["target"], row["reports"]) for row in rows] == [
        ("Zoë O’Hara", FERRY, 2),
        ("Tom O'Hara", FERRY, 1),
        (None, FERRY, 1),
    ]


def test_sources_are_kept_apart_if_asked_for():
    labelled = [report("2026-03-02", (ADA, FERRY, "support"), source=one) for one in ("Quay", "QUAY", "Post", None)]
    assert "source" not in by_period(labelled, "week").columns
    rows = by_period(labelled, "week", by_source=True)
    assert list(zip(rows["source"], rows["reports"], strict=True)) == [(None, 1), ("Post", 1), ("Quay", 2)]


def test_what_has_no_date_no_stance_or_another_language_does_not_count():
    _, article = report("2026-03-02", (ADA, FERRY, "support"))
    foreign = article.model_copy(
        update={"statements": [one.model_copy(update={"foreign": True}) for one in article.statements]}
    )
    labelled = [
        report(None, (ADA, FERRY, "support")),
        report("2026-03-02", (ADA, FERRY, None)),
        (Report("foreign", "x", datetime.date(2026, 3, 2)), foreign),
        report("2026-03-02"),
    ]
    assert by_period(labelled, "day").empty
    assert changes(labelled).empty
    assert list(changes(labelled[:1]).columns) == list(changes(labelled).columns)


@given(st.dates(datetime.date(1, 1, 1), datetime.date(9998, 12, 31)), st.integers(0, 40))
def test_periods_sort_by_time(day, later):
    other = day + datetime.timedelta(days=later)
    assert all(period_of(day, one) <= period_of(other, one) for one in ("day", "week", "month"))
    monday = day - datetime.timedelta(days=day.weekday()) if day.toordinal() > 7 else day
    assert period_of(monday, "week") == period_of(day, "week")


def planted(sides, holder=ADA):
    """Reports in months from January on, whose stances are given by their first letters."""
    names = {label[0]: label for label in STANCES}
    return [
        report(f"2026-{month:02}-{1 + 3 * place:02}", (holder, FERRY, names[letter]))
        for month, letters in enumerate(sides.split(), 1)
        for place, letter in enumerate(letters)
    ]


def test_a_change_is_found_in_its_month_and_others_are_not():
    steady = [one for name in "ABCDEFGHIJ" for one in planted("scs csc scs csc scs csc", f"Person {name}")]
    table = changes(planted("sss sss sss ccc ccc ccc") + steady)
    assert len(table) == 11
    [row] = table[table["changed"]].to_dict("records")
    assert (row["speaker"], row["since"], row["reports_before"], row["reports_after"]) == (ADA, "2026-04", 9, 9)
    assert (row["before"], row["after"]) == pytest.approx((0.85, -0.85))
    assert row["difference"] == pytest.approx(-1.7)
    assert row["p"] < row["p_corrected"] < 0.01
    assert table.iloc[0]["speaker"] == ADA


def test_a_late_change_is_found():
    [row] = changes(planted("sss sss sss sss sss sss sss sss ccc")).to_dict("records")
    assert (row["since"], row["reports_before"], row["reports_after"], row["changed"]) == ("2026-09", 24, 3, True)
    [row] = changes(planted("sss sss sss sss sss sss sss sss cc")).to_dict("records")
    assert row["since"] != "2026-09"  # two reports are too few for a side


def test_boundaries_are_those_of_the_period():
    labelled = planted("ssssssccccc")  # from 1 to 31 January
    [row] = changes(labelled).to_dict("records")
    assert (row["enough"], row["since"]) == (False, None)
    [row] = changes(labelled, period="week").to_dict("records")
    assert (row["since"], row["changed"]) == ("2026-W04", True)  # Monday the 19th, the day of the seventh report
    [row] = changes(labelled, period="day").to_dict("records")
    assert (row["since"], row["changed"]) == ("2026-01-19", True)


def test_where_nothing_differs_nothing_changed():
    [row] = changes(planted("sss sss sss sss")).to_dict("records")
    assert (row["changed"], row["p"], row["enough"]) == (False, 1, True)
    assert row["difference"] == pytest.approx(0)


def test_of_boundaries_that_differ_as_much_the_first_counts():
    [row] = changes(planted("sss ccc sss ccc")).to_dict("records")
    assert (row["since"], row["changed"]) == ("2026-02", False)


def test_too_few_reports_are_not_tested():
    labelled = [*planted("sss  cc"), *planted("sssss", "Tom")]
    rows = changes(labelled).to_dict("records")
    for row, number in zip(rows, (5, 5), strict=True):
        assert (row["enough"], row["changed"], row["since"]) == (False, False, None)
        assert (row["reports_before"], row["reports_after"]) == (number, 0)
        assert math.isnan(row["p"])
        assert math.isnan(row["after"])
    # One of two pairs that is tested is not corrected for the other.
    tested = changes([*planted("sss ccc sss sss ccc"), *labelled]).iloc[0]
    assert tested["enough"]


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)), st.sampled_from(["sss css css ccc", "ssn nns cns scn"]))
def test_the_order_of_the_reports_does_not_matter(order, sides):
    # Those of the first two months have one day.
    labelled = [
        (Report(str(place), "x", one.date.replace(day=1) if one.date.month < 3 else one.date), article)
        for place, (one, article) in enumerate(planted(sides))
    ]
    one, other = changes(labelled), changes([labelled[place] for place in order])
    assert one.to_dict("records")[0] == pytest.approx(other.to_dict("records")[0])


def test_two_times_may_be_given():
    labelled = planted("sss ccc sss ccc")
    times = [(datetime.date(2026, month, 1), datetime.date(2026, month, 28)) for month in (1, 2)]
    [row] = changes(labelled, *times).to_dict("records")
    assert (row["reports_before"], row["reports_after"], row["since"]) == (3, 3, "2026-02")
    assert row["difference"] == pytest.approx(-1.7)
    # Of 20 ways to deal 3 and 3 two differ as much.
    assert row["p"] == pytest.approx(0.1, abs=0.015)
    with pytest.raises(StancewiseError, match="give both"):
        changes(labelled, times[0])
    with pytest.raises(StancewiseError, match="overlap"):
        changes(labelled, times[1], times[0])


def outlets(**sides):
    """Reports of a month, by source; their stances are given by their first letters."""
    return [
        (Report(one.name, one.text, one.date, source), article)
        for source, letters in sides.items()
        for one, article in planted(letters)
    ]


def test_sources_that_differ_are_found_and_others_are_not():
    labelled = outlets(Quay="ssssssss", QUAY="s", Post="cccccccc", Bell="scscscsc", Few="cc")
    rows = differences(labelled).to_dict("records")
    assert list(differences(labelled).columns) == list(DIFFERENCE_COLUMNS)
    assert {(row["source"], row["other"]) for row in rows} == {("Bell", "Post"), ("Bell", "Quay"), ("Post", "Quay")}
    first = rows[0]
    assert (first["source"], first["other"], first["reports_source"], first["reports_other"]) == ("Post", "Quay", 8, 9)
    assert (first["balance_source"], first["balance_other"]) == pytest.approx((-0.85, 0.85))
    assert first["difference"] == pytest.approx(-1.7)
    assert first["p"] < first["p_corrected"] < 0.01
    [bell] = [row for row in rows if row["other"] == "Quay" and row["source"] == "Bell"]
    assert bell["difference"] == pytest.approx(-0.85)
    # Eight reports with a standard deviation of 0.85, drawn anew: a standard error of 0.3, in steps of 0.21.
    assert bell["difference_low"] == pytest.approx(-0.85 - 1.96 * 0.3, abs=0.22)
    assert bell["difference_high"] == pytest.approx(-0.85 + 1.96 * 0.3, abs=0.22)
    assert [row["differs"] for row in rows] == [row["p_corrected"] < 0.05 for row in rows]


def test_sources_that_say_the_same_do_not_differ():
    rows = differences(outlets(Quay="scsc", Post="cscs")).to_dict("records")
    assert [(row["differs"], row["p"]) for row in rows] == [(False, 1)]
    assert rows[0]["difference_low"] < 0 < rows[0]["difference_high"]


def test_one_source_or_none_is_compared_with_nothing():
    for labelled in ([], outlets(Quay="ssscccc"), [(Report("x", "x", one.date), it) for one, it in planted("sss ccc")]):
        table = differences(labelled)
        assert table.empty
        assert list(table.columns) == list(DIFFERENCE_COLUMNS)


def test_many_comparisons_are_corrected_for():
    """Of outlets that all say the same by chance hardly any two differ."""
    random = np.random.default_rng(3)
    labelled = outlets(**{f"Outlet {place}": "".join(random.choice(["s", "c"], 10)) for place in range(12)})
    table = differences(labelled)
    assert len(table) == 66
    assert not table["differs"].any()
    assert (table["p"] <= table["p_corrected"] + 1e-12).all()


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(12)))
def test_differences_do_not_depend_on_the_order_of_the_reports(order):
    labelled = outlets(Ä="sscn", Post="cccs", 东方="ssss")
    one, other = differences(labelled), differences([labelled[place] for place in order])
    assert one.to_dict("records") == [pytest.approx(row) for row in other.to_dict("records")]


def archive():
    """The invented archive, its positions as they were planted."""
    for row in read_lines(ARCHIVE / "positions.jsonl"):
        found = read_report(ARCHIVE / row["file"])
        draft = Draft(found.text)
        for one in row["positions"]:
            draft.says(one["holder"], one["target"], found.text[-20:], one["stance"], mentions=(None, found.text[-20:]))
        yield found, draft.article()


def test_both_changes_of_the_archive_are_found_in_their_months_and_no_third():
    labelled = list(archive())
    assert len(labelled) == 61
    assert [one.name for one, _ in labelled if one.date is None] == [str(ARCHIVE / "undated-letter.md")]
    assert all(one.name.endswith(".md") and (one.date is None or str(one.date) in one.name) for one, _ in labelled)
    assert {one.source for one, _ in labelled} == {"Amberline Wire", "Kalvere Shore Gazette", "The Meridian Ledger"}
    table = changes(labelled)
    found = {(row.speaker, row.since, row.difference > 0) for row in table[table["changed"]].itertuples()}
    assert found == {
        ("Kurzeme Coast Fishermen's Union", "2026-06", False),
        ("Mayor Ilze Brantmane", "2026-08", True),
    }
    assert set(table[table["enough"]]["speaker"]) > {"Clean Gulf Alliance", "Nordlode Shipping", "Civic Harvest Party"}
    periods = by_period(labelled, "month").set_index(["speaker", "period"])
    assert periods.loc[("Mayor Ilze Brantmane", "2026-07"), "criticism"] > 0.8
    assert periods.loc[("Mayor Ilze Brantmane", "2026-08"), "support"] > 0.8
    assert not periods.loc[("Estonia", "2026-03"), "enough"]
    compared = differences(labelled)
    assert len(compared) == 13
    assert not compared["differs"].any()


def test_the_core_loads_no_trends():
    code = "import sys, serving; print('serving.article.trends' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
