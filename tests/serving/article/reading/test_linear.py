"""The linear model: words and grammar of a pair become buckets, their weights become probabilities."""

import numpy as np
import pytest

from serving.article.reading import linear
from serving.article.reading.pairs import Paragraph, candidates
from serving.article.reading.parse import load_pipeline
from serving.runtime.pairs import ANSWERS


def read(text):
    """By holder's and target's head words (None: the author), the probabilities of each answer."""
    paragraph = Paragraph.of(load_pipeline()(text))
    found = {}
    for one in candidates(paragraph, ""):
        for (holder, target), row in zip(one.heads, linear.scores(paragraph, one.sentence, one.heads), strict=True):
            found[holder.text if holder else None, target.text] = dict(zip(ANSWERS, row, strict=True))
    return found


def likeliest(text):
    return {pair: max(row, key=row.get) for pair, row in read(text).items() if row["nothing"] < 0.5}


@pytest.mark.parametrize(
    ("text", "pair", "stance"),
    [
        ("Rome rejected the plan.", ("Rome", "plan"), "criticism"),
        ("France supports the treaty.", ("France", "treaty"), "support"),
        ("“The budget is a disgrace,” said Nora Vik.", ("Vik", "budget"), "criticism"),
        ("The treaty was condemned by Ilse Brandvold.", ("Brandvold", "treaty"), "criticism"),
        ("Teachers who opposed the bill went home.", ("Teachers", "bill"), "criticism"),
        ("The union declined to take sides on the plan.", ("union", "plan"), "neutrality"),
    ],
)
def test_plain_positions_are_found(text, pair, stance):
    assert likeliest(text).get(pair) == stance


def test_what_only_stands_in_the_sentence_expresses_nothing():
    assert likeliest("The minister of Norway met farmers near the harbour of Lund on Monday.") == {}


def test_probabilities_sum_to_one_and_do_not_hang_on_the_other_pairs():
    paragraph = Paragraph.of(load_pipeline()("Oslo hailed the accord, but Rome called the accord a trap."))
    [one] = candidates(paragraph, "")
    every = linear.scores(paragraph, one.sentence, one.heads)
    assert every.sum(axis=1) == pytest.approx(np.ones(len(one.heads)))
    again = linear.scores(paragraph, one.sentence, one.heads[::-1])[::-1]
    assert again == pytest.approx(every, abs=1e-6)


def test_a_sentence_without_pairs_has_no_scores():
    paragraph = Paragraph.of(load_pipeline()("It rained."))
    sentence = next(paragraph.doc.sents)
    assert linear.scores(paragraph, sentence, []).shape == (0, len(ANSWERS))


def test_names_are_not_learned_by_heart():
    one, other = (read(f"{name} hailed the accord.")[name, "accord"] for name in ("Oslo", "Rome"))
    assert one == pytest.approx(other, abs=0.05)  # the parser may see them differently
