"""Other stores than one SQLite file: a server that goes away, PostgreSQL behind it, two trainings at once."""

import subprocess
import sys

import mlflow
import pytest

from tests.conftest import make_project
from tests.end_to_end.stores import POSTGRESQL, free_port, mlflow_server, postgresql, stop


def start(project, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "training", *arguments],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def steps(run_id, name):
    return [point.step for point in mlflow.MlflowClient().get_metric_history(run_id, name)]


@pytest.mark.slow
def test_a_server_lost_in_training_loses_nothing(tmp_path, encoder):
    project = make_project(tmp_path, encoder)
    port = free_port()
    project.environment["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
    backend = f"sqlite:///{tmp_path}/behind.db"
    with mlflow_server(tmp_path, backend, port) as server:
        training = start(project, "train", project.config("lost", epochs=8, optimiser={"learning_rate": 1e-4}))
        output = []
        for line in training.stdout:
            output.append(line)
            if line.startswith("epoch 2"):
                stop(server)
            if "waiting for the MLflow store" in line or line.startswith("epoch 8"):
                break
    assert any("the MLflow store does not answer" in line for line in output), output
    assert training.poll() is None, "it waits for the store"
    with mlflow_server(tmp_path, backend, port):
        output.append(training.communicate(timeout=200)[0])
        assert training.returncode == 0, output
        assert "nothing is lost" in output[-1]
        mlflow.set_tracking_uri(project.store)
        [run] = mlflow.search_runs(experiment_names=["stance"], output_format="list")
        assert run.info.status == "FINISHED"
        assert steps(run.info.run_id, "curve/validation_loss") == [5 * epoch for epoch in range(1, 9)]
        assert "test/stance/macro_f1" in run.data.metrics
        assert mlflow.MlflowClient().get_model_version_by_alias("stance", "champion").run_id == run.info.run_id


@pytest.mark.skipif(not POSTGRESQL, reason="PostgreSQL is not installed")
def test_postgresql_behind_a_server_takes_the_whole_line(tmp_path, encoder):
    project = make_project(tmp_path, encoder)
    port = free_port()
    project.environment["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{port}"
    with postgresql() as backend, mlflow_server(tmp_path, backend, port):
        project.run("training", "train", "tiny.yaml")
        project.run("training", "train", project.config("second", epochs=1, register=None))
        mlflow.set_tracking_uri(project.store)
        runs = mlflow.search_runs(experiment_names=["stance"], output_format="list")
        assert {run.info.status for run in runs} == {"FINISHED"}
        assert all(run.info.artifact_uri.startswith("mlflow-artifacts:") for run in runs), (
            "artifacts go through the server"
        )
        done = project.run("training", "compare", *(run.info.run_id for run in runs))
        assert "McNemar p" in done.stdout
        done = project.run(
            "serving",
            "predict",
            "--model",
            "models:/stance@champion",
            "--text",
            "Oslo hailed the dam.",
            "--target",
            "the dam",
        )
        assert "stance" in done.stdout
        assert not (tmp_path / "mlruns").exists(), "nothing is kept beside the server"


@pytest.mark.slow
def test_two_trainings_into_one_sqlite_file_both_finish(tmp_path, encoder):
    project = make_project(tmp_path, encoder)
    both = [
        start(project, "train", project.config(name, epochs=4, seeds=[seed], register=None))
        for seed, name in enumerate(("left", "right"))
    ]
    outputs = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], outputs
    mlflow.set_tracking_uri(project.store)
    runs = mlflow.search_runs(experiment_names=["stance"], output_format="list")
    assert {run.info.run_name for run in runs} == {"left", "right"}
    for run in runs:
        assert run.info.status == "FINISHED"
        assert steps(run.info.run_id, "curve/validation_loss") == [5, 10, 15, 20]
        assert {"test/stance/macro_f1", "test/sentiment/macro_f1", "cost/minutes"} <= run.data.metrics.keys()
