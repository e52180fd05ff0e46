"""Cross-validation, the audit of its labels, and training with the corrections."""

import csv

import mlflow
import pytest

from tests.conftest import read_lines


@pytest.fixture(scope="module")
def crossed(project):
    config = project.config("crossed", epochs=1, register=None)
    done = project.run("training", "train", config, "--folds", "3")
    mlflow.set_tracking_uri(project.store)
    filter_string = "tags.kind = 'folds' and attributes.run_name = 'crossed, 3 folds'"
    [run] = mlflow.search_runs(experiment_names=["stance"], filter_string=filter_string, output_format="list")
    return done, run


def test_the_parent_holds_figures_and_predictions_of_every_row(project, crossed):
    done, run = crossed
    assert "crossed: 220 statements, each out of fold" in done.stdout
    metrics = run.data.metrics
    for head in ("stance", "sentiment"):
        value = metrics[f"out_of_fold/{head}/macro_f1"]
        assert metrics[f"out_of_fold/{head}/macro_f1_low"] <= value <= metrics[f"out_of_fold/{head}/macro_f1_high"]
        assert metrics[f"out_of_fold/{head}/macro_f1_spread_of_folds"] >= 0
    figures = mlflow.MlflowClient().load_table(run.info.experiment_id, "tables/metrics.json", [run.info.run_id])
    assert set(figures["part"]) == {"out_of_fold"}
    assert {"macro_f1", "ece"} <= set(figures["metric"])
    table = mlflow.MlflowClient().load_table(
        run.info.experiment_id, "tables/out_of_fold_predictions.json", [run.info.run_id]
    )
    ids = [
        row["id"] for part in ("train", "validation") for row in read_lines(project.folder / f"statements/{part}.jsonl")
    ]
    assert table["id"].tolist() == ids
    children = mlflow.search_runs(
        experiment_names=["stance"],
        filter_string=f"tags.`mlflow.parentRunId` = '{run.info.run_id}'",
        output_format="list",
    )
    assert len(children) == 3
    assert all("held_out/stance/macro_f1" in child.data.metrics for child in children)
    mean = sum(child.data.metrics["held_out/stance/macro_f1"] for child in children) / 3
    assert metrics["out_of_fold/stance/macro_f1_mean_of_folds"] == pytest.approx(mean)


def test_finished_folds_are_not_run_again(project, crossed):
    _, run = crossed
    done = project.run("training", "train", "crossed.yaml", "--folds", "3", "--reuse")
    assert done.stdout.count("nothing to do") == 3
    filter_string = "tags.kind = 'folds' and attributes.run_name = 'crossed, 3 folds'"
    again, _ = mlflow.search_runs(experiment_names=["stance"], filter_string=filter_string, output_format="list")
    for name in ("macro_f1", "ece"):
        key = f"out_of_fold/stance/{name}"
        assert again.data.metrics[key] == pytest.approx(run.data.metrics[key])


def test_doubtful_labels_are_listed_and_corrections_reach_the_training(project, crossed):
    _, run = crossed
    done = project.run("training", "audit", run.info.run_id)
    with (project.folder / "doubts.csv").open(newline="", encoding="utf-8") as file:
        doubts = list(csv.DictReader(file))
    assert f"{len(doubts)} doubtful labels: doubts.csv" in done.stdout
    assert doubts
    project.run("training", "audit", run.info.run_id, "--output", "again.csv")
    assert all(row["label"] != row["suggested"] and row["reason"].startswith(row["label"]) for row in doubts)
    logged = mlflow.MlflowClient().load_table(run.info.experiment_id, "tables/doubtful_labels.json", [run.info.run_id])
    assert logged["id"].tolist() == [row["id"] for row in doubts]
    doubts[0]["corrected"] = doubts[0]["suggested"]
    with (project.folder / "put-right.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, doubts[0])
        table.writeheader()
        table.writerows(doubts)
    data = {part: f"statements/{part}.jsonl" for part in ("train", "validation", "test")}
    config = project.config("corrected", data=data | {"corrections": "put-right.csv"}, epochs=0.2, register=None)
    done = project.run("training", "train", config)
    assert "put-right.csv: 1 labels corrected" in done.stdout
    [corrected] = mlflow.search_runs(
        experiment_names=["stance"], filter_string="attributes.run_name = 'corrected'", output_format="list"
    )
    assert corrected.data.params["data.corrections"] == "put-right.csv"
    [kept] = mlflow.MlflowClient().list_artifacts(corrected.info.run_id, "corrections")
    assert kept.path == "corrections/put-right.csv"


def test_an_audit_needs_a_cross_validation(project):
    done = project.run("training", "audit", "models:/stance@champion", check=False)
    assert done.returncode == 1
    assert "is no finished cross-validation" in done.stderr
    done = project.run("training", "train", "tiny.yaml", "--folds", "3", "--set", "seeds=[1,2]", check=False)
    assert "--folds: one seed at a time" in done.stderr
