import numpy as np
import pytest

from training.evaluation.paired import McNemar, holm, mcnemar, randomisation_p


def test_randomisation_by_hand():
    # Three groups, ours all right, theirs all wrong: of the 8 ways to swap, 2 have a difference as large as observed.
    true = np.array([0, 1, 2])
    p = randomisation_p(true, [true], [(true + 1) % 3], np.arange(3))
    assert p == pytest.approx(2 / 8, abs=0.015)
    # In one group, there is nothing to swap but all: 2 of 2.
    assert randomisation_p(true, [true], [(true + 1) % 3], np.zeros(3, dtype=np.int64)) == 1


def test_alike_sides_are_not_told_apart_and_unlike_ones_are():
    rng = np.random.default_rng(0)
    true, groups = rng.integers(0, 3, 300), np.repeat(np.arange(100), 3)
    good, other = (np.where(rng.random(300) < 0.8, true, (true + 1) % 3) for _ in range(2))
    poor = np.where(rng.random(300) < 0.6, true, (true + 1) % 3)
    assert randomisation_p(true, [good], [good], groups) == 1
    assert randomisation_p(true, [good], [other], groups) > 0.05
    assert randomisation_p(true, [good, other], [poor], groups) < 0.01


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]


def test_mcnemar_by_hand():
    true = np.zeros(12, dtype=np.int64)
    first = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0])  # 5 right
    second = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])  # 10 right
    # Alone right: first 1, second 6; exact binomial: 2 * (1 + 7) / 2**7.
    assert mcnemar(true, first, second) == McNemar(4, 1, 6, 1, pytest.approx(0.125))
    assert mcnemar(true, first, first).p == 1
