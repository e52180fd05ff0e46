"""Several reports: the routes that read files and count labelled reports, and their view in a real browser."""

import base64
import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from serving.article.output.trend import records
from serving.article.trends import by_period, changes, differences, statements
from serving.labels import STANCES
from tests.serving.article.test_trends import ADA, FERRY, planted, report
from tests.serving.server.servers import served

SECRET = "squirrel"
HOSTILE = "<img src=x onerror=document.title='ran'>\u202e.txt"


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("trend") / "log") as running:
        yield running


def read(server, name, content, **more):
    return server.ask("/v1/reports", {"name": name, "content": base64.b64encode(content).decode(), **more})


def test_a_file_is_read_as_the_command_reads_it(server):
    head = "---\ndate: 14 March 2026\nsource: https://www.quay.example/a\n---\nAda praised it."
    [one] = read(server, "letter.md", head.encode()).json["reports"]
    assert (one["date"], one["source"], one["text"].strip()) == ("2026-03-14", "quay.example", "Ada praised it.")
    [one] = read(server, "../../2026-03-14-quay.txt", "Ada praised it.".encode("utf-16")).json["reports"]
    assert one == {"name": "2026-03-14-quay.txt", "text": "Ada praised it.", "date": "2026-03-14", "source": None}
    page = "<html><head><meta property='article:published_time' content='2026-03-14'></head><body><article>"
    page += "<p>Ada Brunn praised the night ferry in front of the whole council.</p>" * 5 + "</article></body></html>"
    [one] = read(server, "page.html", page.encode()).json["reports"]
    assert (one["date"], one["text"].count("night ferry")) == ("2026-03-14", 1)


