"""A training that is killed goes on from its last checkpoint, in the same run, to the same result."""

import signal
import subprocess
import sys
import time

import mlflow
import pytest

LONG = {"epochs": 6, "experiment": "resume", "register": None, "seeds": [5]}


def test_a_killed_run_is_resumed_to_the_result_of_an_unbroken_one(project):
    mlflow.set_tracking_uri(project.store)
    whole, broken = project.config("whole", **LONG), project.config("broken", **LONG)
    project.run("training", "train", whole)
    command = [sys.executable, "-m", "training", "train", broken]
    # Other tests of this worker may have left the folder of a killed run.
    earlier = set(_checkpoints(project))
    process = subprocess.Popen(command, cwd=project.folder, env=project.environment, stdout=subprocess.DEVNULL)
    _wait_for(lambda: set(_checkpoints(project)) - earlier, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    runs = mlflow.search_runs(experiment_names=["resume"], output_format="list")
    [killed] = [run for run in runs if run.info.run_name == "broken"]
    assert killed.info.status == "RUNNING"

    done = project.run("training", "train", "--resume", killed.info.run_id)
    assert "epoch 1:" not in done.stdout, "the first epoch is not trained again"

    runs = {run.info.run_name: run for run in mlflow.search_runs(experiment_names=["resume"], output_format="list")}
    assert set(runs) == {"whole", "broken"}, "no second run"
    assert runs["broken"].info.status == "FINISHED"
    for name in ("test/stance/macro_f1", "test/sentiment/ece", "validation/stance/aurc"):
        assert runs["broken"].data.metrics[name] == pytest.approx(runs["whole"].data.metrics[name], abs=1e-6)
    steps = {
        point.step for point in mlflow.MlflowClient().get_metric_history(killed.info.run_id, "curve/validation_loss")
    }
    assert steps == {5, 10, 15, 20, 25, 30}

    again = project.run("training", "train", "--resume", killed.info.run_id, check=False)
    assert again.returncode == 1
    assert "is finished; there is nothing to resume" in again.stderr


def test_a_run_that_does_not_exist_cannot_be_resumed(project):
    done = project.run("training", "train", "--resume", "0" * 32, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def _checkpoints(project):
    return project.folder.glob("runs/*/checkpoint-10/trainer_state.json")


def _wait_for(condition, process) -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "training ended before it could be killed"
        time.sleep(0.02)
    raise AssertionError("no checkpoint appeared")
