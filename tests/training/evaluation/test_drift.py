"""The report on recent rows."""

import numpy as np
import pytest

from serving.labels import UNLABELLED
from serving.watch.compare import LEAST_TEXTS
from tests.serving.watch.test_compare import made, row
from training.evaluation.drift import drift_frame, drift_metrics, drift_picture, drift_report


def report(count: int = 400, right=None, twice: bool = False, **shift):
    reference, rng = made()
    rows = [row(rng, **shift) for _ in range(count)]
    texts = [f"text {i}" for i in range(count)]
    if twice:
        rows, texts = rows * 2, texts * 2
    return drift_report(reference, rows, texts, right or {})


def of(found, *key):
    [one] = [one for one in found.measures if one.difference.key == key]
    return one


def test_the_interval_holds_the_distance_and_narrows_with_more_texts():
    few, many = (of(report(count, shares=(0.1, 0.2, 0.7)), "stance", "label") for count in (150, 3000))
    for one in (few, many):
        assert one.low < one.difference.distance < one.high
        assert one.low > one.difference.chance
    assert many.high - many.low < few.high - few.low
    assert one.change() == "criticism: 31%, now 70%" or "criticism" in one.change()


def test_copies_of_texts_add_nothing():
    once, twice = report(), report(twice=True)
    assert twice.rows == 2 * once.rows
    assert twice.texts == once.texts
    for one, other in zip(once.measures, twice.measures, strict=True):
        assert one.difference == other.difference
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


def test_the_interval_covers_the_true_distance():
    truth = of(report(40_000, shares=(0.15, 0.35, 0.5)), "stance", "label").difference.distance
    covered = 0
    reference, _ = made()
    for seed in range(40):
        rng = np.random.default_rng(100 + seed)
        rows = [row(rng, shares=(0.15, 0.35, 0.5)) for _ in range(300)]
        one = of(drift_report(reference, rows, [str(i) for i in range(300)], {}), "stance", "label")
        covered += one.low <= truth <= one.high
    assert covered >= 34


def test_labels_say_how_far_the_estimate_is_off():
    right = np.full(400, UNLABELLED, dtype=np.int64)
    right[:100] = [1] * 60 + [0] * 40
    [one] = report(right={"stance": right}).accuracy
    assert one.measured.value == pytest.approx(0.6)
    assert one.labelled == 100
    assert one.estimate.low <= one.estimate.value <= one.estimate.high
    assert one.estimate.value == pytest.approx(0.8, abs=0.07)
    [none] = report(right={"stance": np.full(400, UNLABELLED, dtype=np.int64)}).accuracy
    assert none.measured is None


def test_few_rows_give_no_figure():
    found = report(LEAST_TEXTS - 1)
    assert not found.enough
    assert {one.difference.verdict for one in found.measures} == {"not enough rows"}
    assert [one.estimate for one in found.accuracy] == [None]
    assert drift_metrics(found) == {"drift/rows": LEAST_TEXTS - 1, "drift/texts": LEAST_TEXTS - 1}
    assert drift_frame(found)["distance"].isna().all()
    assert len(drift_picture(found).axes) >= 3


def test_figures_for_mlflow_are_those_of_the_report():
    found = report(shares=(0.1, 0.2, 0.7))
    metrics = drift_metrics(found)
    assert metrics["drift/stance/label"] == of(found, "stance", "label").difference.distance
    assert metrics["drift/text/length"] == of(found, "", "length").difference.distance
    assert metrics["drift/stance/estimated_accuracy"] == found.accuracy[0].estimate.value
    table = drift_frame(found)
    assert table["verdict"].tolist() == [one.difference.verdict for one in found.measures]