def test_the_rows_of_a_table_are_reports_and_bad_ones_are_named(server):
    table = b"id,text,date,source\na,Ada praised it.,2026-03-14,Quay\nb,,2026-03-15,Quay\nc,Bo did.,2026-02-30,\n"
    reply = read(server, "week.csv", table).json
    assert [(one["name"], one["date"]) for one in reply["reports"]] == [("week.csv: a", "2026-03-14")]
    assert [one.split(": ")[:2] for one in reply["problems"]] == [["week.csv:3", "text"], ["week.csv:4", "date"]]
    lines = b'{"text": "Ada praised it.", "date": "03/04/2026"}\n'
    assert "3 April or 4 March" in read(server, "week.jsonl", lines).json["problems"][0]
    [one] = read(server, "week.jsonl", lines, dates="month-first").json["reports"]
    assert one["date"] == "2026-03-04"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("report.pdf", b"%PDF-", "report.pdf: of no known kind; give .txt"),
        ("report.txt", b"%PDF-", "report.txt: a PDF"),
        ("old.txt", "Zoë praised it.".encode("latin-1"), "is not utf-8"),
        ("page.html", b"<html>", "no main text"),
        ("empty.csv", b"", "empty.csv: no rows"),
        ("2026-02-30.txt", b"Ada praised it.", "its name"),
        ("x" * 400 + ".txt", b"?!", "no words"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(server, name, content, said):
    answer = read(server, name, content)
    assert (answer.status, answer.json["reports"]) == (200, [])
    assert said.lower() in answer.json["problems"][0].lower()
    assert "/tmp" not in answer.json["problems"][0]


def as_sent(labelled):
    """Labelled reports as the route takes them: statements as /v1/article gives them."""
    return [
        {"name": one.name, "date": str(one.date), "source": one.source}
        | {"statements": [said.model_dump(mode="json") for said in article.statements]}
        for one, article in labelled
    ]


def test_the_trend_has_the_rows_of_the_python_functions(server):
    labelled = [report("2026-01-09", (None, FERRY, "?neutrality", 0.4), source="Quay"), *planted("sss sss ccc ccc")]
    answer = server.ask("/v1/trend", {"reports": as_sent(labelled), "period": "week"})
    assert answer.status == 200
    assert answer.json == json.loads(
        json.dumps(
            {
                "periods": records(by_period(labelled, "week")),
                "sources": records(by_period(labelled, "week", by_source=True)),
                "changes": records(changes(labelled, period="week")),
                "differences": records(differences(labelled)),
                "statements": records(statements(labelled, "week")),
            }
        )
    )
    page = server.ask("/v1/trend", {"reports": as_sent(labelled), "notes": ["<b>one</b>"]}, {"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert b"&lt;b&gt;one" in page.body
    assert f"{ADA}</bdi>".encode() in page.body
    view = server.ask("/v1/trend", {"reports": as_sent(labelled), "only_view": True}, {"accept": "text/html"}).body
    assert view.startswith(b'<div class="trend')
    assert view in page.body.replace(b'<p dir="auto" lang="">&lt;b&gt;one&lt;/b&gt;</p>\n', b"")


def damaged(**changes):
    [one] = as_sent([report("2026-03-02", (ADA, FERRY, "support"))])
    [said] = one["statements"]
    for place, value in changes.items():
        (said if place in said else one)[place] = value
    return {"reports": [one]}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"reports": []}, "reports"),
        ({"reports": SECRET}, "reports"),
        (damaged(date=None), "reports.0.date"),
        (damaged(date=SECRET), "reports.0.date"),
        (damaged(date="9999-12-31"), "reports.0.date"),
        (damaged(source=[SECRET]), "reports.0.source"),
        (damaged(target=SECRET * 100), "reports.0.statements.0.target"),
        (damaged(sentence=SECRET), "reports.0.statements.0.sentence"),
        (damaged(stance={"label": SECRET, "probabilities": {SECRET: 1}}), "reports.0.statements.0.stance.label"),
        (
            damaged(stance={"label": "support", "probabilities": dict.fromkeys(STANCES, 1)}),
            "reports.0.statements.0.stance.probabilities",
        ),
        (
            damaged(stance={"label": "support", "probabilities": {**dict.fromkeys(STANCES, 0.5), SECRET: 1}}),
            "reports.0",
        ),
        ({**damaged(), "period": SECRET}, "period"),
        ({**damaged(), "notes": [SECRET] * 21}, "notes"),
    ],
)
def test_a_bad_query_is_refused_by_its_place_without_its_content(server, body, where):
    answer = server.ask("/v1/trend", body)
    assert answer.status == 422
    assert answer.json["error"].startswith(where)
    # A field that is not known is named, as everywhere.
    assert SECRET not in answer.body.decode().replace(f"'{SECRET}'", "")


def test_a_file_that_is_sent_otherwise_is_refused(server):
    assert server.ask("/v1/reports", {"name": SECRET, "content": "§"}).status == 422
    assert SECRET not in server.ask("/v1/reports", {"name": SECRET, "content": "§"}).body.decode()
    assert server.ask("/v1/reports", {"name": "a.txt", "content": "", "dates": SECRET}).status == 422


# ---- In the browser


@pytest.fixture
def visit(browser):
    """Opens the page of a server; nothing may go wrong in the browser, nor ask for anything elsewhere."""
    opened, complaints, asked = [], [], []

    def go(server, **how):
        page = browser.new_page(**{"viewport": {"width": 1360, "height": 860}, "accept_downloads": True, **how})
        opened.append(page)
        page.set_default_timeout(120_000)  # the first report waits for the parser
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append((request.url, server.url)))
        page.goto(server.url)
        return page

    yield go
    for page in opened:
        page.close()
    assert [one for one in complaints if "Failed to load resource" not in one] == []
    assert [url for url, own in asked if not url.startswith((own, "blob:", "file:"))] == []


