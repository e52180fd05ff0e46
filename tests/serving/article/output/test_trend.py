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
from serving.article.output.page import words
from serving.article.output.trend import Trend, csv_table, json_lines, show
from serving.article.output.trend_chart import start_of
from serving.article.trends import (
    CHANGE_COLUMNS,
    PERIOD_COLUMNS,
    by_period,
    changes,
    differences,
    period_of,
    statements,
)
from tests.serving.article.test_trends import ADA, FERRY, archive, outlets, planted, report

RUNS = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">"
EVIL = f"</table></svg>{RUNS}\"'&\u202eevil\u2066"


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


@pytest.mark.parametrize("period", ["day", "week", "month"])
def test_the_terminal_names_the_whole_period_of_a_change(period):
    labelled = planted("ssssss cccccc")
    [row] = trend(labelled, period).changed()
    assert re.search(rf"Ada Brunn → the night ferry .* {row['since']} *$", printed(labelled, period), re.MULTILINE)


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
        start = start_of(period_of(day, period))
        assert period_of(start, period) == period_of(day, period)
        assert period_of(start - datetime.timedelta(days=1), period) != period_of(day, period)


def page_of(labelled, period="month", each_source=False, notes=()):
    """The page of a trend as the command makes it."""
    sources = by_period(labelled, period, by_source=True)
    shown = Trend(
        *(period, by_period(labelled, period), changes(labelled, period=period), notes),
        *(differences(labelled), sources, statements(labelled, period)),
    )
    return trend_page.render(shown, each_source)


@pytest.fixture
def opened(browser, tmp_path):
    """Opens a page; whatever it does in the test, it may log no error and ask for nothing but its file."""
    problems, requests, pages = [], [], []

    def open_page(html, **context):
        file = tmp_path / f"{len(pages)}.html"
        file.write_text(html, encoding="utf-8")
        page = browser.new_context(**{"viewport": {"width": 1360, "height": 860}, **context}).new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not problems
    assert len(requests) == len(pages)


def dated():
    return [one for one in archive() if one[0].date]


def pairs(page):
    return page.locator("section:visible h3").all_inner_texts()


def figures(page):
    """What the rows of figures show, over all pairs."""
    return [" ".join(text.split()) for text in page.locator("section tbody tr:not(.said):visible").all_inner_texts()]


def reports(rows):
    """How many reports rows of figures count."""
    return sum(int(re.search(r"(\d+)(?: \(too few\))? \d+%", row)[1]) for row in rows)


def places(section):
    """Where the marks of the first visible chart stand, from left to right."""
    marks = section.locator("figure:visible svg > g[data-period]:visible")
    return [marks.nth(place).bounding_box()["x"] for place in range(marks.count())]


@pytest.mark.parametrize("scripts", [False, True])
def test_each_pair_has_a_chart_in_words_and_a_table(opened, scripts):
    notes = ["reports without a date, left out: 1 (<b>letter</b>.md)"]
    page = opened(page_of(dated(), notes=notes), java_script_enabled=scripts)
    assert "1 (<b>letter</b>.md)" in page.locator("main").inner_text()
    # Of the others no month has three reports.
    for shown in (page.locator("section"), page.locator("section figure:visible"), page.locator("section table")):
        assert shown.count() == 5
    assert page.locator("main").inner_text().count("Pairs with fewer than 3 reports in every period, not shown: 7") == 1
    mayor = page.locator("section", has_text="Mayor Ilze Brantmane")
    chart = mayor.locator("figure:visible svg")
    label = chart.get_attribute("aria-label")
    assert "2026-01: support 5%, neutrality 5%, criticism 90%; 2026-10: support 90%" in label
    assert "differs from 2026-08 on" in mayor.inner_text()
    assert mayor.locator("tbody tr:not(.said):visible").count() == 10
    assert chart.locator("> g .support").count() == 10
    assert chart.locator(".change").count() == 1
    changed = page.locator("#changes").locator("xpath=..").locator("tbody tr")
    assert changed.count() == 2
    assert chart.bounding_box()["width"] > 300
    high, low = (chart.locator(".support circle").nth(place).bounding_box()["y"] for place in (0, 9))
    assert high > low  # support rose
    changed.locator("a", has_text="Mayor").click()
    assert mayor.evaluate("one => one.matches(':target')")


@pytest.mark.parametrize("scripts", [False, True])
def test_the_sentences_behind_a_point_can_be_opened(opened, scripts):
    said = [report("2026-03-02", (ADA, FERRY, "support"), ("Tom", FERRY, "criticism"), source="Quay")] * 2
    labelled = [*said, report("2026-03-09", (ADA, FERRY, "?criticism", 0.4)), *planted("sss s")]
    page = opened(page_of(labelled), java_script_enabled=scripts)
    march = page.locator("section .said[data-period='2026-03']")
    summary = march.locator("summary")
    assert summary.inner_text() == "3 statements"
    assert not march.locator("li").first.is_visible()
    summary.focus()
    page.keyboard.press("Enter")
    first, _, last = (" ".join(text.split()) for text in march.locator("li").all_inner_texts())
    assert first == f"{FERRY} is what {ADA} spoke of. support 0.90 · 2026-03-02 · Quay · 2026-03-02"
    assert last == f"{FERRY} is what {ADA} spoke of. ? criticism 0.40 · 2026-03-09 · 2026-03-09"


