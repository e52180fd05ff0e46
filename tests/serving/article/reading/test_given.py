"""Given names that are also small words."""

import pytest

from serving.article.reading.parse import load_pipeline
from tests.serving.article.reading.test_positions import speakers


def subjects(text):
    """Every subject with the words that belong to its name."""
    doc = load_pipeline()(text)
    assert doc.text == text
    found = (one for one in doc if one.dep_ in ("nsubj", "nsubjpass", "pobj", "conj") and one.tag_ == "NNP")
    return {doc.text[one.left_edge.idx : one.idx + len(one)] for one in found}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Per Aasen", "Per Aasen called the quay tax a scandal."),
        ("Per Aasen", "Per Aasen, who chairs the port union, rejects the quay tax."),
        ("Per Aasen", "The quay tax is a scandal, said Per Aasen."),
        ("Per Aasen", "“The quay tax,” Per Aasen said, “is a scandal.”"),
        ("Per Aasen", "Yesterday Per Aasen condemned the quay tax."),
        ("Per Aasen", "According to Per Aasen, the quay tax is a scandal."),
        ("Will Tranter", "Will Tranter condemned the quay tax."),
        ("Will Tranter", "Will Tranter will oppose the quay tax."),
        ("Will Tranter", "Rosa Diehl and Will Tranter condemned the quay tax."),
        ("Can Demir", "Can Demir said that the quay tax was unfair."),
        ("May Osgood", "May Osgood condemned the quay tax."),
        ("An Tran", "An Tran condemned the quay tax."),
        ("Ever Salas", "Ever Salas condemned the quay tax."),
        ("Till Kranz", "Till Kranz condemned the quay tax."),
        ("In-ho Choi", "In-ho Choi condemned the quay tax."),
        ("Choi In-ho", "Choi In-ho condemned the quay tax."),
        ("So-yeon Bae", "The quay tax is a scandal, said So-yeon Bae."),
    ],
)
def test_a_given_name_is_no_small_word_where_grammar_has_no_place_for_one(name, text):
    assert name in {each.removeprefix("the ") for each in subjects(text)}


def test_a_holder_keeps_his_whole_name():
    assert "Per Aasen" in speakers(
        "Rosa Diehl praised the quay tax on Friday. Per Aasen called the quay tax a scandal."
    )


def test_a_word_that_may_be_either_is_a_name_where_the_same_name_stands_within_a_sentence():
    assert subjects("Even Moe condemned the tax. Minister Even Moe was booed.") == {"Even Moe", "Minister Even Moe"}
    assert subjects("Even Norway condemned the tax.") <= {"Norway", "Even Norway"}
    assert load_pipeline()("Even Norway condemned the tax.")[0].tag_ == "RB"


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Per Belgian law, the quay tax is void.", "IN"),
        ("Per Reuters, the minister condemned the quay tax.", "IN"),
        ("Per Ghent officials, the quay tax failed.", "IN"),
        ("Will Belgium reject the quay tax?", "MD"),
        ("Can Ghent have rejected the quay tax?", "MD"),
        ("An Antwerp court rejected the quay tax.", "DT"),
        ("An EU court rejected the quay tax.", "DT"),
        ("Till Ghent rejected the quay tax, the port was full.", "IN"),
        ("To Ghent the quay tax is a scandal.", "IN"),
        ("So-called Ghent rules failed.", "RB"),
        ("In-house Ghent lawyers praised the quay tax.", "IN"),
        ("Ever since Ghent rejected the quay tax, the port is full.", "RB"),
    ],
)
def test_a_small_word_stays_one(text, tag):
    assert load_pipeline()(text)[0].tag_ == tag
