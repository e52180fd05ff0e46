"""The HTML view of labelled articles in a real browser, opened from a file."""

import json
import re
from itertools import count

import pytest
from axe_playwright_python.sync_playwright import Axe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.article.output.page import render
from serving.article.output.summary import summarise
from serving.article.statements import Article
from serving.explain import Explanation, WordEffect
from tests.serving.article.made import Draft

FERRY = """🚢🚢 Ferry row reaches Quillhaven

Mayor Ada Brunn praised the night ferry and accused Lowtide Lines of running it empty.
“The mayor 🦭 cannot count,”
said Tomas Ireland of Lowtide Lines.

The harbour board is waiting for figures. The mayor, it felt, might be right.
The night ferry is the best thing to happen to Quillhaven."""
PRAISE = "Mayor Ada Brunn praised the night ferry and accused Lowtide Lines of running it empty."
ADA, LINES, TOMAS, BOARD = "Ada Brunn", "Lowtide Lines", "Tomas Ireland", "the harbour board"
FERRIES = "the night ferry"


def ferry() -> Article:
    draft = Draft(FERRY, "Ferry row", notes=("One paragraph was skipped.",))
    praise = {"cue": "praised", "mentions": ("Mayor Ada Brunn", "the night ferry")}
    draft.says(ADA, FERRIES, PRAISE, "support", "the night ferry", **praise, sure=0.97, sentiment="positive")
    blame = "Lowtide Lines of running it empty"
    draft.says(ADA, LINES, PRAISE, "criticism", blame, cue="accused", mentions=("Mayor Ada Brunn", "Lowtide Lines"))
    quote = "“The mayor 🦭 cannot count,”"
    whole = f"{quote}\nsaid Tomas Ireland of Lowtide Lines."
    draft.says(TOMAS, ADA, whole, "criticism", quote, cue="said", mentions=(TOMAS, "The mayor"), kind="direct")
    waiting = "The harbour board is waiting for figures."
    draft.says(BOARD, FERRIES, waiting, "neutrality", mentions=("The harbour board", "figures"), sentiment=None)
    unsure = "The mayor, it felt, might be right."
    draft.says(BOARD, ADA, unsure, "?support", "The mayor", "might be right", mentions=("it", "The mayor"), sure=0.41)
    best = "The night ferry is the best thing to happen to Quillhaven."
    return draft.says(None, FERRIES, best, "support", mentions=(None, "The night ferry"), kind="author").article()


def arabic() -> Article:
    draft = Draft("قالت آدا إن العبارة ممتازة.\n\nAda left.")
    return draft.says("آدا", "العبارة", "قالت آدا إن العبارة ممتازة.", "support", cue="قالت").article()


def council() -> Article:
    draft = Draft("Nobody on the council trusts Lowtide Lines.\n", "Council")
    return draft.says("The Council", LINES, "Nobody on the council trusts Lowtide Lines.", "criticism").article()


@pytest.fixture
def show(browser, tmp_path):
    """Opens a page of articles; whatever it does in the test, it may log no error and ask for nothing but its file."""
    opened, problems, requests, number = [], [], [], count()

    def open_page(*articles, width=1360, **context):
        file = tmp_path / f"{next(number)}.html"
        file.write_text(render(articles), encoding="utf-8")
        page = browser.new_page(viewport={"width": width, "height": 860}, **context)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(file.as_uri())
        opened.append(page)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not problems
    assert len(requests) == len(opened)


def chip(page, label):
    return page.get_by_role("button", name=re.compile(f"^{re.escape(label)}"))


def cell(page, holder, target):
    return page.locator(".matrix").get_by_role("button", name=f"{holder} on {target}:")


def marks(page):
    return page.locator("mark").evaluate_all("all => all.filter((one) => one.className).map((one) => one.textContent)")