def test_of_many_sentences_some_are_shown_from_every_source_and_it_is_said_how_many(opened):
    loud = report("2026-03-02", *[(ADA, FERRY, "support")] * 40, source="Quay")
    others = [report(f"2026-03-{day:02}", (ADA, FERRY, "criticism"), source="Post") for day in range(3, 20)]
    page = opened(page_of([loud, *others]))
    assert page.locator("summary").inner_text() == "10 of 57 statements"
    shown = [page.locator(f"li[data-source='{place}']").count() for place in (0, 1)]
    assert shown == [5, 5]
    page.get_by_label("Source").select_option("Quay")
    assert page.locator("summary").inner_text() == "5 of 40 statements"


def test_a_page_of_very_many_pairs_shows_those_that_changed_and_those_with_most_reports(opened, monkeypatch):
    monkeypatch.setattr(trend_page, "MOST_PAIRS", 3)
    steady = [one for name in "ABCDE" for one in planted("ssss ssss ssss ssss", f"Person {name}")]
    page = opened(page_of([*steady, *planted("sss sss ccc ccc")]))
    assert pairs(page) == [f"Person A → {FERRY}", f"Person B → {FERRY}", f"{ADA} → {FERRY}"]
    assert "Shown are the 3 pairs with most reports, of 6." in page.locator("main").inner_text()


def test_filters_show_a_source_a_time_and_a_name(opened):
    page = opened(page_of(dated()))
    source, first, last = (page.get_by_role("combobox", name=name) for name in ("Source", "From", "To"))
    status = page.locator(".status")
    assert status.inner_text() == "5 of 5 pairs"
    together = figures(page)
    source.select_option("each by itself")
    apart = figures(page)
    assert len(apart) > len(together)
    assert page.locator("section").first.locator("figcaption:visible").count() == 3
    assert reports(apart) == reports(together)
    source.select_option("The Meridian Ledger")
    assert figures(page) == [row for row in apart if "The Meridian Ledger" in row]
    source.select_option("all together")
    page.get_by_label("Holder or target").fill("ILZE")
    assert pairs(page) == ["Mayor Ilze Brantmane → Kalvere Terminal"]
    assert status.inner_text() == "1 of 5 pairs"
    mayor = page.locator("section:visible")
    whole = places(mayor)
    first.select_option("2026-06")
    last.select_option("2026-08")
    assert [row.split()[0] for row in figures(page)] == ["2026-06", "2026-07", "2026-08"]
    part = places(mayor)
    assert (part[0], part[-1]) == pytest.approx((whole[0], whole[-1])), "the chart shows this time alone"
    assert mayor.locator("svg:visible .when").all_text_contents() == ["2026-06", "2026-07", "2026-08"]
    assert mayor.locator(".said:visible").count() == 3
    last.select_option("2026-02")
    assert first.input_value() == last.input_value(), "a time has its beginning before its end"
    page.get_by_label("Holder or target").fill("nobody")
    assert status.inner_text() == "No pair fits the filters."
    assert pairs(page) == []
    page.get_by_role("button", name="Clear filters").click()
    assert figures(page) == together


def test_a_page_by_source_begins_with_each_and_names_are_one_by_spelling(opened):
    said = (ADA, FERRY, "support")
    labelled = [
        report(f"2026-03-0{day}", said, source=one) for day, one in enumerate(("Quay", "QUAY", "Post", None), 1)
    ]
    for scripts in (False, True):
        page = opened(page_of(labelled, each_source=True), java_script_enabled=scripts)
        rows = [row.split(" ", 1)[1] for row in figures(page)]
        assert [row.split(" (")[0] for row in rows] == ["Post 1", "Quay 2", "no source given 1"]
    options = page.get_by_label("Source").locator("option").all_inner_texts()
    assert options == ["all together", "each by itself", "Post", "Quay", "no source given"]
    assert page.get_by_label("Source").input_value() == "each"


@pytest.mark.parametrize("scripts", [False, True])
def test_the_page_says_where_sources_differ(opened, scripts):
    page = opened(page_of(outlets(Quay="ssssssss", Post="cccccccc", Bell="scscscsc")), java_script_enabled=scripts)
    main = page.locator("main")
    assert "3 comparisons" in main.inner_text()
    rows = page.locator("#differences").locator("xpath=..").locator("tbody tr").all_inner_texts()
    assert "Post −85 Quay +85 −170 [−170, −170]" in " ".join(rows[0].split())
    page.get_by_role("heading", name="Where sources differ").wait_for()
    page.locator("#differences").locator("xpath=..").locator("tbody a").first.click()
    assert page.locator("section").first.evaluate("one => one.matches(':target')")
    page = opened(page_of(outlets(Quay="scs", Post="scs")), java_script_enabled=scripts)
    assert "No difference that is more than chance" in page.locator("main").inner_text()
    page = opened(page_of(outlets(Quay="scs")), java_script_enabled=scripts)
    assert page.get_by_role("heading", name="Where sources differ").count() == 0


