"""Permutation tests against known answers, scipy and their own rules."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, permutation_test

from serving.article.permutation import PERMUTATIONS, corrected, differences_at, p_values, strongest

values = st.lists(st.floats(-1, 1), min_size=2, max_size=12).map(np.array)


def cuts(*places):
    return np.array(places, dtype=np.intp)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(1e-6, 1), max_size=30))
def test_p_values_are_corrected_as_scipy_does(p):
    assert corrected(np.array(p)) == pytest.approx(false_discovery_control(p) if p else [])


@settings(max_examples=25, deadline=None)
@given(values)
def test_differences_are_those_of_weighted_means(some):
    places = cuts(*range(1, len(some)))
    wanted = [
        abs(some[:cut].mean() - some[cut:].mean()) * np.sqrt(cut * (len(some) - cut) / len(some)) for cut in places
    ]
    assert differences_at(some, places) == pytest.approx(np.array(wanted), abs=1e-9)


def test_the_strongest_cut_is_the_first_of_equal_ones():
    assert strongest(np.array([1.0, 1, 0, 0, 0]), cuts(1, 2, 3, 4)) == 1
    assert strongest(np.zeros(5), cuts(2, 3)) == 0
    assert strongest(np.array([1.0, 0, 0, 1]), cuts(1, 3)) == 0


def exact(some, places):
    """The p value of all orders."""
    observed = differences_at(some, places).max() - 1e-9
    return np.mean([differences_at(np.array(one), places).max() >= observed for one in itertools.permutations(some)])


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from([-0.9, -0.1, 0.0, 0.5, 0.85]), min_size=6, max_size=7).map(np.array))
def test_p_is_that_of_all_orders(some):
    places = cuts(2, 3, 4)
    wanted = exact(some, places)
    [p] = p_values([(some, places)])
    # 100 orders that differ as much, or 10,000 in all.
    assert p == pytest.approx(wanted, rel=0.4, abs=0.001)


def test_with_one_cut_it_is_the_test_of_two_samples():
    one, other = np.array([0.1, 0.5, 0.3, 0.8, 0.7]), np.array([-0.2, 0.2, 0.4, -0.6, 0.1, 0.0])

    def differ(a, b, axis):
        return np.abs(a.mean(axis=axis) - b.mean(axis=axis))

    wanted = permutation_test((one, other), differ, vectorized=True, alternative="greater")
    [p] = p_values([(np.concatenate([one, other]), cuts(5))])
    assert p == pytest.approx(wanted.pvalue, rel=0.15)


@settings(max_examples=25, deadline=None)
@given(st.lists(values, max_size=4))
def test_p_is_above_0_and_at_most_1(several):
    p = p_values([(some, cuts(*range(1, len(some)))) for some in several])
    assert p.shape == (len(several),)
    assert ((p > 0) & (p <= 1)).all()


@settings(max_examples=25, deadline=None)
@given(values, st.randoms())
def test_p_does_not_depend_on_the_order_within_a_side(some, random):
    """Nor on the other tests of as many values."""
    cut = len(some) // 2
    sides = some[:cut].tolist(), some[cut:].tolist()
    for side in sides:
        random.shuffle(side)
    [one] = p_values([(some, cuts(cut))])
    _, other = p_values([(np.linspace(0, 1, len(some)), cuts(cut)), (np.concatenate(sides), cuts(cut))])
    assert one == other


def test_identical_values_do_not_differ():
    assert p_values([(np.full(8, 0.3), cuts(3, 4))]).tolist() == [1]
    assert p_values([]).tolist() == []


def test_chance_alone_gives_p_values_that_are_evenly_spread():
    random = np.random.default_rng(1)
    p = p_values([(random.normal(size=12 + place % 9), cuts(3, 5, 8)) for place in range(2_000)])
    for share in (0.05, 0.25, 0.5):
        assert np.mean(p <= share) == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 2_000))


def test_one_change_among_thousands_of_pairs_is_found():
    random = np.random.default_rng(2)
    tests = [(random.normal(size=20), cuts(5, 10, 15)) for _ in range(3_000)]
    planted = np.concatenate([np.full(15, 0.8), np.full(15, -0.8)]) + random.normal(scale=0.1, size=30)
    p = p_values([*tests, (planted, cuts(5, 10, 15))])
    assert p[-1] < 1 / PERMUTATIONS
    assert np.flatnonzero(corrected(p) < 0.05).tolist() == [3_000]
