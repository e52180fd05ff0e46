import numpy as np
import pytest

from training.evaluation.entities import b_cubed, figures

LISTED = list("aaaaabbccccc")  # the chains of Bagga and Baldwin 1998: five, two and five mentions


def means(found):
    return b_cubed(LISTED, list(found)).mean(axis=0)


def test_the_examples_of_the_paper():
    assert means("xxxxxyyyyyyy") == pytest.approx([(5 + 2 * 2 / 7 + 5 * 5 / 7) / 12, 1])  # 76 %
    assert means("xxxxxyyxxxxx") == pytest.approx([(10 * 5 / 10 + 2) / 12, 1])  # 58 %


def test_a_mention_that_was_taken_for_nothing_is_an_entity_of_its_own():
    assert b_cubed("aaa", ["x", None, None]) == pytest.approx(np.array([[1, 1 / 3]] * 3))
    assert b_cubed("aab", ["x", "x", None]) == pytest.approx(np.ones((3, 2)))


def test_one_entity_for_all_and_one_for_each_are_the_two_ends():
    assert b_cubed("aabb", "xxxx") == pytest.approx(np.array([[1 / 2, 1]] * 4))
    assert b_cubed("aabb", "wxyz") == pytest.approx(np.array([[1, 1 / 2]] * 4))


def test_an_entity_that_is_split_loses_recall_and_one_that_is_mixed_precision():
    expected = [[1, 2 / 3], [1, 2 / 3], [1 / 2, 1 / 3], [1 / 2, 1]]
    assert b_cubed("aaab", "xxyy") == pytest.approx(np.array(expected))


def test_a_text_without_mentions_has_no_rows():
    assert b_cubed("", "").shape == (0, 2)


def test_the_mean_is_over_mentions_and_the_interval_over_texts():
    texts = [np.array([[1.0, 0.5, 1.0]] * 3), np.array([[0.5, 0.5, 0.0]]), np.zeros((0, 3))]
    precision, recall, f1, right = figures(texts)
    assert precision.value == pytest.approx(3.5 / 4)
    assert recall.value == recall.high == 0.5
    assert f1.value == pytest.approx(2 * 0.875 * 0.5 / 1.375)
    assert right.value == pytest.approx(0.75)
    assert right.low < 0.75 < right.high == 1
