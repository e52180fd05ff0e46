"""What readers put right: the route, the file, the page."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.conftest import read_lines
from tests.serving.server.servers import served
from training.config import DataSet
from training.data.check import check
from training.data.sources import read_set

STATEMENT = {
    "text": "The curlew society hailed the marsh plan 🐦.",
    "speaker": "The curlew society",
    "target": "the marsh plan",
}
REPORT = "The curlew society hailed the marsh plan. “It is a hole in the ground,” said Ada Quist, who farms there.\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("corrections") / "corrections.jsonl"


@pytest.fixture(scope="module")
def server(champion, kept):
    with served(champion, kept.with_name("log"), "--corrections", str(kept)) as running:
        yield running


def test_a_correction_is_kept_with_the_models_answer_as_training_data(server, kept):
    start = STATEMENT["text"].index("the marsh plan")
    offsets = {"target_start": start, "target_end": start + 14}
    reply = server.ask("/v1/correction", {**STATEMENT, **offsets, "stance": "criticism", "note": "it mocks"})
    assert reply.status == 200, reply.json
    row = read_lines(kept)[-1]
    assert row["id"] == reply.json["id"]
    assert {**STATEMENT, **offsets, "stance": "criticism", "note": "it mocks"}.items() <= row.items()
    said, predicted = row["model_answer"], server.predict(STATEMENT).json
    assert {name: said[name] for name in predicted["model"]} == predicted["model"]
    assert said["stance"] == predicted["predictions"][0]["stance"]["label"]
    assert said["sentiment"] == predicted["predictions"][0]["sentiment"]["label"]
    assert check([kept], 0, 1) == []
    for source in ("statements", "table"):
        found = read_set(DataSet(source=source, path=kept)).rows[-1]
        assert (found.stance, found.sentiment, found.target_start) == ("criticism", None, start)


def test_a_half_written_line_of_a_crash_is_cut_off_before_the_next(server, kept):
    before = kept.read_bytes()
    kept.write_bytes(before + b'{"id": "x", "te')
    assert server.ask("/v1/correction", {"text": "Ada left.", "sentiment": "neutral"}).status == 200
    assert kept.read_bytes().startswith(before)
    assert read_lines(kept)[-1]["sentiment"] == "neutral"


def test_many_at_once_are_all_kept_whole(server, kept):
    before = len(read_lines(kept)) if kept.exists() else 0
    bodies = [{"text": f"Curlew {number}. " * 300, "stance": "support"} for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert {one.status for one in pool.map(lambda body: server.ask("/v1/correction", body), bodies)} == {200}
    assert {row["text"] for row in read_lines(kept)[before:]} == {body["text"] for body in bodies}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (STATEMENT, "give the right label of one of them at least"),
        ({**STATEMENT, "stance": "zebra"}, "stance"),
        ({**STATEMENT, "stance": "support", "reason": "zebra"}, "'reason'"),
        ({"stance": "support"}, "text: Field required"),
        ({"text": " ", "stance": "support"}, "text: empty"),
        (b"zebra", "not JSON"),
        ({**STATEMENT, "stance": "support", "note": "n" * 2001}, "note"),
    ],
)
def test_a_bad_correction_is_refused_without_a_word_of_it(server, kept, body, said):
    before = kept.read_bytes() if kept.exists() else b""
    reply = server.ask("/v1/correction", body)
    assert (reply.status, said in reply.json["error"]) == (422, True), reply.json
    assert "zebra" not in reply.body.decode().replace("'zebra'", "")
    assert (kept.read_bytes() if kept.exists() else b"") == before


def test_a_file_that_can_no_longer_be_written_is_said(champion, tmp_path):
    path = tmp_path / "folder" / "c.jsonl"
    path.parent.mkdir()
    with served(champion, tmp_path / "log", "--corrections", str(path)) as server:
        path.unlink()
        path.mkdir()
        reply = server.ask("/v1/correction", {**STATEMENT, "stance": "support"})
        assert (reply.status, reply.json["error_type"]) == (507, "not_kept")
        assert server.predict(STATEMENT).status == 200


def test_a_key_guards_the_route_and_without_the_option_there_is_none(champion, tmp_path):
    options = ("--corrections", str(tmp_path / "c.jsonl"))
    with served(champion, tmp_path / "log", *options, STANCEWISE_API_KEY="curlew-1") as server:
        assert server.ask("/v1/correction", {**STATEMENT, "stance": "support"}).status == 401
    assert (tmp_path / "c.jsonl").read_bytes() == b""
    with served(champion, tmp_path / "log2") as server:
        assert server.ask("/v1/correction", {**STATEMENT, "stance": "support"}).status == 404
        assert b'data-corrections="false"' in server.ask("/").body
        assert "/v1/correction" not in server.ask("/openapi.json").json["paths"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_reader_puts_a_label_right_by_keyboard_on_the_page(server, kept, browser, scheme):
    server.ask("/v1/article", {"text": "Ada met Bo."})  # the parser is loaded now
    page = browser.new_page(color_scheme=scheme)
    page.set_default_timeout(30_000)
    page.goto(server.url)
    page.fill("#text", REPORT)
    page.check("#all")
    page.click("#label")
    page.wait_for_selector("#result:not([hidden])")
    button = page.locator(".statements button.correct").first
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#correction")).to_be_visible()
    grave = [one for one in Axe().run(page).response["violations"] if one["impact"] in ("serious", "critical")]
    assert not grave, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave]
    before = len(read_lines(kept)) if kept.exists() else 0
    page.locator("#correction-save").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#correction-problem")).to_contain_text("Choose the right stance")
    page.locator("#correction-heads input").first.focus()
    page.keyboard.press("Space")
    page.locator("#correction-note").fill("a reader's reason")
    page.locator("#correction-save").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#correction")).to_be_hidden()
    expect(button).to_be_focused()
    [row] = read_lines(kept)[before:]
    assert (row["stance"], row.get("sentiment"), row["note"]) == ("support", None, "a reader's reason")
    assert row["text"] in REPORT
    assert json.dumps(row["model_answer"])
    page.close()


@pytest.mark.parametrize(
    ("path", "said"),
    [("c.csv", "--corrections c.csv: kept as JSON Lines"), ("no/c.jsonl", "no/c.jsonl: cannot be written")],
)
def test_a_file_that_will_not_do_stops_the_start(project, champion, path, said):
    done = project.run("serving", "serve", "--model", str(champion), "--corrections", path, check=False)
    assert done.returncode == 1
    assert said in done.stderr
