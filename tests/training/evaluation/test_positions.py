import pytest

from training.data.sources.reports import Listed, Report
from training.evaluation.positions import Shown, figures, tally

TAKEN = ("support", "criticism")
TEXT = "Oslo hailed the rice accord. Mayor Dag Lunde rejected it. Bergen was silent on the ban."
ENTITIES = {"oslo": ("Oslo",), "dag": ("Dag Lunde", "Lunde"), "accord": ("the rice accord",), "ban": ("the ban",)}
SENTENCE = (0, len(TEXT))


def report(*positions):
    rows = [
        Listed(holder=holder, target=target, stance=stance, sentence=SENTENCE, optional=optional)
        for holder, target, stance, optional in positions
    ]
    return Report(id="r", text=TEXT, entities=ENTITIES, positions=tuple(rows))


BOTH = report(("oslo", "accord", "support", False), ("dag", "accord", "criticism", False))


def test_right_wrong_and_missed_are_told_apart():
    shown = [Shown("Oslo", "accord", "support"), Shown("Dag Lunde", "rice", "criticism")]
    numbers, wrong, missed = tally(shown, BOTH, TAKEN)
    assert (numbers.right, numbers.shown, numbers.listed) == (1, 2, 2)
    assert wrong == [shown[1]]
    assert missed == [Shown("Dag Lunde", "the rice accord", "criticism")]
    assert figures([numbers]) == pytest.approx([0.5, 0.5, 0.5])


def test_each_listed_position_is_matched_once():
    shown = [Shown("Dag Lunde", "accord", "criticism"), Shown("Lunde", "rice accord", "criticism")]
    numbers, wrong, _ = tally(shown, BOTH, TAKEN)
    assert (numbers.right, numbers.shown) == (1, 2)
    assert len(wrong) == 1


def test_the_same_position_twice_counts_once():
    numbers, _, _ = tally([Shown("Oslo", "accord", "support")] * 3, BOTH, TAKEN)
    assert (numbers.right, numbers.shown) == (1, 1)


def test_optional_ones_count_neither_way():
    one = report(("oslo", "accord", "support", True), ("dag", "ban", "support", False))
    numbers, wrong, missed = tally([Shown("Oslo", "accord", "support")], one, TAKEN)
    assert (numbers.right, numbers.shown, numbers.listed) == (0, 0, 1)
    assert not wrong
    assert [other.target for other in missed] == ["the ban"]


def test_a_certain_sentence_makes_the_pair_certain_and_the_stance_must_be_the_same():
    one = report(("oslo", "accord", "support", True), ("oslo", "accord", "support", False))
    assert tally([Shown("Oslo", "accord", "criticism")], one, TAKEN)[0].listed == 1
    assert tally([Shown("Oslo", "accord", "criticism")], one, TAKEN)[0].right == 0
    assert tally([Shown("Oslo", "accord", "neutrality")], one, TAKEN)[0].shown == 0


def test_the_author_is_nobody_else():
    one = report((None, "ban", "criticism", False))
    assert tally([Shown(None, "the ban", "criticism")], one, TAKEN)[0].right == 1
    assert tally([Shown("Oslo", "the ban", "criticism")], one, TAKEN)[0].right == 0


def test_nothing_shown_or_nothing_listed():
    assert tally([], BOTH, TAKEN)[0].listed == 2
    numbers, wrong, _ = tally([Shown("Oslo", "ban", "support")], report(), TAKEN)
    assert (numbers.shown, len(wrong)) == (1, 1)
    assert figures([numbers]).tolist() == [0, 0, 0]
