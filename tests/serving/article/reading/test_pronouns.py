"""Whom or what pronouns stand for, by the learned weights."""

import pytest

from serving.article.reading.names import Names
from serving.article.reading.pairs import Paragraph
from serving.article.reading.parse import load_pipeline
from serving.article.reading.pronouns import kind_of, score, weights


def names_of(word: str, *paragraphs: str) -> list[str | None]:
    names, found = Names(), []
    for paragraph in paragraphs:
        doc = load_pipeline()(paragraph)
        names.add(doc, Paragraph.of(doc).quoted())
        entities = [names.of(token) for token in doc if token.lower_ == word]
        found += [entity.name if entity else None for entity in entities]
    return found


@pytest.mark.parametrize(
    ("word", "text", "name"),
    [
        ("it", "The council debated a resolution on the strait. Russia voted against it.", "resolution on the strait"),
        ("it", "The senate passed the farm bill on Monday. The union opposes it.", "farm bill"),
        ("it", "The ferry company cut two lines. It said that it had no choice.", "ferry company"),
        ("her", "Anna Holm, the mayor, said that she would run. Peter Lund opposed her.", "Anna Holm"),
        ("they", "The dockers left the hall. They said the offer was an insult.", "dockers"),
    ],
)
def test_a_pronoun_goes_to_what_fits_its_place_in_the_clause(word, text, name):
    assert set(names_of(word, text)) == {name}


def test_a_first_name_tells_he_from_she():
    assert names_of("she", "Peter Lund wrote to Anna Holm on Monday. She was not amused.") == ["Anna Holm"]
    assert names_of("he", "Peter Lund wrote to Anna Holm on Monday. He was not amused.") == ["Peter Lund"]


@pytest.mark.parametrize(
    "said",
    [
        "Jonas Lie met Olav Berg on Monday. Berg said: “I want to beat him.”",
        "Jonas Lie met Olav Berg on Monday. “I want to beat him,” Berg said.",
    ],
)
def test_the_speaker_of_a_quotation_is_not_he_in_it(said):
    assert names_of("him", said) == ["Jonas Lie"]


def test_a_pronoun_looks_back_over_a_paragraph():
    assert names_of("she", "Mayor Anna Holm opened the pier.", "“The pier is a gift,” she said.") == ["Anna Holm"]


def test_nothing_near_is_nothing_found():
    assert names_of("he", "He left.") == [None]


def test_each_kind_of_pronoun_has_weights_of_its_own():
    text = "She praised it, and they thanked her for its harbour. It gave them his boat and their nets."
    kinds = {token.text: kind_of(token) for token in load_pipeline()(text)}
    expected = {
        "She": "he subject", "it": "it object", "they": "they subject", "her": "he object", "its": "it owner",
        "It": "it subject", "them": "they object", "his": "he owner", "their": "they owner",
    }  # fmt: skip
    assert {word: kinds[word] for word in expected} == expected
    assert {"any", *expected.values()} == weights().keys()


def test_a_kind_without_weights_of_its_own_has_the_common_ones():
    assert score({"any": {"thing": 0.5}}, "it object", ["thing", "plural"]) == 0.5
