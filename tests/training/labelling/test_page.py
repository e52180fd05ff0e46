"""The page for labelling, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.training.labelling.pages import labelling

SIZE = {"width": 1360, "height": 860}
TEXT = "🛶 The rowers praised the new lock, while the anglers called it a trap."
ROWS = [
    {"text": TEXT, "speaker": "The rowers", "target": "the new lock"},
    {"text": TEXT, "speaker": "the anglers", "target": "the lock keeper", "group": "lock"},
    {"text": "The lock opened on Monday, and nobody came."},
]
ARABIC = "رحّب الصيادون بالجسر الجديد، لكن التجار رفضوه."
HOSTILE = """<script>document.title = "ran"</script><img src=x onerror="document.title = 'ran'"> & "Ada" said."""


@pytest.fixture
def visit(browser):
    """Opens a page; at the end nothing may have gone wrong in the browser but the refusals expected."""
    opened, complaints = [], []

    def go(page_of, **how):
        page = browser.new_page(**{"viewport": SIZE, **how})
        opened.append(page)
        page.set_default_timeout(30_000)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(page_of.url)
        page.locator("#work:not([hidden])").wait_for()
        return page

    yield go
    for page in opened:
        page.close()
    assert [one for one in complaints if "Failed to load resource" not in one] == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def done(page, count, of):
    expect(page.locator("#progress")).to_contain_text(f"{count} of {of}")


def test_by_keyboard_alone_each_answer_is_on_the_disk_before_the_next_is_shown(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS) as here:
        page = visit(here)
        expect(page.locator("#question")).to_have_text("The position of The rowers on the new lock")
        press(page, "1", "4", "n")
        page.keyboard.type("6 sure 1")
        press(page, "Enter")
        done(page, 1, 3)
        expected = {"speaker": "The rowers", "target": "the new lock", "stance": "support", "sentiment": "positive"}
        assert here.rows() == [{"id": "1", "text": TEXT, **expected, "note": "6 sure 1"}]
        expect(page.locator("#question")).to_contain_text("the lock keeper (not found in the text)")
        press(page, "Enter")
        expect(page.locator("#message")).to_contain_text("Choose a stance")
        press(page, "s")
        expect(page.locator("#question")).to_have_text(
            "The position of the author of the text on the main subject of the text"
        )
        press(page, "2", "Enter")
        done(page, 2, 3)
        press(page, "3", "6", "Enter")
        expect(page.locator("#question")).to_contain_text("All 3 statements have an answer")
        assert [row["id"] for row in here.rows()] == ["1", "3", "2"]
        assert here.rows()[1] == {"id": "3", "text": ROWS[2]["text"], "stance": "neutrality"}
        press(page, "u")
        done(page, 2, 3)
        expect(page.locator("input[value=criticism]")).to_be_checked()
        assert len(here.rows()) == 2
        press(page, "u")
        done(page, 1, 3)
        expect(page.locator("input[value=neutrality]")).to_be_checked()
        expect(page.locator("input[name=sentiment]:checked")).to_have_count(0)
        press(page, "u")
        expect(page.locator("#note")).to_have_value("6 sure 1")
        done(page, 0, 3)
        assert here.rows() == []
        expect(page.locator("#undo")).to_have_attribute("aria-disabled", "true")


def test_holder_and_target_are_mended_by_keyboard_and_pointer(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS[1:2]) as here:
        page = visit(here)
        press(page, "t", "Home")
        for _ in range(3):
            press(page, "ArrowRight")
        press(page, "Shift+ArrowRight", "Shift+ArrowRight")
        selected = page.locator(".word[aria-selected=true]")
        expect(selected).to_have_text(["the", "new", "lock"])
        press(page, "Enter")
        expect(page.locator("#message")).to_have_text("The target is now “the new lock”.")
        expect(page.locator("#text mark.target")).to_have_text("the new lock")
        page.get_by_role("button", name="Holder is wrong").click()
        first, last = (page.locator(".word", has_text=word).first for word in ("The", "rowers"))
        first.hover()
        page.mouse.down()
        last.hover()
        page.mouse.up()
        page.get_by_role("button", name="Take these words").click()
        press(page, "1", "Enter")
        done(page, 1, 1)
        [row] = here.rows()
        assert (row["speaker"], row["target"], row["group"]) == ("The rowers", "the new lock", "lock")
        assert row["text"][row["target_start"] : row["target_end"]] == "the new lock"
        assert row["speaker_start"] == 2, "characters, not UTF-16 units"
        press(page, "u")
        done(page, 0, 1)
        expect(page.locator("#text mark.speaker")).to_have_text("The rowers")
        press(page, "h", "Escape", "h", "0")
        expect(page.locator("#message")).to_have_text("The holder is now the author of the text.")
        press(page, "Enter")
        done(page, 1, 1)
        assert here.rows()[0].keys().isdisjoint({"speaker", "speaker_start"})
        assert here.rows()[0]["target"] == "the new lock", "what was mended before stays so"


def test_a_text_from_right_to_left_is_mended_in_its_own_direction(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", [{"text": ARABIC, "speaker": "التجار", "target": "الجسر الجديد"}]) as here:
        page = visit(here)
        assert page.evaluate("getComputedStyle(document.querySelector('#text')).direction") == "rtl"
        press(page, "h", "Home", "ArrowLeft")
        expect(page.locator(".word[aria-selected=true]")).to_have_text("الصيادون")
        press(page, "Enter", "3", "Enter")
        done(page, 1, 1)
        assert here.rows()[0]["speaker"] == "الصيادون"


def test_hostile_text_is_shown_and_not_run(visit, tmp_path):
    row = {"text": HOSTILE, "speaker": "<b>Ada</b>", "target": "</bdi><script>", "domain": "<i>"}
    with labelling(tmp_path / "a.jsonl", [row]) as here:
        page = visit(here)
        assert page.text_content("#text") == HOSTILE
        assert "<b>Ada</b>" in page.inner_text("#question")
        press(page, "h", "Enter", "1", "Enter")
        done(page, 1, 1)
        assert page.title() == "Label statements · stancewise"
        assert here.rows()[0]["text"] == HOSTILE


def test_two_tabs_answer_no_statement_twice(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS) as here:
        first, second = visit(here), visit(here)
        press(first, "1", "Enter")
        done(first, 1, 3)
        press(second, "3", "Enter")
        expect(second.locator("#message")).to_contain_text("answered in another window")
        expect(second.locator("#question")).to_contain_text("the anglers")
        assert [(row["id"], row["stance"]) for row in here.rows()] == [("1", "support")]
        press(second, "3", "Enter")
        done(second, 2, 3)


def test_the_models_answer_is_hidden_until_asked_for_and_kept_with_the_label(classifier, visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS, model=classifier) as here:
        page = visit(here)
        assert page.inner_text("#suggestion") == ""
        press(page, "1", "Enter")
        done(page, 1, 3)
        press(page, "m")
        expect(page.locator("#suggestion")).to_contain_text("The model says:")
        press(page, "1", "Enter")
        done(page, 2, 3)
        blind, seen = here.rows()
        assert "model_answer" not in blind
        assert seen["model_answer"]["stance"] in ("support", "neutrality", "criticism")
    with labelling(tmp_path / "b.jsonl", ROWS, model=classifier, suggest=True) as here:
        expect(visit(here).locator("#suggestion")).to_contain_text("The model says:")


def test_the_guide_is_at_hand_and_can_be_searched(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS) as here:
        page = visit(here)
        everything = page.inner_text("#rules")
        assert "endorses, defends" in everything
        assert "reported speech" in everything
        press(page, "g")
        page.keyboard.type("irony")
        expect(page.locator("#rules dt")).to_have_text(["irony"])
        press(page, "Escape", "1", "Enter")
        done(page, 1, 3)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit, tmp_path, scheme):
    with labelling(tmp_path / "a.jsonl", [*ROWS[:1], {"text": ARABIC}]) as here:
        page = visit(here, color_scheme=scheme)
        checked = {"start": Axe().run(page)}
        press(page, "Enter")
        checked["problem"] = Axe().run(page)
        press(page, "h", "Shift+ArrowRight")
        checked["mending"] = Axe().run(page)
        press(page, "Enter", "1", "4", "Enter")
        done(page, 1, 2)
        checked["right to left"] = Axe().run(page)
        press(page, "1", "Enter")
        done(page, 2, 2)
        checked["done"] = Axe().run(page)
        for state, found in checked.items():
            grave = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
            assert not grave, (state, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave])


def test_a_very_long_statement_leaves_the_answers_in_sight(visit, tmp_path):
    text = "The ferrymen waited. " * 2000 + "Then the harbour board thanked them."
    row = {"text": text, "speaker": "the harbour board", "target": "The ferrymen"}
    with labelling(tmp_path / "a.jsonl", [row]) as here:
        page = visit(here)
        expect(page.locator("#save")).to_be_in_viewport()
        expect(page.locator("#text mark").first).to_be_in_viewport()
        press(page, "h", "End", "Enter", "2", "Enter")
        done(page, 1, 1)
        assert (here.rows()[0]["speaker"], here.rows()[0]["text"]) == ("them", text)


def test_on_a_phone_nothing_sticks_out(visit, tmp_path):
    with labelling(tmp_path / "a.jsonl", [{"text": "q" * 300, "speaker": "q" * 300}]) as here:
        page = visit(here, viewport={"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_only_who_has_the_key_gets_or_changes_anything(browser, tmp_path):
    with labelling(tmp_path / "a.jsonl", ROWS) as here:
        answer = {"id": "1", "stance": "support"}
        for key in (None, "heron-8"):
            assert here.ask("/next", key=key)[0] == 401
            # As another site's form would send it, which the browser lets pass without asking.
            for headers in ({"content-type": "text/plain"}, {"origin": "http://evil.example", "host": "evil.example"}):
                assert here.ask("/answer", answer, key, headers)[0] == 401
        assert here.rows() == []
        page = browser.new_page()
        page.goto(f"{here.host}/#wrong")
        expect(page.locator("#message")).to_contain_text("Open the address that it printed")
        page.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/answer", {"id": "1"}, 422, "give one of them at least"),
        ("/answer", {"id": "1", "stance": "zebra"}, 422, "stance: Input should be"),
        ("/answer", {"id": "9", "stance": "support"}, 422, "no statement of this table"),
        ("/answer", {"id": "1", "stance": "support", "speaker": {"start": 9, "end": 9999}}, 422, "outside the text"),
        ("/answer", {"id": "1", "stance": "support", "speaker": {"start": 12, "end": 13}}, 422, "speaker"),
        ("/answer", {"id": "1", "stance": "support", "zebra": 1}, 422, "'zebra'"),
        ("/answer", b"no JSON", 422, "not JSON"),
        ("/skip", {}, 422, "id: Field required"),
        ("/suggestion", {"id": "1"}, 422, "start the command with --model"),
    ],
)
def test_a_bad_request_is_refused_and_changes_nothing(tmp_path, path, body, status, said):
    with labelling(tmp_path / "a.jsonl", ROWS) as here:
        # What is too large is refused by its announced length; a client that went on sending might not hear it.
        found, reply = here.ask(path, b"x", headers={"content-length": str(1 << 21)})
        assert (found, "more than" in reply["error"]) == (413, True), reply
        found, reply = here.ask(path, body)
        assert (found, said in reply["error"]) == (status, True), reply
        assert here.rows() == []
        assert here.ask("/next")[1]["statement"]["id"] == "1"