def table(page):
    return page.locator(".statements tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def details(page):
    return page.get_by_role("tooltip")


def test_what_is_marked_are_the_words_that_the_offsets_name(show):
    page = show(ferry())
    contents = [span.text for one in ferry().statements for span in one.content]
    assert marks(page) == contents
    assert page.locator(".text p").evaluate_all(
        """all => all.map((one) => {
          const copy = one.cloneNode(true);
          for (const chip of copy.querySelectorAll(".chip")) chip.remove();
          return copy.textContent;
        }).join("")"""
    ) == (FERRY)


texts = st.text(st.sampled_from("ab 🚢é\n\r\u2028<&\"'א漢\u0301\ufeff"), min_size=1, max_size=40)


@st.composite
def marked_texts(draw):
    """A text and statements whose spans lie anywhere in it."""
    text = draw(texts)
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    return text, draw(st.lists(st.tuples(places, places), max_size=4))


@pytest.fixture
def blank(show):
    return show(Article(text="", statements=[]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marked_texts())
def test_any_text_with_any_spans_is_shown_whole_and_marked_exactly(blank, made):
    text, statements = made
    article = ferry().model_copy(update={"text": text, "notes": []}).model_dump(mode="json")
    one = article["statements"][0]

    def span(place):
        return {"start": place[0], "end": place[1], "text": text[slice(*place)]}

    article["statements"] = [
        one | {"content": [span(content)], "sentence": span(sentence)} for content, sentence in statements
    ]
    shown, marked = blank.evaluate(
        """article => {
          stancewise.view(document.getElementById("report"), {articles: [article], pairs: []});
          for (const chip of document.querySelectorAll(".chip")) chip.remove();
          const text = document.querySelector(".text");
          return [text.textContent, [...text.querySelectorAll("mark")].map((one) => one.textContent).join("")];
        }""",
        article,
    )
    assert shown == text
    covered = {place for (start, end), _ in statements for place in range(start, end)}
    assert marked == "".join(text[place] for place in sorted(covered))


def test_the_keyboard_reaches_every_statement_and_shows_its_probabilities_until_escape(show):
    page = show(ferry())
    assert details(page).count() == 0
    first = chip(page, f"support 0.97: {ADA} on {FERRIES}")
    for _ in range(60):
        page.keyboard.press("Tab")
        if first.evaluate("one => one === document.activeElement"):
            break
    assert details(page).is_visible()
    assert first.get_attribute("aria-describedby") == details(page).get_attribute("id")
    shown = details(page).inner_text()
    for wanted in (ADA, FERRIES, "praised", "reported", "Stance", "0.97", "Sentiment", "positive", "0.90"):
        assert wanted in shown
    page.keyboard.press("Escape")
    assert details(page).count() == 0
    assert first.evaluate("one => one === document.activeElement")
    page.keyboard.press("Tab")
    assert LINES in details(page).inner_text(), "the next statement of the same sentence"
    page.keyboard.press("Shift+Tab")
    assert FERRIES in details(page).inner_text()


def test_the_pointer_shows_all_statements_of_a_place_and_may_rest_on_the_details(show):
    page = show(ferry())
    page.locator("mark.criticism").first.hover()
    assert f"{ADA} on {LINES}" in details(page).inner_text()
    details(page).hover()
    page.wait_for_timeout(400)  # longer than the details stay without the pointer
    assert details(page).is_visible()
    page.keyboard.press("Escape")
    assert details(page).count() == 0


def test_the_words_of_holder_cue_and_target_are_pointed_out(show):
    page = show(ferry())
    chip(page, f"criticism 0.90: {TOMAS}").focus()
    pointed = page.evaluate(
        "[...CSS.highlights].map(([role, ranges]) => [role, [...ranges].map((range) => range.toString())])"
    )
    assert pointed == [
        ["stancewise-holder", [TOMAS]],
        ["stancewise-cue", ["said"]],
        ["stancewise-target", ["The mayor"]],
    ]
    page.keyboard.press("Escape")
    assert page.evaluate("CSS.highlights.size") == 0


def test_a_language_that_the_model_does_not_read_is_named(show):
    about = {"language": "ru", "foreign": True}
    unread = Article(text="Паром хвалят все.", **about, statements=[], notes=["the text is in ru"])
    page = show(unread)
    assert page.locator(".text").get_attribute("lang") == "ru"
    assert page.locator(".notes").inner_text() == "the text is in ru"
    page = show(ferry())
    assert page.locator(".text").get_attribute("lang") == "", "a language that is unknown"
    made = ferry()
    other = [one.model_copy(update={"language": "de", "foreign": True}) for one in made.statements]
    page = show(made.model_copy(update={"statements": other}))
    chip(page, f"unsure (support 0.41): {BOARD} on {ADA}").focus()
    assert "in de, which the model does not read" in details(page).inner_text()


def test_an_abstention_says_which_head_is_too_unsure(show):
    page = show(ferry())
    chip(page, f"unsure (support 0.41): {BOARD} on {ADA}").focus()
    assert "too unsure of the stance" in details(page).inner_text()


def test_every_stance_is_told_apart_without_colour(show):
    page = show(ferry())
    symbols = page.locator(".chip").evaluate_all(
        "all => all.map((one) => [one.getAttribute('aria-label').split(' ')[0], one.textContent])"
    )
    assert dict(symbols) == {"support": "+", "criticism": "−", "neutrality": "○", "unsure": "?"}
    lines = page.locator("mark").evaluate_all("all => all.map((one) => getComputedStyle(one).textDecorationStyle)")
    kinds = page.locator("mark").evaluate_all("all => all.map((one) => one.className)")
    assert dict(zip(kinds, lines, strict=True)) == {
        "support": "solid",
        "criticism": "double",
        "neutrality": "dotted",
        "abstained": "dashed",
    }
    answers = {row[3] for row in table(page)}
    assert answers == {"+support 0.97", "−criticism 0.90", "○neutrality 0.90", "?unsure 0.41", "+support 0.90"}


def test_words_under_two_stances_are_marked_as_mixed(show):
    sentence = "Ada Brunn backs the night ferry against Lowtide Lines."
    draft = Draft(sentence).says(ADA, FERRIES, sentence, "support").says(ADA, LINES, sentence, "criticism")
    draft.says(None, FERRIES, sentence, "neutrality", mentions=(None, FERRIES))
    page = show(draft.article())
    assert page.locator("mark.mixed").all_inner_texts() == [sentence]
    assert page.locator(".chip").all_inner_texts() == ["+", "−", "○"]
    page.locator("mark").hover()
    assert all(name in details(page).inner_text() for name in (FERRIES, LINES))
    page.get_by_role("checkbox", name="criticism").uncheck()
    assert page.locator("mark.support").all_inner_texts() == [sentence], "the other one no longer shares it"


def test_filters_act_on_text_matrix_and_table_alike(show):
    page = show(ferry())
    status = page.get_by_role("status").first
    assert status.inner_text() == "6 statements"
    page.get_by_role("combobox", name="Holder").select_option(label=f"{ADA} (2)")
    assert status.inner_text() == "2 of 6 statements"
    assert marks(page) == ["the night ferry", "Lowtide Lines of running it empty"]
    assert page.locator(".chip:visible").count() == 2
    assert [row[:2] for row in table(page)] == [[ADA, FERRIES], [ADA, LINES]]
    assert page.locator(".cell:not(.other)").count() == 2
    page.get_by_role("checkbox", name="support").uncheck()
    assert marks(page) == ["Lowtide Lines of running it empty"]
    assert [row[1] for row in table(page)] == [LINES]
    assert cell(page, ADA, FERRIES).count() == 0
    page.get_by_role("combobox", name="Target").select_option(label=f"{ADA} (2)")
    assert status.inner_text() == "0 of 6 statements"
    assert page.get_by_text("No statement fits the filters.").is_visible()
    page.get_by_role("button", name="Clear filters").click()
    assert status.inner_text() == "6 statements"
    assert len(table(page)) == 6
    assert page.get_by_role("combobox", name="Holder").input_value() == "-1"


def test_a_cell_of_the_matrix_filters_to_its_pair_by_keyboard_and_back(show):
    page = show(ferry())
    pressed = cell(page, TOMAS, ADA)
    pressed.focus()
    page.keyboard.press("Enter")
    assert [row[:2] for row in table(page)] == [[TOMAS, ADA]]
    assert pressed.get_attribute("aria-pressed") == "true"
    assert pressed.evaluate("one => one === document.activeElement"), "the keyboard stays where it was"
    page.keyboard.press("Enter")
    assert len(table(page)) == 6
    page.get_by_role("rowheader", name=BOARD).get_by_role("button").click()
    assert [row[0] for row in table(page)] == [BOARD, BOARD]


def test_the_matrix_counts_as_the_summary_does(show):
    articles = [ferry(), council()]
    page = show(*articles)
    for pair in summarise(articles):
        counted = cell(page, pair.speaker or "The author", pair.target)
        label = counted.get_attribute("aria-label")
        for stance, many in pair.stances.items():
            assert f"{many} {stance}" in label
        assert f"on the whole {pair.stance}, mean probability {pair.probability:.2f}" in label
    assert page.locator(".cell").count() == len(summarise(articles))


def test_of_several_articles_one_is_read_and_all_are_counted(show):
    page = show(ferry(), council())
    status = page.get_by_role("status").first
    assert status.inner_text() == "7 statements, 6 in this text"
    assert len(table(page)) == 7
    page.get_by_role("combobox", name="Article").select_option(label="Council (1)")
    assert page.locator(".text").inner_text().startswith("Nobody on the council")
    assert status.inner_text() == "7 statements, 1 in this text"
    page.get_by_role("button", name="Mayor Ada Brunn praised the night ferry").first.click()
    page.locator(".chip:focus").wait_for()
    assert page.get_by_role("combobox", name="Article").input_value() == "0", "a row leads into another article"
    assert f"{ADA} on {FERRIES}" in details(page).inner_text()


def test_next_in_text_leads_through_what_fits_the_filters_and_round(show):
    page = show(ferry(), council())
    page.get_by_role("combobox", name="Target").select_option(label=f"{LINES} (2)")
    seen = []
    for _ in range(3):
        page.get_by_role("button", name="Next in text").click()
        page.locator(".chip:focus").wait_for()
        seen.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert seen == [
        f"criticism 0.90: {ADA} on {LINES}",
        f"criticism 0.90: The Council on {LINES}",
        f"criticism 0.90: {ADA} on {LINES}",
    ]


def test_notes_and_an_empty_result_are_said_in_words(show):
    assert show(ferry()).get_by_text("One paragraph was skipped.").is_visible()
    page = show(Article(text="Rain.\n\nMore rain.", statements=[]))
    assert page.get_by_text("No positions were found in this text.").is_visible()
    assert page.locator(".text").inner_text().split() == ["Rain.", "More", "rain."]
    assert page.locator("table").count() == 0
    assert show().locator("main").inner_text().strip() == "0 statements"


HOSTILE = (
    """</script><script>window.hit = 1</script><img src=x onerror="window.hit = 2"> <!-- & &lt; "'` \u2028 </style>"""
)


def test_markup_in_a_text_is_shown_and_never_run(show):
    text = f"Ada said {HOSTILE} and left."
    draft = Draft(text, HOSTILE, notes=(HOSTILE,)).says(HOSTILE, HOSTILE, text, "support", cue="said")
    page = show(draft.article())
    assert page.title() == HOSTILE
    assert page.locator("mark").text_content() == text
    page.locator(".chip").focus()
    assert details(page).locator(".who").text_content() == f"{HOSTILE} on {HOSTILE}"
    assert page.locator(".notes").text_content() == HOSTILE
    assert table(page)[0][0] == HOSTILE
    assert page.evaluate("window.hit") is None
    assert page.locator("img, main script").count() == 0


def test_the_policy_keeps_a_script_that_is_not_its_own_from_running(browser, tmp_path):
    whole = render([ferry()])
    file = tmp_path / "page.html"
    file.write_text(whole.replace("</body>", "<script>window.hit = 1</script></body>"), encoding="utf-8")
    page = browser.new_page()
    page.goto(file.as_uri())
    assert page.evaluate("window.hit") is None
    assert page.locator(".chip").count() == 6, "its own runs"
    page.close()


def test_the_data_in_the_page_are_the_articles_and_their_pairs(show):
    articles = [ferry(), council()]
    data = show(*articles).evaluate("JSON.parse(document.getElementById('data').textContent)")
    assert [Article.model_validate(one) for one in data["articles"]] == articles
    assert data["pairs"] == json.loads(json.dumps([pair.model_dump() for pair in summarise(articles)]))


@pytest.mark.parametrize(
    ("width", "scheme", "locale"),
    [
        *((width, scheme, "en") for width in (1360, 390) for scheme in ("light", "dark")),
        *((1360, "light", "ar"), (390, "dark", "zh")),
    ],
)
def test_axe_finds_no_serious_violation(show, width, scheme, locale):
    page = show(ferry(), council(), color_scheme=scheme, width=width, locale=locale)
    found = violations(page)
    page.locator(".cell:has(.criticism)").first.click()
    page.locator(".chip.criticism:visible").first.focus()
    assert details(page).is_visible()
    assert not found + violations(page)


def violations(page):
    # The policy has no way in for scripts, so axe comes by the browser's own.
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def test_in_print_and_in_forced_colours_the_stances_can_still_be_read(show):
    page = show(ferry(), forced_colors="active")
    assert page.locator(".chip").first.evaluate("one => getComputedStyle(one).borderTopStyle") == "solid"
    page.get_by_role("checkbox", name="neutrality").uncheck()
    grounds = page.locator("mark").evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert len(set(grounds)) == 1, "what is filtered out keeps no marker of the browser's own"
    page.get_by_role("checkbox", name="neutrality").check()
    page.emulate_media(media="print")
    assert not page.get_by_role("combobox", name="Holder").is_visible()
    assert page.locator(".chip:visible").count() == 6
    assert page.locator(".statements tbody tr:visible").count() == 6
    assert page.locator("mark").first.evaluate("one => getComputedStyle(one).textDecorationLine") == "underline"


def test_a_text_from_right_to_left_begins_at_the_right(show):
    page = show(arabic())
    right, edge = page.locator("mark").evaluate(
        "one => [one.getBoundingClientRect().right, one.parentElement.getBoundingClientRect().right]"
    )
    assert edge - right < 10


def choose(page, name):
    page.locator("header select").select_option(label=name)


def test_the_report_speaks_the_language_of_the_browser(show):
    page = show(ferry(), council(), locale="ru-RU")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ru", "ltr"]
    assert page.title() == page.locator("h1").inner_text() == "Позиции в 2 текстах"
    assert page.get_by_role("status").first.inner_text() == "7 высказываний, в этом тексте: 6"
    heads = page.locator(".statements th").all_inner_texts()
    assert heads == ["Статья", "Кто", "О ком или о чём", "Маркер", "Позиция", "Тональность", "Цитата"]
    assert {row[4] for row in table(page)} >= {"+поддержка 0,97", "−критика 0,90", "○нейтралитет 0,90", "?неясно 0,41"}
    chip(page, f"поддержка 0,97. {ADA} о: {FERRIES}").focus()
    assert "пересказ" in details(page).inner_text()
    page = show(ferry(), locale="sw-KE")
    assert page.evaluate("document.documentElement.lang") == "en", "there is no table for Swahili"


def test_another_language_can_be_chosen_and_the_filters_stay(show):
    page = show(ferry())
    page.get_by_role("combobox", name="Holder").select_option(label=f"{ADA} (2)")
    page.get_by_role("checkbox", name="criticism").uncheck()
    before = table(page)
    page.get_by_role("combobox", name="Language").focus()
    choose(page, "Deutsch")
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.locator("header select").evaluate("one => one === document.activeElement")
    assert page.locator(".stancewise .status").inner_text() == "1 von 6 Aussagen"
    assert [row[:3] for row in table(page)] == [row[:3] for row in before]
    assert table(page)[0][3:5] == ["+Unterstützung 0,97", "positiv 0,90"]
    assert page.locator(".notes p").get_attribute("lang") == "en", "notes come from the reader of articles"
    choose(page, "English")
    assert table(page) == before


@pytest.mark.parametrize(
    ("number", "shown"), [(1, "عبارة واحدة"), (2, "عبارتان"), (3, "3 عبارات"), (11, "11 عبارة"), (100, "100 عبارة")]
)
def test_plurals_are_those_of_the_language(show, number, shown):
    draft = Draft("Ada likes it. " * number)
    for place in range(number):
        draft.says("Ada", "it", "Ada likes it.", "support", after=14 * place)
    page = show(draft.article(), locale="ar")
    assert page.locator(".status").inner_text() == shown


def test_in_arabic_the_report_runs_from_right_to_left(show):
    page = show(ferry(), locale="ar")
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    assert {row[3] for row in table(page)} >= {"+تأييد 0.97", "−انتقاد 0.90", "○حياد 0.90", "?غير مؤكد 0.41"}
    table_edges = page.locator(".matrix table").evaluate("one => one.getBoundingClientRect().right")
    holder = page.locator(".matrix tbody th").first.evaluate("one => one.getBoundingClientRect().right")
    assert table_edges - holder < 10, "the holders stand at the right"
    left, edge = page.locator(".text").evaluate(
        """one => {
          const range = new Range();
          range.selectNodeContents([...one.querySelectorAll("p")].find((line) => line.textContent.trim()));
          return [range.getBoundingClientRect().left, one.getBoundingClientRect().left];
        }"""
    )
    assert left - edge < 10, "English words begin at the left all the same"
    label = page.locator(".cell").first.get_attribute("aria-label")
    assert f"\u2068{FERRIES}\u2069" in label, "a name of the other direction keeps it to itself"


def test_texts_and_names_say_which_language_they_are_in_and_find_their_direction(show):
    made = arabic().model_copy(update={"language": "ar"})
    page = show(made)
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["en", "ltr"]
    assert page.locator(".text").get_attribute("lang") == "ar"
    lines = page.locator(".text p")
    assert lines.evaluate_all("all => all.map((one) => one.getAttribute('dir'))") == ["auto"] * lines.count()
    assert lines.evaluate_all("all => all.map((one) => getComputedStyle(one).direction)") == ["rtl", "ltr"]
    names = page.locator(".statements td bdi, .matrix th bdi")
    assert names.evaluate_all("all => all.map((one) => one.lang)") == ["ar"] * 5
    assert names.first.evaluate("one => getComputedStyle(one).direction") == "rtl"
    evidence = page.locator(".evidence button")
    assert (evidence.get_attribute("lang"), evidence.get_attribute("dir")) == ("ar", "auto")


def test_every_language_shows_a_report_without_a_word_missing(show):
    page = show(ferry(), council(), explained())
    for name in page.locator("header option").all_inner_texts():
        choose(page, name)
        chips = page.locator(".chip")
        for place in range(chips.count()):
            chips.nth(place).focus()
            assert details(page).is_visible()
        page.get_by_role("combobox").nth(1).select_option(index=2)
        page.locator(".chip").focus()
        shown = page.evaluate(
            """document.body.innerText + [...document.querySelectorAll('[aria-label]')].map((one) => one.ariaLabel)"""
        )
        assert not re.search(r"undefined|NaN|\{\w+\}", shown), (name, shown)
        page.get_by_role("combobox").nth(1).select_option(index=0)


def test_an_explanation_shows_the_words_by_weight_and_the_sum_check(show):
    page = show(explained())
    page.locator(".chip").focus()
    assert details(page).locator(".for").all_inner_texts() == ["splendid"]
    assert details(page).locator(".against").all_inner_texts() == ["old"]
    shown = details(page).inner_text()
    assert "Stance support is carried by splendid +2.00." in shown
    assert "the words add up to 1.50; without all of them they fall by 2.00 (sum check 0.75)" in shown


def explained() -> Article:
    sentence = "🦭 A splendid old ferry."
    words = [(2, 3, 0.01), (4, 12, 2.0), (13, 16, -0.51)]
    effects = [WordEffect(start=a, end=b, text=sentence[a:b], effect=effect) for a, b, effect in words]
    explanation = Explanation(head="stance", label="support", words=effects, total=1.5, whole=2.0)
    return Draft(sentence).says(None, "ferry", sentence, "support", explanation=explanation).article()


ASKING = """([article, answer]) => {
  window.asked = [];
  const explain = async (statement, article) => {
    window.asked.push([statement.target, article.text]);
    if (typeof answer === "string") throw new Error(answer);
    return answer;
  };
  stancewise.view(document.getElementById("report"), { articles: [article], pairs: [] }, { explain });
}"""


def test_an_explanation_is_asked_for_once_by_pressing_the_chip(blank):
    article = explained().model_dump(mode="json")
    answer = article["statements"][0].pop("explanation")
    blank.evaluate(ASKING, [article, answer])
    blank.locator(".chip").focus()
    assert "carried by" not in details(blank).inner_text()
    blank.keyboard.press("Enter")
    details(blank).get_by_text("carried by").wait_for()
    blank.keyboard.press("Enter")
    assert blank.evaluate("window.asked") == [["ferry", article["text"]]]


def test_an_explanation_that_cannot_be_had_says_why(blank):
    article = explained().model_dump(mode="json")
    article["statements"][0].pop("explanation")
    blank.evaluate(ASKING, [article, "The server is full; try again in 3 s"])
    blank.locator(".chip").click()
    details(blank).get_by_text("The server is full; try again in 3 s").wait_for()


def test_a_long_text_with_thousands_of_statements_stays_usable(show):
    lines = [f"Holder {i % 900} of ward {i} likes target {i % 400}. So it is said." for i in range(5000)]
    draft = Draft("\n\n".join(lines))
    place = 0
    for i, line in enumerate(lines):
        sentence = line.removesuffix(" So it is said.")
        draft.says(f"Holder {i % 900}", f"target {i % 400}", sentence, "support", after=place)
        place += len(line) + 2
    page = show(draft.article())
    assert len(draft.text.split()) > 50_000
    assert page.locator(".chip").count() == 5000
    assert page.locator(".cell").count() < 400
    assert len(table(page)) == 100
    page.locator(".statements .more").get_by_text("More statements (100 of 5,000 listed)").click()
    assert len(table(page)) == 200
    page.locator(".matrix .more").get_by_text("More holders (25 of 900 shown)").click()
    assert page.locator(".matrix tbody tr").count() == 50
    page.get_by_role("combobox", name="Holder").select_option(label="Holder 777 (5)")
    assert page.locator(".matrix tbody th").first.inner_text() == "Holder 777", "it was beyond those shown"
    assert page.locator(".cell:not(.other)").count() == 4
    assert len(table(page)) == 5
    page.get_by_text("Next in text").click()
    page.locator(".chip:focus").wait_for()
    middle = page.evaluate("document.activeElement.getBoundingClientRect().top")
    assert 0 < middle < 860, "the place in the text is on the screen"
    assert details(page).is_visible()
