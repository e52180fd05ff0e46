"""Distances, what chance gives, and the accuracy that confidence lets expect."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2

from serving.watch.compare import LEAST_TEXTS, by_chance, compare, distance, estimated_accuracy
from serving.watch.measures import histograms
from serving.watch.reference import Accuracy, Reference

COUNTS = st.lists(st.integers(0, 500), min_size=4, max_size=4).filter(any)


@given(COUNTS, COUNTS)
def test_the_distance_is_that_of_scipy_and_symmetric(one, other):
    assert distance(one, other) == pytest.approx(jensenshannon(one, other, base=2), abs=1e-6)
    assert distance(one, other) == pytest.approx(distance(other, one), abs=1e-12)
    assert 0 <= distance(one, other) <= 1 + 1e-12
    assert distance(one, [7 * count for count in one]) == pytest.approx(0, abs=1e-7)


def test_no_bin_in_common_is_one():
    assert distance([3, 0], [0, 9]) == 1


@pytest.mark.parametrize(("bins", "texts", "other"), [(2, 100, 400), (3, 300, 300), (10, 383, 150), (10, 1000, 5000)])
def test_chance_stays_below_what_is_said_in_about_99_of_100_draws(bins, texts, other):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(bins, 5.0))
    draws = [
        distance(a, b)
        for a, b in zip(
            rng.multinomial(texts, shares, size=2000), rng.multinomial(other, shares, size=2000), strict=True
        )
    ]
    above = float((np.array(draws) > by_chance(bins, texts, other)).mean())
    assert 0.002 <= above <= 0.02
    exact = np.sqrt(chi2.ppf(0.99, bins - 1) * (1 / texts + 1 / other) / (8 * np.log(2)))
    assert by_chance(bins, texts, other) == pytest.approx(exact, rel=0.02)


def made(texts: int = 400, seed: int = 0) -> tuple[Reference, np.random.Generator]:
    rng = np.random.default_rng(seed)
    rows = [row(rng) for _ in range(texts)]
    least = float(np.quantile([one["stance", "confidence"] for one in rows], 1 - 0.8, method="higher"))
    reference = Reference(
        rows=texts,
        texts=texts,
        histograms=histograms(rows, {("stance", "confidence"): least}),
        accuracy={"stance": Accuracy(measured=0.8, rows=texts, least=least)},
    )
    return reference, rng


def row(rng, shares=(0.3, 0.4, 0.3), longer=0.0, surer=0.0):
    return {
        ("", "length"): float(rng.poisson(20 + longer)),
        ("stance", "label"): str(rng.choice(["support", "neutrality", "criticism"], p=shares)),
        ("stance", "confidence"): float(min(1, rng.beta(6, 3) + surer)),
    }


def counted(reference, rows):
    return {
        one.key: np.bincount([one.place(values[one.key]) for values in rows], minlength=len(one.counts))
        for one in reference.histograms
    }


def verdicts(reference, rows):
    found = compare(reference, counted(reference, rows), len(rows))
    return {one.key: one.verdict for one in found}


def test_rows_of_the_same_kind_are_as_in_validation():
    reference, rng = made()
    assert set(verdicts(reference, [row(rng) for _ in range(500)]).values()) == {"as in validation"}


def test_what_has_shifted_is_found_and_nothing_else():
    reference, rng = made()
    assert verdicts(reference, [row(rng, shares=(0.05, 0.15, 0.8)) for _ in range(500)]) == {
        ("", "length"): "as in validation",
        ("stance", "label"): "different",
        ("stance", "confidence"): "as in validation",
    }
    assert verdicts(reference, [row(rng, longer=25) for _ in range(150)])["", "length"] == "different"
    slightly = verdicts(reference, [row(rng, shares=(0.2, 0.4, 0.4)) for _ in range(4000)])
    assert slightly["stance", "label"] == "a little different"


def test_few_texts_are_not_enough_on_either_side():
    reference, rng = made()
    few = [row(rng, longer=50) for _ in range(LEAST_TEXTS - 1)]
    assert set(verdicts(reference, few).values()) == {"not enough rows"}
    assert all(one.distance is None for one in compare(reference, counted(reference, few), len(few)))
    small, rng = made(texts=LEAST_TEXTS - 1)
    assert set(verdicts(small, [row(rng) for _ in range(500)]).values()) == {"not enough rows"}


def test_a_measure_without_a_row_is_left_out():
    reference, rng = made()
    counts = counted(reference, [row(rng) for _ in range(200)])
    counts.pop(("", "length"))
    counts["stance", "label"][:] = 0
    assert [one.key for one in compare(reference, counts, 200)] == [("stance", "confidence")]


def test_the_accuracy_is_the_share_of_sure_rows():
    reference, rng = made()
    validation = {one.key: np.array(one.counts) for one in reference.histograms}
    assert estimated_accuracy(reference, validation, "stance") == pytest.approx(0.8, abs=0.01)
    surer = [row(rng, surer=0.1) for _ in range(300)]
    least = reference.accuracy["stance"].least
    share = np.mean([one["stance", "confidence"] >= least for one in surer])
    assert estimated_accuracy(reference, counted(reference, surer), "stance") == pytest.approx(share)
    assert share > 0.85
    assert estimated_accuracy(reference, counted(reference, surer), "sentiment") is None
    assert estimated_accuracy(reference, {}, "stance") is None