def test_a_mark_leads_to_its_sentences(opened):
    page = opened(page_of(dated()))
    mayor = page.locator("section", has_text="Mayor Ilze Brantmane")
    mayor.locator("figure:visible g[data-period='2026-09'] circle").click()
    opened_now = page.locator("details[open]")
    assert opened_now.count() == 1
    assert opened_now.locator("summary").evaluate("one => one === document.activeElement")
    assert mayor.locator(".said[data-period='2026-09'] details[open]").count() == 1


def test_the_keyboard_is_enough(opened):
    page = opened(page_of(dated()))
    at = "document.activeElement"
    stops = []
    for _ in range(12):
        page.keyboard.press("Tab")
        stops.append(page.evaluate(f"{at}.labels?.[0]?.innerText.split('\\n')[0] ?? {at}.innerText ?? {at}.tagName"))
        if stops[-1].startswith("Source"):
            page.keyboard.press("ArrowDown")
        if stops[-1].startswith("Holder or"):
            page.keyboard.type("mayor")
        if re.fullmatch(r"\d+ statements?", stops[-1]):
            page.keyboard.press("Enter")
            break
    assert page.get_by_label("Source").input_value() == "each"
    assert pairs(page) == ["Mayor Ilze Brantmane → Kalvere Terminal"]
    assert page.locator("details[open] li:visible").count() == 4
    hidden = page.evaluate(
        """() => {
            const bar = document.querySelector(".filters").getBoundingClientRect();
            const at = document.activeElement.getBoundingClientRect();
            return at.top < bar.bottom && getComputedStyle(document.querySelector(".filters")).position === "sticky"
              && bar.top <= 0;
        }"""
    )
    assert not hidden, "what has the focus is not under the filters"


CONTEXTS = [
    {},
    {"color_scheme": "dark"},
    {"viewport": {"width": 360, "height": 700}},
    {"viewport": {"width": 360, "height": 700}, "locale": "ar", "color_scheme": "dark"},
    {"locale": "zh-CN", "reduced_motion": "reduce"},
]


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_page_is_for_everybody(opened, context):
    labelled = [*dated(), *outlets(Quay="ssssssss", Post="cccccccc")]
    page = opened(page_of(labelled, each_source=True), **context)
    assert "−85" in page.locator("#differences").locator("xpath=..").inner_text()
    for place in range(2):
        page.locator("summary:visible").nth(place).click()
    assert page.locator("li:visible").count() > 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_page_speaks_every_language_of_the_others(opened):
    page = opened(page_of([*dated(), *outlets(Quay="ssssssss", Post="cccccccc")]), locale="ar-EG")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    for code, table in words().items():
        page.locator("header select").select_option(label=table["name"])
        assert page.evaluate("document.documentElement.lang") == code
        assert page.title() == page.inner_text("h1") == table["trend_title_month"]
        shown = page.evaluate(
            """[...document.querySelectorAll("main :not(li p)")].map((one) => one.closest("li") ? "" : one.innerText)
              + [...document.querySelectorAll("[aria-label]")].map((one) => one.ariaLabel)"""
        )
        assert not re.search(r"undefined|NaN|\{\w+\}", shown), code
        assert code == "en" or not re.search(r"\b(support|statements|pairs|Reports|table)\b", shown), code
        assert "Kalvere Terminal" in shown


def test_hostile_names_stay_text(opened):
    said = [report(f"2026-03-0{day}", (EVIL, EVIL, "support"), source=EVIL) for day in range(1, 4)]
    other = report("2026-03-04", (EVIL, EVIL, "support"), source="\ud800")
    html = page_of([*said, other], notes=[EVIL])
    assert EVIL not in html
    for scripts in (False, True):
        page = opened(html, java_script_enabled=scripts)
        assert page.locator("script").count() == 1
        assert page.locator("main img").count() == 0
        assert page.title() == "Who stood where, by month"
        assert page.locator("section h3").inner_text() == f"{EVIL} → {EVIL}"
        page.locator("summary").click()
        assert EVIL in page.locator("li").first.inner_text()
    page.get_by_label("Source").select_option(index=3)
    page.get_by_label("Holder or target").fill('"document.title=')
    assert page.locator("section:visible figcaption:visible").count() == 1
    assert page.title() == "Who stood where, by month"


@pytest.mark.parametrize("scripts", [False, True])
def test_a_page_without_enough_reports_says_so(opened, scripts):
    page = opened(page_of(planted("s c")), java_script_enabled=scripts)
    assert "No pair has enough reports in one period" in page.locator("main").inner_text()
    assert page.locator("main svg[role=img]").count() == 0
    assert page.locator(".filters > *").count() == 0
