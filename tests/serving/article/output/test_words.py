"""The words of page and report: one table per language, all with the same keys, placeholders and plurals."""

import re
import tomllib
from html import unescape

import pytest

from serving.article.output.page import words
from serving.article.statements import Kind
from serving.article.trends import Period
from serving.labels import HEADS
from tests.conftest import REPOSITORY

STATIC = REPOSITORY / "serving" / "article" / "static"
ENGLISH = words()["en"]
# The plural forms of Unicode CLDR.
FORMS = {
    "ar": {"zero", "one", "two", "few", "many", "other"},
    "de": {"one", "other"},
    "en": {"one", "other"},
    "es": {"one", "many", "other"},
    "fr": {"one", "many", "other"},
    "ru": {"one", "few", "many", "other"},
    "zh": {"other"},
}
OTHERS = sorted(FORMS.keys() - {"en"})


def placeholders(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


def texts(entry):
    return [entry] if isinstance(entry, str) else list(entry.values())


def test_there_is_a_table_for_each_language():
    assert words().keys() == FORMS.keys()
    assert {code: table["direction"] for code, table in words().items() if table["direction"] != "ltr"} == {"ar": "rtl"}
    assert len({table["name"] for table in words().values()}) == len(FORMS)


@pytest.mark.parametrize("code", OTHERS)
def test_every_table_has_the_same_keys_in_the_same_order(code):
    assert list(words()[code]) == list(ENGLISH)


@pytest.mark.parametrize("code", FORMS)
def test_plurals_have_the_forms_of_the_language_and_the_same_keys_have_plurals(code):
    for key, entry in words()[code].items():
        assert isinstance(entry, dict) == isinstance(ENGLISH[key], dict), key
        assert isinstance(entry, str) or entry.keys() == FORMS[code], key


@pytest.mark.parametrize("code", OTHERS)
def test_placeholders_are_those_of_the_english_words(code):
    for key, entry in words()[code].items():
        wanted = placeholders(texts(ENGLISH[key])[-1])
        assert placeholders(texts(entry)[-1]) == wanted, key
        for form in texts(entry):
            assert placeholders(form) in (wanted, [name for name in wanted if name != "count"]), (key, form)


@pytest.mark.parametrize("code", OTHERS)
def test_no_word_is_empty_or_left_in_english(code):
    signs = {"direction", "comma", "effect", "shortcut"}
    cognates = {"text", "neutral", "positive", "article", "article_number", "model_version", "trend_source", "date"}
    alike = {key for key, entry in words()[code].items() if entry == ENGLISH[key]}
    assert alike <= signs | cognates
    assert all(text.strip() for entry in words()[code].values() for text in texts(entry))


def test_the_scripts_ask_only_for_words_that_there_are():
    scripts = "\n".join(path.read_text("utf-8") for path in STATIC.glob("*.js"))
    asked = set(re.findall(r"""\b(?:words|worded|say)\(\s*"(\w+)\"""", scripts))
    asked |= {label for labels in HEADS.values() for label in labels} | set(HEADS)
    asked |= {f"kind_{kind}" for kind in Kind.__args__}
    asked |= set(re.findall(r'key: "(\w+)"', scripts))
    # The page of trends is drawn by Python, which asks for its words by the same names.
    drawn = (STATIC.parent / "output" / "trend_page.py").read_text("utf-8")
    asked |= set(re.findall(r'"(trend_\w+)"', scripts + drawn))
    assert len(asked) > 60
    assert asked <= ENGLISH.keys()
    titles = {f"trend_title_{period}" for period in Period.__args__}
    assert {key for key in ENGLISH if key.startswith("trend_")} <= asked | titles, "words that nobody asks for"


def test_the_page_without_its_scripts_says_the_same_in_english():
    page = (STATIC / "index.html").read_text("utf-8")
    found = re.findall(r'<[^>]* data-words="(\w+)"[^>]*>([^<]*)<', page)
    found += re.findall(r'data-words-name="(\w+)" aria-label="([^"]*)"', page)
    assert len(found) > 18
    assert {key: unescape(text) for key, text in found} == {key: ENGLISH[key] for key, _ in found}
    hint = re.search(r'id="targets-hint"[^>]*>(.*)</p>', page)[1]
    example = f"<code>{ENGLISH['targets_example']}</code>"
    assert hint == ENGLISH["targets_hint"].replace("{example}", example)


def test_a_wheel_holds_every_file_that_is_no_code():
    patterns = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    for package in ("serving", "training"):
        folder = REPOSITORY / package
        held = {path for pattern in patterns[package] for path in folder.glob(pattern)}
        files = {path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
        assert files <= held
