"""A search over a config: trials in MLflow and in the database, killed and gone on with, shared by two processes."""

import os
import signal
import subprocess
import sys
import time

import mlflow
import optuna
import pytest
import yaml

from training.config import TrainConfig, load_config


def sweep_file(project, name, trials, **more):
    space = {"optimiser.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}, "batch.rows": {"choices": [16, 32]}}
    values = {"name": name, "base": "tiny.yaml", "trials": trials, "space": space, "unpruned": 1, **more}
    (project.folder / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return f"{name}.yaml"


def found(project, name):
    """The parent run and its trials."""
    mlflow.set_tracking_uri(project.store)
    filter_string = f"tags.kind = 'sweep' and attributes.run_name = '{name}'"
    [parent] = mlflow.search_runs(experiment_names=["stance"], filter_string=filter_string, output_format="list")
    filter_string = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    return parent, mlflow.search_runs(experiment_names=["stance"], filter_string=filter_string, output_format="list")


def study(project, parent):
    storage = optuna.storages.RDBStorage(project.store, skip_compatibility_check=True)
    return optuna.load_study(study_name=parent.data.tags["study"], storage=storage)


def test_a_sweep_leaves_plots_costs_and_a_config_that_train_takes(project):
    done = project.run("training", "sweep", sweep_file(project, "search", 3))
    parent, trials = found(project, "search")
    assert parent.info.status == "FINISHED"
    assert len(trials) == 3
    assert all(not any(key.startswith("test/") for key in trial.data.metrics) for trial in trials), "test is not read"
    assert parent.data.metrics["sweep/trials"] == 3
    assert parent.data.metrics["cost/minutes"] > 0
    client = mlflow.MlflowClient()
    plots = {file.path for file in client.list_artifacts(parent.info.run_id, "plots")}
    assert {"plots/history.png", "plots/slice.png"} <= plots
    best = study(project, parent).best_trial
    assert parent.data.metrics["sweep/best_macro_f1"] == pytest.approx(best.value)
    assert parent.data.tags["best.run"] in {trial.info.run_id for trial in trials}
    config = load_config(project.folder / "search-best.yaml", TrainConfig)
    assert config.optimiser.learning_rate == pytest.approx(best.params["optimiser.learning_rate"])
    assert config.batch.rows == [16, 32][best.params["batch.rows"]]
    assert config.data.test, "the test part is back"
    assert "best config: search-best.yaml" in done.stdout
    done = project.run("training", "train", "search-best.yaml", "--set", "register=null", "--set", "epochs=0.2")
    assert "search-best: test" in done.stdout
    again = project.run("training", "sweep", "search.yaml")
    assert "3 of 3 trials are done" in again.stdout
    assert len(found(project, "search")[1]) == 3


@pytest.mark.slow
def test_a_hopeless_trial_is_stopped_early_and_leaves_nothing_behind(project):
    # With this seed the first two trials learn, and two with a hopeless rate come after them.
    space = {"optimiser.learning_rate": {"choices": [1e-2, 1e-9]}, "epochs": {"choices": [9, 10]}}
    done = project.run("training", "sweep", sweep_file(project, "pruned", 4, space=space, seed=4))
    parent, trials = found(project, "pruned")
    stopped = [trial for trial in trials if "pruned" in trial.data.tags]
    assert stopped, done.stdout
    assert all(trial.info.status == "KILLED" for trial in stopped)
    assert parent.data.metrics["sweep/pruned"] == len(stopped)
    assert done.stdout.count("behind the median") == len(stopped)
    assert not any((project.folder / "runs" / trial.info.run_id).exists() for trial in trials)


def test_mlflow_still_reads_the_database_that_holds_the_trials(project):
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "experiments", "search"],
        env=project.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "stance" in done.stdout


@pytest.mark.slow
def test_a_killed_sweep_goes_on(project):
    name = sweep_file(project, "killed", 4, seed=1)
    with subprocess.Popen(
        [sys.executable, "-m", "training", "sweep", name],
        cwd=project.folder,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        for line in running.stdout:
            if line.startswith("trial 2"):
                break
        time.sleep(1)
        os.kill(running.pid, signal.SIGKILL)
    done = project.run("training", "sweep", name)
    assert "2 of 4 trials are done" in done.stdout
    parent, _ = found(project, "killed")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["sweep/trials"] == 4


@pytest.mark.slow
def test_two_processes_share_a_sweep(project):
    name = sweep_file(project, "shared", 4, seed=2)
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "training", "sweep", name],
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [one.communicate(timeout=300)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0], outputs
    parent, trials = found(project, "shared")
    assert 4 <= len(trials) <= 5  # the last two may have been under way at once
    numbers = {trial.info.run_name for trial in trials}
    assert len(numbers) == len(trials)
    assert all(output.count("trial ") >= 1 for output in outputs), "each had a share"
    assert parent.data.metrics["sweep/trials"] >= 4


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"optimiser.rate": {"low": 1, "high": 2}}, "optimiser.rate: unknown key"),
        ({"epochs": {"low": 3, "high": 2}}, "low must be below high"),
        ({"epochs": [1, 2]}, "epochs: give either {low: ..., high: ...} or {choices: [...]}"),
        ({"template": {"choices": ["marked", "inline"]}}, "template"),
        ({"data.train": {"choices": ["a.jsonl", "b.jsonl"]}}, "does not change how a model is trained"),
    ],
)
def test_a_space_that_does_not_fit_is_an_error_before_any_trial(project, space, message):
    name = sweep_file(project, "wrong", 2, space=space)
    done = project.run("training", "sweep", name, check=False)
    assert done.returncode == 1
    assert message in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr
