"""What is said of a model before and after."""

from pathlib import Path

import numpy as np
import pytest

from training.data.corpus import Corpus, LabelledStatement
from training.evaluation.before_after import change, helped, kept

LABELS = ("support", "neutrality", "criticism")


def part(wrong_before: int, wrong_after: int, rows: int = 120):
    """Rows of two a group, of which the first so many are answered wrongly."""
    labels = [i % 3 for i in range(rows)]
    values = [{"id": str(i), "text": str(i), "stance": LABELS[a], "group": str(i // 2)} for i, a in enumerate(labels)]
    corpus = Corpus(Path("a"), [LabelledStatement.model_validate(one) for one in values])
    sides = []
    for wrong in (wrong_before, wrong_after):
        answers = np.eye(3)[labels]
        answers[:wrong] = np.roll(answers[:wrong], 1, axis=1)
        sides.append({"stance": answers})
    return change("test", corpus, *sides)


@pytest.mark.parametrize(
    ("before", "after", "own", "old"),
    [
        (60, 0, "It helped", "The old skill stayed"),
        (0, 60, "It made stance worse", "It unlearned something"),
        (30, 30, "cannot be said from 120 rows", "The old skill stayed"),
        (4, 5, "cannot be said from 120 rows", "one of more than a point is possible"),
    ],
)
def test_the_words_follow_the_interval(before, after, own, old):
    found = part(before, after)
    assert own in helped(found)[0]
    assert old in kept(found)[0]


def test_the_difference_is_of_the_same_rows_and_clustered():
    [one] = part(60, 0).heads
    assert (one.rows, one.groups) == (120, 60)
    assert one.difference.value == pytest.approx(one.after.value - one.before.value)
    assert one.difference.low < one.difference.value < one.difference.high
    assert one.same == 0.5


def test_a_head_without_labels_is_left_out():
    corpus = Corpus(Path("a"), [LabelledStatement(id="1", text="a", stance="support")])
    sides = {"stance": np.eye(3)[:1], "sentiment": np.eye(3)[:1]}
    assert [one.head for one in change("test", corpus, sides, sides).heads] == ["stance"]
