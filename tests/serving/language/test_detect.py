import pytest

from serving.language.detect import UNKNOWN, foreign, foreign_note, known_languages, language_of, without_names
from tests.conftest import REPOSITORY, STATEMENTS, read_lines

EN = ("en",)
ROWS = read_lines(REPOSITORY / "data" / "languages" / "detection.jsonl")
OTHERS = [row for row in ROWS if row["language"] not in ("en", UNKNOWN)]


def test_other_languages_are_named_rightly_or_not_at_all():
    said = [(language_of(row["text"], EN), row["language"]) for row in OTHERS]
    assert [one for one in said if one[0] not in (one[1], UNKNOWN)] == []
    assert sum(found == own for found, own in said) > 0.95 * len(said)
    assert {found for found, _ in said} > {"ru", "zh", "es", "fr", "de", "ar"}


@pytest.mark.parametrize("file", ["statements/test", "short/validation", "quotations/validation"])
def test_no_english_statement_is_taken_for_another_language(file):
    texts = [row["text"] for row in read_lines(STATEMENTS.parent / f"{file}.jsonl") if row.get("text")]
    assert {language_of(text, EN) for text in texts} <= {"en", UNKNOWN}


def test_english_stays_english_among_foreign_names():
    said = {row["text"]: language_of(row["text"], EN) for row in ROWS if row["language"] == "en"}
    assert set(said.values()) <= {"en", UNKNOWN}


@pytest.mark.parametrize(
    "text", ["OK!", "Nein.", "🙂🙂👎", "100 %", "https://example.org/a/17?b=2", "Dr. N. Okonkwo", "", "\0", "\ud800"]
)
def test_a_tiny_text_is_of_no_language(text):
    assert language_of(text, EN) == UNKNOWN


def test_a_text_in_capitals_is_read_whole():
    assert language_of("THE MAYOR WELCOMED THE NEW BRIDGE ON MONDAY", EN) == "en"
    assert language_of("DER BÜRGERMEISTER HAT DIE NEUE BRÜCKE AM MONTAG GELOBT", EN) == "de"


def test_names_are_the_words_with_a_capital():
    assert (
        without_names("“Žižek and (Ñuñoa's) mayor praised 3 EU plans,” said Ó Briain.")
        == "and mayor praised 3 plans,” said"
    )


def test_another_language_must_be_far_likelier_than_the_models_own():
    text = "Tagliatelle alla bolognese beats spaghetti carbonara, chef Gualtiero insists."
    assert [language_of(text, languages) for languages in (EN, ("it",), None)] == [UNKNOWN, "it", "it"]


def test_only_a_named_language_is_foreign():
    assert foreign("ru", EN)
    assert not foreign("ru", ("en", "ru"))
    assert not foreign(UNKNOWN, EN)
    assert not foreign("ru", None)


def test_every_language_of_the_texts_is_known():
    assert {row["language"] for row in OTHERS} <= known_languages()
    assert UNKNOWN not in known_languages()


def test_the_note_counts_by_language_and_says_how_to_answer():
    assert foreign_note({}) is None
    assert ": ru 1,200, zh 1 (" in foreign_note({"zh": 1, "ru": 1200})
    assert "--any-language" in foreign_note({"zh": 1})
