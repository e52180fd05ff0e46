"""Trends as rows, on the terminal, and as a page in a real browser."""

import csv
import datetime
import json
import re
from io import StringIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from rich.console import Console

from serving.article.output import trend_page
from serving.article.output.trend import Trend, csv_table, json_lines, show
from serving.article.trends import CHANGE_COLUMNS, PERIOD_COLUMNS, by_period, changes, differences, period_of
from tests.serving.article.test_trends import ADA, FERRY, archive, outlets, planted, report

EVIL = "</table></svg><script>alert(1)</script>\"'&"


def trend(labelled, period="month", by_source=False, notes=()):
    differing = differences(labelled) if by_source else None
    return Trend(period, by_period(labelled, period, by_source), changes(labelled, period=period), notes, differing)


def printed(*args, **options):
    out = StringIO()
    show(trend(*args, **options), Console(file=out, width=80))
    return out.getvalue()


def test_rows_are_json_and_csv_with_the_same_figures():
    labelled = [report("2026-03-02", (ADA, FERRY, "support"), source="=cmd()"), *planted("ccc")]
    periods = by_period(labelled, "month", by_source=True)
    objects = [json.loads(line) for line in json_lines(periods).splitlines()]
    rows = list(csv.DictReader(StringIO(csv_table(periods))))
    assert [tuple(one) for one in (*objects, *rows)] == [PERIOD_COLUMNS] * 4
    january, march = objects
    assert (march["support_low"], march["source"], march["enough"]) == (None, "=cmd()", False)
    assert (january["reports"], january["source"], january["enough"]) == (3, None, True)
    assert (rows[1]["support_low"], rows[1]["source"]) == ("", "'=cmd()")
    assert float(rows[0]["criticism"]) == january["criticism"] == pytest.approx(0.9)


def test_changes_are_rows_too():
    table = changes([*planted("sss ccc"), *planted("s", "Tom")])
    one, other = [json.loads(line) for line in json_lines(table).splitlines()]
    assert tuple(one) == CHANGE_COLUMNS
    assert (one["since"], other["since"], other["p"], other["after"], other["enough"]) == (
        "2026-02",
        None,
        None,
        None,
        False,
    )
    rows = list(csv.DictReader(StringIO(csv_table(table))))
    assert [tuple(row) for row in rows] == [CHANGE_COLUMNS] * 2
    assert (rows[0]["since"], rows[1]["since"], rows[1]["p"]) == ("2026-02", "", "")


def test_the_terminal_says_where_sources_differ():
    text = printed(outlets(Quay="ssssssss", Post="cccccccc", Bell="scscscsc"), by_source=True)
    assert max(map(len, text.splitlines())) <= 80
    part = text[text.index("Where sources differ") :]
    assert "3 comparisons" in part
    assert re.search(r"Ada Brunn → the night +−85 Post +−170 \[−170, −170\] +0.001", part)
    assert re.search(r"ferry +\+85 Quay", part)
    assert "no difference that is more than chance" in printed(outlets(Quay="scs", Post="scs"), by_source=True)
    assert "0 comparisons" in printed(outlets(Quay="scs"), by_source=True)
    assert "Where sources differ" not in printed(outlets(Quay="scs"))


def test_the_terminal_shows_periods_and_changes_in_80_columns():
    once = report("2026-02-02", ("Tom Ireland", FERRY, "support"))
    text = printed([*planted("sss sss ss ccc ccc ccc"), once])
    assert max(map(len, text.splitlines())) <= 80
    assert re.search(r"2026-01 +3 +90% \[90, 90\] +5% \[5, 5\] +5% \[5, 5\]", text)
    assert re.search(r"2026-03 +2 \?", text)
    assert "pairs with fewer than 3 reports in every period, not shown: 1" in text
    assert "Tom Ireland" not in text
    assert re.search(r"Ada Brunn → the night ferry +\+85 +−85 +(<0.001|0.00\d) +2026-04", text)


def test_the_terminal_says_where_nothing_changed_or_all_is_too_little():
    assert "no change that is more than chance" in printed(planted("sss sss sss"))
    text = printed(planted("s c"), period="day")
    assert "no pair has enough reports in one period; take longer periods" in text
    assert "0 pairs tested" in text


def test_names_play_no_tricks_on_the_terminal():
    said = ("\x1b[31mAda\u202e", "[bold]ferry[/]", "support")
    text = printed([report("2026-03-02", said, source="\x1b[2J")] * 3, by_source=True)
    assert "[bold]ferry[/]" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_a_period_begins_on_its_first_day(period):
    for day in (datetime.date(2026, 1, 1), datetime.date(2027, 1, 3), datetime.date(2024, 2, 29)):
        start = trend_page.start_of(period_of(day, period))
        assert period_of(start, period) == period_of(day, period)
        assert period_of(start - datetime.timedelta(days=1), period) != period_of(day, period)


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page without JavaScript; it may ask for nothing but its file."""
    problems, requests, pages = [], [], []

    def open_page(shown, scripts=False, **context):
        file = tmp_path / "trend.html"
        file.write_text(trend_page.render(shown), encoding="utf-8")
        page = browser.new_context(java_script_enabled=scripts, bypass_csp=scripts, **context).new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not problems
    assert len(requests) == len(pages)


def test_each_pair_has_a_chart_in_words_and_a_table(opened):
    labelled = [one for one in archive() if one[0].date]
    page = opened(trend(labelled, notes=["reports without a date, left out: 1 (<b>letter</b>.md)"]))
    assert "1 (<b>letter</b>.md)" in page.locator("main").inner_text()
    charts = page.get_by_role("img")
    # Of the others no month has three reports.
    assert charts.count() == page.locator("section").count() == page.locator("section table").count() == 5
    mayor = page.locator("section", has_text="Mayor Ilze Brantmane")
    label = mayor.get_by_role("img").get_attribute("aria-label")
    assert "2026-01: support 5%, neutrality 5%, criticism 90%; 2026-10: support 90%" in label
    assert "changed from 2026-08 on" in label
    assert mayor.locator("tbody tr").count() == 10
    assert mayor.locator("svg .support").count() == 10
    assert mayor.locator("svg .change").count() == 1
    assert page.locator("#changes").locator("xpath=..").locator("tbody tr").count() == 2
    box = mayor.locator("svg").bounding_box()
    assert box["width"] > 300
    high, low = (mayor.locator("svg .support circle").nth(place).bounding_box()["y"] for place in (0, 9))
    assert high > low  # support rose


def test_the_page_is_for_everybody(opened):
    labelled = [one for one in archive() if one[0].date]
    labelled += outlets(Quay="ssssssss", Post="cccccccc")
    assert Axe().run(opened(trend(labelled), scripts=True)).violations_count == 0
    for context in ({}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 700}}):
        page = opened(trend(labelled, by_source=True), scripts=True, **context)
        assert "−85" in page.locator("#differences").locator("xpath=..").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def test_hostile_names_stay_text(opened):
    labelled = [report("2026-03-02", (EVIL, EVIL, "support"), source=EVIL) for _ in range(8)]
    labelled += [report("2026-03-02", (EVIL, EVIL, "criticism"), source=f"{EVIL}2") for _ in range(8)]
    shown = trend(labelled, by_source=True, notes=[EVIL])
    page = opened(shown, scripts=True)
    assert page.locator("script").count() == 0
    assert page.locator("section h4").first.inner_text() == EVIL
    assert EVIL in page.locator("#differences").locator("xpath=..").inner_text()
    assert EVIL not in trend_page.render(shown)


def test_a_page_without_enough_reports_says_so(opened):
    page = opened(trend(planted("s c")))
    assert "No pair has enough reports in one period" in page.locator("main").inner_text()
    assert page.get_by_role("img").count() == 0
