"""The real encoder on the real statements; minutes, so `make test-slow`."""

import mlflow
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow


def test_one_epoch_learns_within_the_memory_promised(project):
    for name in ("data", "configs"):
        (project.folder / name).symlink_to(REPOSITORY / name)
    options = (
        "--set",
        "epochs=2",
        "--set",
        "experiment=quickstart",
        "--set",
        "register={name: quick, alias: champion}",
    )
    project.run("training", "train", "configs/quickstart.yaml", *options)
    mlflow.set_tracking_uri(project.store)
    [run] = mlflow.search_runs(experiment_names=["quickstart"], output_format="list")
    assert run.data.metrics["test/stance/macro_f1_low"] > 1 / 3
    assert run.data.metrics["cost/peak_memory_gb"] < 3
    assert "system/cpu_utilization_percentage" in run.data.metrics
    shown = project.run("training", "sample", "harbour-strike", "--model", "models:/quick@champion").stdout
    assert "make ui" in shown
    assert "→" in shown
