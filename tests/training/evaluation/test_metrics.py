import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score

from training.evaluation.metrics import (
    Metric,
    area_under_risk_coverage,
    cohen_kappa,
    confusion,
    contrast_rows,
    difference_macro_f1,
    expected_calibration_error,
    f1_per_class,
    group_weights,
    head_metrics,
    macro_f1,
    macro_f1_score,
    mean_macro_f1,
)

labels = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40)


@given(labels)
def test_f1_is_that_of_scikit_learn_with_and_without_weights(rows):
    true, predicted, weight = (np.array(column) for column in zip(*rows, strict=True))
    ones = np.ones((1, len(true)))
    assert macro_f1(true, predicted, ones)[0] == pytest.approx(f1_score(true, predicted, average="macro"))
    assert macro_f1_score(true, predicted) == macro_f1(true, predicted, ones)[0]
    if weight.sum():
        expected = f1_score(true, predicted, average=None, labels=[0, 1, 2], sample_weight=weight, zero_division=0)
        counts = confusion(true, predicted, weight[None, :].astype(float))
        np.testing.assert_allclose(f1_per_class(counts)[0], expected, atol=1e-12)


@given(labels)
@pytest.mark.filterwarnings("ignore")  # scikit-learn's, where there is one label only
def test_kappa_is_that_of_scikit_learn_with_and_without_weights(rows):
    one, other, weight = (np.array(column) for column in zip(*rows, strict=True))
    for weights in (np.ones(len(one)), weight.astype(float)):
        if weights.sum():
            expected = cohen_kappa_score(one, other, labels=[0, 1, 2], sample_weight=weights)
            [found] = cohen_kappa(confusion(one, other, weights[None, :]))
            assert found == pytest.approx(expected, nan_ok=True)


def test_a_figure_is_shown_in_percent_and_a_difference_in_signed_points():
    metric = Metric(0.0123, -0.004, 0.0287)
    assert str(metric) == "1.2 [-0.4, 2.9]"
    assert metric.interval == "[-0.4, 2.9]"
    assert metric.points == "+1.2 [-0.4, +2.9]"


def test_a_figure_without_an_interval_is_shown_alone():
    assert str(Metric(0.8, 0.8, 0.8)) == "80.0"
    assert Metric(0.0, 0.0, 0.0).points == "+0.0 [+0.0, +0.0]"


def test_the_interval_holds_the_middle_95_percent_of_the_resamples():
    assert Metric.of(0.5, np.linspace(0, 1, 1001)) == Metric(0.5, 0.025, 0.975)


def test_calibration_error_by_hand():
    # Bin 0.9-1.0: confidence 0.95, accuracy 1/2, gap 0.45; bin 0.5-0.6: confidence 0.55, accuracy 1, gap 0.45.
    correct, confidence = np.array([1.0, 0.0, 1.0]), np.array([0.95, 0.95, 0.55])
    assert expected_calibration_error(correct, confidence, np.ones((1, 3)))[0] == pytest.approx((2 * 0.45 + 0.45) / 3)


def test_area_under_risk_coverage_by_hand():
    # Most confident first: right, wrong, right, wrong -> risks 0, 1/2, 1/3, 1/2.
    correct, confidence = np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.8, 0.9, 0.7, 0.6])
    area = area_under_risk_coverage(correct, confidence, np.ones((1, 4)))[0]
    assert area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)


def test_groups_are_drawn_whole():
    groups = np.array([0, 0, 1, 2, 2, 2])
    weights = group_weights(groups, resamples=50)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    drawn = weights[:, [0, 2, 3]].sum(axis=1)
    assert (drawn == 3).all()


def test_rows_that_hang_together_widen_the_interval():
    rng = np.random.default_rng(0)
    true = np.repeat(rng.integers(0, 3, 60), 5)
    predicted = np.where(np.repeat(rng.random(60) < 0.7, 5), true, (true + 1) % 3)
    probabilities = np.eye(3)[predicted] * 0.8 + 0.2 / 3
    alone = head_metrics("stance", true, probabilities, np.arange(300))["macro_f1"]
    together = head_metrics("stance", true, probabilities, np.repeat(np.arange(60), 5))["macro_f1"]
    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)


def test_unlabelled_rows_do_not_count():
    true = np.array([0, 1, 2, -100])
    probabilities = np.eye(3)[[0, 1, 2, 0]]
    metrics = head_metrics("stance", true, probabilities, np.arange(4))
    assert metrics["accuracy"].value == 1
    assert head_metrics("stance", true[3:], probabilities[3:], np.arange(1)) == {}


def test_differences_are_paired():
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, 200)
    worse = np.where(rng.random(200) < 0.5, true, (true + 1) % 3)
    better = np.where(rng.random(200) < 0.3, true, worse)
    same = difference_macro_f1(true, [worse], [worse], np.arange(200))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    gain = difference_macro_f1(true, [better, better], [worse, worse], np.arange(200))
    assert 0 < gain.low < gain.value < gain.high
    assert mean_macro_f1(true, [worse, true], np.arange(200)).value == pytest.approx(
        (1 + f1_score(true, worse, average="macro")) / 2
    )


def test_contrast_rows_share_a_text_and_differ_in_label():
    texts = ["a", "a", "b", "b", "c", "a"]
    chosen = contrast_rows(texts, np.array([0, 1, 2, 2, 0, -100]))
    assert chosen.tolist() == [True, True, False, False, False, False]
