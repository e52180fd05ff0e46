"""Promotion through a real registry: the gate, the alias, the tags, the way back, two at once."""

import json
import subprocess
import sys

import mlflow
import pytest
import yaml

from tests.conftest import REPOSITORY

EASY = {"least_difference": -1.0, "most_ece": 1.0}
HARD = {"least_difference": 0.9, "most_ece": 0.0001}


@pytest.fixture(scope="module")
def candidates(project):
    """Run ids: the fine-tuned model and the baseline of the project."""
    mlflow.set_tracking_uri(project.store)
    client = mlflow.MlflowClient()
    return [client.get_model_version_by_alias("stance", alias).run_id for alias in ("champion", "baseline")]


def gate(project, model, **changes):
    samples = REPOSITORY / "data" / "articles" / "state-visit.jsonl"
    values = {"model": model, "samples": str(samples), **EASY, **changes}
    path = project.folder / f"{model}-gate.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return ["--gate", path.name]


def champion(model):
    return mlflow.MlflowClient().get_model_version_by_alias(model, "champion")


def decisions(model, version):
    tags = mlflow.MlflowClient().get_model_version(model, version).tags
    return [json.loads(tags[key]) for key in sorted(tags) if key.startswith("promotion.2")]


def test_the_gate_decides_and_the_way_back_is_open(project, candidates):
    first, second = candidates
    done = project.run("training", "promote", first, *gate(project, "gated"))
    assert "there is no champion yet" in done.stdout
    assert champion("gated").run_id == first
    [decision] = decisions("gated", champion("gated").version)
    assert decision["became"] == "champion"
    assert decision["conditions"]["serves"]["met"]
    assert "@" in decision["by"]

    done = project.run("training", "promote", first, *gate(project, "gated"), check=False)
    assert "is the champion already" in done.stderr

    done = project.run("training", "promote", second, *gate(project, "gated", **HARD), check=False)
    assert done.returncode == 3
    assert "version 2 is now challenger; not met: stance not worse" in done.stdout
    assert "ECE 0." in done.stdout
    assert champion("gated").run_id == first
    assert mlflow.MlflowClient().get_model_version_by_alias("gated", "challenger").run_id == second

    done = project.run("training", "promote", "models:/gated/2", *gate(project, "gated"))
    assert "version 2 is now champion" in done.stdout
    assert champion("gated").run_id == second
    assert "challenger" not in mlflow.MlflowClient().get_registered_model("gated").aliases
    refused, accepted = decisions("gated", 2)
    assert (refused["became"], accepted["became"]) == ("challenger", "champion")
    assert accepted["against"] == "1"
    assert "points of macro-F1" in accepted["conditions"]["stance not worse"]["figures"]

    done = project.run("training", "promote", "--rollback", *gate(project, "gated"))
    assert "version 1 is now champion" in done.stdout
    assert champion("gated").run_id == first
    done = project.run("training", "promote", "--rollback", *gate(project, "gated"), check=False)
    assert "replaced no champion" in done.stderr
    mlflow.MlflowClient().set_registered_model_alias("gated", "champion", "1")


def test_of_two_promotions_at_once_one_is_refused(project, candidates):
    arguments = gate(project, "contested")
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "training", "promote", run, *arguments],
            cwd=project.folder,
            env=project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for run in candidates
    ]
    outputs = [one.communicate(timeout=300) for one in both]
    assert sorted(one.returncode for one in both) == [0, 1], outputs
    winner, loser = (0, 1) if both[0].returncode == 0 else (1, 0)
    assert "a promotion is under way" in outputs[loser][1]
    assert champion("contested").run_id == candidates[winner]
    names = {model.name for model in mlflow.MlflowClient().search_registered_models()}
    assert "contested.promotion" not in names, "the lock is given back"


def test_a_candidate_that_does_not_serve_is_no_champion(project, candidates, tmp_path):
    (tmp_path / "samples.jsonl").write_text('{"text": "Oslo hailed the dam."}\n{"speaker": "nobody"}\n')
    arguments = gate(project, "silent", samples=str(tmp_path / "samples.jsonl"))
    done = project.run("training", "promote", candidates[0], *arguments, check=False)
    assert done.returncode == 3
    assert "not met: serves" in done.stdout
    assert "1 of 2 samples labelled" in done.stdout


def test_a_first_candidate_that_was_not_measured_on_the_part_is_no_champion(project, candidates):
    done = project.run("training", "promote", candidates[0], *gate(project, "unmeasured", part="exam"), check=False)
    assert done.returncode == 3
    assert "version 1 is now challenger; not met: stance calibrated, sentiment calibrated" in done.stdout
    [decision] = decisions("unmeasured", 1)
    assert "has no exam/stance/ece" in decision["conditions"]["stance calibrated"]["figures"]
    assert "champion" not in mlflow.MlflowClient().get_registered_model("unmeasured").aliases


def test_mistakes_are_named(project, candidates):
    for arguments, message in (
        (["promote"], "give either a candidate"),
        (["promote", candidates[0], "--rollback"], "give either a candidate"),
        (["promote", "0f3c", *gate(project, "gated")], "0f3c: no such run"),
        (["promote", "--rollback", *gate(project, "nobody")], "nobody"),
    ):
        done = project.run("training", *arguments, check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert "Traceback" not in done.stderr
