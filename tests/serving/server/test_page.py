"""The page in the server, in a real browser."""

import csv
import http.client
import io
import json
import time
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from serving.article.output.rows import csv_table
from serving.article.statements import Article
from tests.serving.server.servers import served

SIZE = {"width": 1360, "height": 860}

REPORT = """Fenmoor council splits over the night bus

FENMOOR - Councillor Odile Marrant welcomed the night bus on Tuesday. \
“The night bus gives cleaners their evenings back,” said Marrant, who leads the Green list 🚌.

Shopkeeper Tomas Quill rejected the night bus. He called the council's survey “a parlour game”, \
and accused Marrant of hiding its costs.

According to the transport union, drivers support the night bus but fear the new rota. The council will vote in March.
"""
HOSTILE = """<script>document.title = "ran"</script><img src=x onerror="document.title = 'ran'"> said Ada Lund.

Ada Lund criticised </script><b>Bo Rask</b> & "his" plan. =1+1 was praised by Bo Rask.
"""


def words(count):
    paragraph = (
        "Mara Venn welcomed plan {}. “The plan is a waste of sand,” said Otto Brandsma, and the tide went out again."
    )
    return "\n\n".join(paragraph.format(number) for number in range(count // 20))


@pytest.fixture(scope="module")
def server(champion, tmp_path_factory):
    with served(champion, tmp_path_factory.mktemp("page") / "log", "--article-characters", "500000") as running:
        yield running


@pytest.fixture
def visit(browser):
    """Opens the page of a server; at the end nothing may have gone wrong in the browser but the refusals expected."""
    opened, complaints = [], []

    def go(server, **how):
        page = browser.new_page(**{"viewport": SIZE, "accept_downloads": True, **how})
        opened.append(page)
        page.set_default_timeout(30_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        return page

    yield go
    for page in opened:
        page.close()
    assert [one for one in complaints if "Failed to load resource" not in one] == []


def label(page, text):
    page.fill("#text", text)
    page.check("#all")  # the tiny model finds few positions
    page.click("#label")
    return page


def result_of(page):
    page.wait_for_selector("#result:not([hidden])")
    with page.expect_download() as download:
        page.click("#json")
    return json.loads(Path(download.value.path()).read_text("utf-8"))


def message(page):
    page.locator("#message.problem").wait_for()
    return page.inner_text("#message")


def test_a_pasted_text_is_labelled_and_can_be_filtered(server, visit):
    page = label(visit(server), REPORT)
    result = result_of(page)
    statements = result["article"]["statements"]
    expected = server.ask("/v1/article", {"text": REPORT, "all": True}).json
    assert result == expected
    assert "Tomas Quill" in {one["speaker"] for one in statements}
    shown = page.inner_text("#view")
    assert "a parlour game" in shown
    assert "🚌" in shown
    by_quill = [one for one in statements if one["speaker"] == "Tomas Quill"]
    choice = page.locator("#view select").first
    choice.select_option(label=f"Tomas Quill ({len(by_quill)})")
    page.get_by_text(f"{len(by_quill)} of {len(statements)}").first.wait_for()
    assert server.ask("/v1/model").json["run_id"][:8] in page.inner_text("#model")


def test_targets_are_sent_with_their_other_names(server, visit):
    page = visit(server)
    page.fill("#targets", "bus: night bus\n\nTomas Quill, the shopkeeper\n")
    result = result_of(label(page, REPORT))
    targets = {"bus": ["night bus"], "Tomas Quill": ["the shopkeeper"]}
    assert result == server.ask("/v1/article", {"text": REPORT, "targets": targets, "all": True}).json
    assert {one["target"] for one in result["article"]["statements"]} <= set(targets)


def test_the_csv_is_that_of_the_command(server, visit, tmp_path):
    path = tmp_path / "=sum.txt"
    path.write_text(REPORT + "\n\n@Holm, said =Ada, praised “Bo, 'the' Rask”.", encoding="utf-8")
    page = visit(server)
    page.set_input_files("#file", path)
    expect(page.locator("#text")).to_have_value(path.read_text(encoding="utf-8"))
    page.check("#all")
    page.click("#label")
    article = Article.model_validate(result_of(page)["article"])
    assert article.name == "=sum.txt"
    with page.expect_download() as download:
        page.click("#csv")
    assert download.value.suggested_filename.endswith("sum.stances.csv")
    got, want = (
        list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        for text in (Path(download.value.path()).read_bytes().decode("utf-8-sig"), csv_table([article]))
    )
    nested = ("content", "stance_probabilities", "sentiment_probabilities")
    for row in (*got, *want):
        row.update({column: json.loads(row[column]) for column in nested})
    assert got == want
    assert got[0]["article"] == "'=sum.txt", "a spreadsheet must not calculate it"
    assert len(got) == len(article.statements) > 5


def test_what_a_text_holds_is_shown_and_never_runs(server, visit):
    page = label(visit(server), HOSTILE)
    result = result_of(page)
    assert result["article"]["text"] == HOSTILE
    assert result["article"]["statements"]
    shown = page.evaluate(
        """() => {
            const text = document.querySelector("#view .text").cloneNode(true);
            text.querySelectorAll("button, .chip").forEach((chip) => chip.remove());
            return text.textContent;
        }"""
    )
    assert "".join(shown.split()) == "".join(HOSTILE.split())
    assert page.locator("#view script, #view img, #view .text b").count() == 0
    assert page.title() == "stancewise"


def test_a_statement_is_explained_on_demand(server, visit):
    page = label(visit(server), REPORT)
    page.wait_for_selector("#result:not([hidden])")
    with page.expect_response("**/v1/explain") as answered:
        page.locator("#view .chip").first.focus()
        page.keyboard.press("Enter")
    explanation = answered.value.json()
    assert answered.value.status == 200
    assert explanation["words"]
    box = page.locator("#view .details")
    box.get_by_text(explanation["words"][0]["text"], exact=True).first.wait_for()


def test_the_keyboard_is_enough(server, visit):
    page = visit(server)
    page.keyboard.press("Tab")
    assert page.get_by_role("combobox", name="Language").evaluate("one => one === document.activeElement")
    page.keyboard.press("Tab")
    assert page.get_by_label("One text").evaluate("one => one === document.activeElement")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.insert_text(REPORT)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "result-title", "the result is read out"
    assert "statements labelled" in page.inner_text("#message[role=status]")
    page.keyboard.press("Tab")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert json.loads(Path(download.value.path()).read_text("utf-8"))["article"]["text"] == REPORT
    page.locator("#input > summary").focus()
    page.keyboard.press("Enter")
    assert page.input_value("#text") == REPORT


def test_files_replace_the_text_and_it_can_be_put_back(server, visit, tmp_path):
    page = visit(server)
    page.fill("#text", "Typed by hand.")
    files = {
        "wide.txt": "\ufeffOtto praised Mara.".encode("utf-16-le"),
        "page.html": b"<!doctype html><p>Otto praised Mara.",
        "old.txt": "Otto praised Zoë.".encode("latin-1"),
        "photo.txt": b"\x89PNG\0\0",
        "large.txt": b"word " * 500_000,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    for name, said in (("page", "--extract html"), ("old", "UTF-8"), ("photo", "UTF-8"), ("large", "too large")):
        page.set_input_files("#file", next(tmp_path.glob(f"{name}.*")))
        page.get_by_text(said).first.wait_for()
        assert page.input_value("#text") == "Typed by hand."
    page.set_input_files("#file", tmp_path / "wide.txt")
    expect(page.locator("#text")).to_have_value("Otto praised Mara.")
    page.click("#back")
    assert page.input_value("#text") == "Typed by hand."


def test_a_dropped_file_is_opened(server, visit):
    page = visit(server)
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["Otto praised Mara."], "dropped.md"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.locator("#text")).to_have_value("Otto praised Mara.")
    assert page.inner_text("#file-name") == "dropped.md"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no text yet"),
        (" \n\t ", "There is no text yet"),
        ("word 🚌" * 90_000, "540,000 characters"),
        ("<html><body><p>Otto praised Mara.</p></body></html>", "HTML"),
        ("?!", "no word"),
    ],
)
def test_what_cannot_be_labelled_is_said_and_stays(server, visit, text, said):
    page = visit(server)
    page.evaluate("text => { document.querySelector('#text').value = text }", text)
    page.click("#label")
    assert said in message(page)
    assert page.input_value("#text") == text
    assert page.evaluate("document.activeElement.id") == "text"
    assert page.is_hidden("#result")


@pytest.mark.slow
def test_fifty_thousand_words_are_labelled_with_progress(server, visit):
    text = words(50_000)
    page = visit(server)
    page.set_default_timeout(300_000)
    page.evaluate(
        """() => {
            window.stages = [];
            const stage = document.querySelector("#stage");
            new MutationObserver(() => stages.push(stage.textContent)).observe(stage, { childList: true });
        }"""
    )
    page.evaluate("text => { document.querySelector('#text').value = text }", text)
    page.click("#label")
    result = result_of(page)
    assert len(text.split()) >= 50_000
    assert result["article"]["text"] == text
    assert len(result["article"]["statements"]) > 2_000
    stages = page.evaluate("stages")
    assert len([stage for stage in stages if stage.endswith("of the text read")]) > 3
    assert len([stage for stage in stages if stage.endswith("statements labelled")]) > 3
    assert page.is_hidden("#working")


def test_a_long_text_can_be_cancelled(server, visit):
    page = label(visit(server), words(20_000))
    page.click("#cancel")
    page.get_by_text("Cancelled.").wait_for()
    assert page.is_hidden("#working")
    assert len(page.input_value("#text").split()) >= 20_000
    expect(page.locator("#text")).to_be_focused()
    assert result_of(label(page, REPORT))["article"]["text"] == REPORT


def test_an_overloaded_server_says_when_to_come_back(champion, visit, tmp_path):
    options = ("--queue", "2000", "--request-statements", "2000", "--batch-tokens", "256")
    with served(champion, tmp_path / "log", *options) as server:
        server.ask("/v1/article", {"text": "Ada met Bo."})  # the parser is loaded now
        page = visit(server)
        other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        other.request("POST", "/v1/predict", json.dumps([{"text": "word " * 100}] * 2000))
        while server.metric("stancewise_queue_statements") < 2000:
            time.sleep(0.01)
        label(page, REPORT)
        assert "too much to do" in message(page)
        assert "best in" in page.inner_text("#countdown")
        assert page.input_value("#text") == REPORT
        other.getresponse().read()
        page.click("#retry")
        assert result_of(page)["article"]["text"] == REPORT
        assert page.is_hidden("#retry")


def test_a_server_that_is_gone_loses_nothing(champion, visit, tmp_path):
    with served(champion, tmp_path / "log") as server:
        page = visit(server)
    label(page, REPORT)
    assert "does not answer" in message(page)
    assert page.is_visible("#retry")
    assert page.input_value("#text") == REPORT


def test_the_key_is_asked_for_and_kept_nowhere(champion, visit, tmp_path):
    with served(champion, tmp_path / "log", STANCEWISE_API_KEY="squirrel-42") as server:
        page = visit(server)
        page.wait_for_selector("#key-field:not([hidden])")
        label(page, REPORT)
        assert "asks for an API key" in message(page)
        page.fill("#key", "wrong")
        page.click("#label")
        page.get_by_text("does not know this API key").wait_for()
        assert page.input_value("#text") == REPORT
        page.fill("#key", "squirrel-42")
        page.keyboard.press("Enter")
        assert result_of(page)["article"]["text"] == REPORT
        assert "run" in page.inner_text("#model")
        stored = page.evaluate(
            "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        )
        assert "squirrel" not in stored


@pytest.mark.parametrize(("scheme", "locale"), [("light", "en"), ("dark", "en"), ("light", "ar"), ("dark", "zh")])
def test_axe_finds_nothing_serious(server, visit, scheme, locale):
    page = visit(server, color_scheme=scheme, locale=locale)
    expect(page.locator("#model")).to_contain_text(server.ask("/v1/model").json["run_id"][:8])
    assert page.evaluate("document.documentElement.lang") == locale
    checked = {"start": Axe().run(page)}
    page.click("#label")
    message(page)
    checked["problem"] = Axe().run(page)
    label(page, REPORT)
    page.wait_for_selector("#result:not([hidden])")
    checked["result"] = Axe().run(page)
    for state, found in checked.items():
        grave = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert not grave, (state, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave])


@pytest.mark.parametrize("locale", ["en", "ar"])
def test_on_a_phone_nothing_sticks_out(server, visit, locale):
    page = visit(server, viewport={"width": 390, "height": 844}, locale=locale)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    label(page, REPORT).wait_for_selector("#result:not([hidden])")
    assert page.evaluate(width) <= 390


def test_the_page_speaks_the_language_of_the_browser(server, visit):
    page = visit(server, locale="ar-EG")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    assert page.inner_text("label[for=text]") == "النص"
    label(page, "")
    assert message(page) == "لا يوجد نص بعد. الصق نصًا أو افتح ملفًا."
    label(page, "?!")
    page.locator("#message bdi[lang=en]").wait_for()
    assert message(page).endswith("ما زال نصك هنا."), "the server's reason is in English, the rest is not"
    statements = result_of(label(page, REPORT))["article"]["statements"]
    shown = {"support": "تأييد", "criticism": "انتقاد", "neutrality": "حياد"}
    labels = page.locator(".chip").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert len(labels) == len(statements)
    assert all(any(word in one for word in shown.values()) for one in labels)
    assert not any(word in one for word in shown for one in labels)


def test_the_language_that_was_chosen_is_remembered_and_the_text_stays(server, visit):
    page = visit(server, locale="fr-CA")
    assert page.evaluate("document.documentElement.lang") == "fr"
    result_of(label(page, REPORT))
    choice = page.locator("header select")
    choice.focus()
    choice.select_option(label="Español")
    assert page.evaluate("document.documentElement.lang") == "es"
    assert page.inner_text("#view .matrix h2") == "Quién está dónde"
    assert page.inner_text("#json") == "Descargar JSON"
    assert page.input_value("#text") == REPORT
    page.reload()
    assert page.evaluate("document.documentElement.lang") == "es"
    assert page.locator("header select").input_value() == "es"
    assert page.inner_text("#label span") == "Analizar"


def test_a_browser_that_keeps_nothing_still_shows_another_language(server, visit):
    page = visit(server)
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })")
    page.reload()
    page.locator("header select").select_option(label="中文")
    assert page.inner_text("#label span") == "标注"


def test_names_may_be_parted_by_the_marks_of_other_scripts(server, visit):
    page = visit(server, locale="zh-CN")
    page.fill("#targets", "bus：night bus，the bus")
    with page.expect_request("**/v1/article") as asked:
        label(page, REPORT)
    assert asked.value.post_data_json["targets"] == {"bus": ["night bus", "the bus"]}