@pytest.fixture
def files(tmp_path):
    """Reports of two months and two sources; one has no date, one is a copy, one is a table, one is no text."""
    folder = tmp_path / "reports"
    folder.mkdir()
    for month in (1, 2):
        for day in range(1, 5):
            source = ("Quay Post", "Shore Gazette")[day % 2]
            text = f"Mara Venn welcomed the harbour plan. It was day {day} of month {month}."
            path = folder / f"2026-{month:02}-0{day}.md"
            path.write_text(f"---\nsource: {source}\n---\n{text}", encoding="utf-8")
    (folder / "copy-2026-05.txt").write_text("date: 2026-01-09\ntitle: x\n\n" + text, encoding="utf-8")
    (folder / "undated.txt").write_text("Mara Venn welcomed something else.", encoding="utf-8")
    (folder / HOSTILE).write_text("date: 2026-01-08\ntitle: x\n\n<script>Otto</script> Brandsma rejected the plan.")
    (folder / "photo.txt").write_bytes(b"\x89PNG\0\0")
    (folder / "table.csv").write_text("id,text,date\none,Otto Brandsma rejected the harbour plan.,2026-02-20\n")
    return sorted(folder.iterdir())


def choose(page, files):
    page.get_by_label("Several reports over time").check()
    page.set_input_files("#files", files)
    page.fill("#targets", "harbour plan")
    page.check("#all")  # the tiny model finds few positions
    return page


def label(page, files):
    choose(page, files).click("#label")
    page.wait_for_selector("#trend:not([hidden])")
    return page


def states(page):
    """What the list says of each file or report."""
    return {
        row.locator("th").inner_text(): row.locator(".state").inner_text()
        for row in page.locator("#listed tbody tr").all()
    }


def test_several_reports_become_a_trend_with_charts_filters_and_sentences(server, visit, files):
    page = label(visit(server), files)
    assert page.inner_text("#trend-title") == "Who stood where, by month"
    assert page.evaluate("document.activeElement.id") == "trend-title"
    page.locator("#input > summary").click()
    said = states(page)
    assert len(said) == len(files)
    assert said["undated.txt"] == "no date: left out"
    assert "an image" in said["photo.txt"]
    assert list(said.values()).count("text of another report: counted once") == 1
    assert sum(bool(re.match(r"\d+ statements?\b", one)) for one in said.values()) == 10
    view = page.locator("#trend-view")
    for note in ("without a date, left out: 1", "counted once: 1", "could not be read: 1"):
        assert note in view.inner_text()
    venn = view.locator("section", has_text="Mara Venn → harbour plan")
    assert venn.locator("figure:visible svg g[data-period]").count() == 2
    venn.locator("summary").first.click()
    assert venn.locator("li:visible").count() == 5, "four of them in files of their own, one in the copy's"
    assert "Mara Venn welcomed the harbour plan" in venn.locator("li:visible").first.inner_text()
    page.locator(".filters select").first.select_option("Quay Post")
    assert venn.locator("li:visible").count() == 2
    page.locator(".filters input").fill("nobody")
    assert page.inner_text(".filters .status") == "No pair fits the filters."
    assert page.title() == "stancewise"
    assert page.locator("main img, #trend-view script").count() == 0


def test_the_page_that_is_downloaded_works_by_itself(server, visit, files, tmp_path):
    page = label(visit(server), files)
    with page.expect_download() as download:
        page.click("#page")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "trend.html"
    page.goto(path.as_uri())
    assert page.locator(".filters select").count() == 3, "its script runs under its own policy"
    assert page.locator("section").count() > 0


def test_what_was_labelled_is_not_asked_for_again(server, visit, files):
    page = visit(server)
    asked = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/v1/")[2]))
    label(page, files)
    assert asked.count("article") == 10
    page.locator("#input > summary").click()
    page.select_option("#period", "week")
    page.click("#label")
    page.get_by_role("heading", name="Who stood where, by week").wait_for()
    assert asked.count("article") == 10
    page.locator("header select").select_option(label="Español")
    assert page.inner_text("#trend-title") == "Quién estaba dónde, por semanas"
    assert page.inner_text("#trend-view h2 >> nth=0") == "Quién cambió de postura"


