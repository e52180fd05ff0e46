"""The gate's conditions, on runs of a real SQLite store."""

import mlflow
import pytest

from serving import StancewiseError
from serving.store.run_files import CONFIG_FILE
from training.experiments.promote import PromotionConfig, calibration

GATE = PromotionConfig(samples="samples.jsonl", most_ece=0.05)


pytestmark = pytest.mark.usefixtures("store")


def run_with(metrics, heads=("stance", "sentiment")):
    with mlflow.start_run() as run:
        mlflow.log_metrics(metrics)
        mlflow.log_dict({"heads": list(heads)}, CONFIG_FILE)
    return run.info.run_id


def test_every_head_must_be_measured_and_within_the_limit():
    run_id = run_with({"test/stance/ece": 0.04, "test/sentiment/ece": 0.06})
    assert [(one.name, one.met) for one in calibration(run_id, GATE)] == [
        ("stance calibrated", True),
        ("sentiment calibrated", False),
    ]
    one_head = run_with({"test/stance/ece": 0.04}, heads=["stance"])
    assert [one.met for one in calibration(one_head, GATE)] == [True]


@pytest.mark.parametrize("other", ["test/stance/ece", "validation/sentiment/ece", "test/sentiment/accuracy"])
def test_a_missing_figure_is_not_met_and_named(other):
    run_id = run_with({"test/stance/ece": 0.01, other: 0.01})
    stance, sentiment = calibration(run_id, GATE)
    assert stance.met
    assert not sentiment.met
    assert "has no test/sentiment/ece" in sentiment.figures


def test_a_run_that_is_not_ours_is_refused():
    with mlflow.start_run() as run:
        mlflow.log_metric("test/stance/ece", 0.01)
    with pytest.raises(StancewiseError, match=r"no config\.json"):
        list(calibration(run.info.run_id, GATE))