def test_labelling_can_be_cancelled_and_goes_on_where_it_was(server, visit, files, tmp_path):
    long = tmp_path / "2026-03-01-long.txt"
    sentence = "Mara Venn welcomed plan {}, and Otto Brandsma rejected it when the tide went out again."
    long.write_text("\n\n".join(sentence.format(number) for number in range(2000)))
    page = choose(visit(server), [*files, long])
    page.click("#label")
    page.locator("#stage").get_by_text("Report 11 of 11").wait_for()
    page.click("#cancel")
    page.get_by_text("Cancelled. What is labelled already is not labelled again.").wait_for()
    assert page.evaluate("document.activeElement.id") == "choose"
    page.click("#remove")
    expect(page.locator("#listed")).to_be_hidden()
    assert label(page, files).locator("#trend-view section").count() > 0


def test_without_reports_or_dates_it_is_said_what_to_do(server, visit, tmp_path):
    page = visit(server)
    page.get_by_label("Several reports over time").check()
    page.click("#label")
    assert "There are no reports yet" in page.inner_text("#message.problem")
    assert page.evaluate("document.activeElement.id") == "choose"
    path = tmp_path / "undated.txt"
    path.write_text("Ada praised the plan.")
    page.set_input_files("#files", [path])
    page.click("#label")
    page.get_by_text("No report with a date could be read").wait_for()
    assert states(page) == {"undated.txt": "no date: left out"}
    page.get_by_label("One text").check()
    assert page.is_visible("#text")
    assert page.is_hidden("#reports-field")


def test_dropped_files_are_reports(server, visit):
    page = visit(server)
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            for (const name of ["a.md", "b.md"]) dataTransfer.items.add(new File(["Otto praised Mara."], name));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    assert states(page) == {"a.md": "waiting", "b.md": "waiting"}
    assert page.inner_text("#files-count") == "2 files"


def test_too_many_statements_are_refused_in_words(champion, visit, files, tmp_path):
    (tmp_path / "large.txt").write_text("word " * 1000, encoding="utf-8")
    with served(champion, tmp_path / "log", "--body-bytes", "1500") as server:
        page = choose(visit(server), [*files, tmp_path / "large.txt"])
        page.click("#label")
        page.get_by_text("This server does not take so many statements at once").wait_for()
        assert states(page)["large.txt"] == "too large: this server takes 1,500 bytes at once"


def test_the_key_is_asked_for(champion, visit, files, tmp_path):
    with served(champion, tmp_path / "log", STANCEWISE_API_KEY="squirrel-42") as server:
        page = choose(visit(server), files)
        page.click("#label")
        page.get_by_text("asks for an API key").wait_for()
        page.fill("#key", "squirrel-42")
        page.keyboard.press("Enter")
        page.wait_for_selector("#trend:not([hidden])")


def test_the_keyboard_is_enough(server, visit, files):
    page = visit(server)
    with page.expect_file_chooser() as chooser:  # from the start: the browser takes a moment to listen
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
        assert page.is_checked("#several")
        page.keyboard.press("Tab")
        expect(page.locator("#choose")).to_be_focused()
        page.keyboard.press("Enter")
    chooser.value.set_files(files)
    page.fill("#targets", "harbour plan")
    page.check("#all")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#trend:not([hidden])")
    assert "reports labelled" in page.inner_text("#message[role=status]")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    page.keyboard.press("Enter")
    assert page.locator("#trend-view li:visible").count() > 0


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "en"), ("dark", "ar")])
@pytest.mark.parametrize("width", [1360, 390])
def test_axe_finds_nothing_serious(server, visit, files, scheme, locale, width):
    page = visit(server, color_scheme=scheme, locale=locale, viewport={"width": width, "height": 844})
    page.locator("#several").check()
    page.set_input_files("#files", files)
    page.fill("#targets", "harbour plan")
    page.check("#all")
    checked = {"start": Axe().run(page)}
    page.click("#label")
    page.wait_for_selector("#trend:not([hidden])")
    page.locator("#trend-view summary").first.click()
    checked["result"] = Axe().run(page)
    page.locator("#input > summary").click()
    checked["list"] = Axe().run(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for state, found in checked.items():
        grave = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert not grave, (state, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave])
