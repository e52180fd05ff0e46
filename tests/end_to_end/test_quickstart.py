"""The real encoder on the real statements; minutes, so `make test-slow`."""

import csv
import re

import mlflow
import pytest

from serving import StanceClassifier, Statement
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

# What README and docs show, and what people type first: text, holder, target, stances that make sense.
CONTRACT = "The union welcomed the new contract, which the owners called a mistake."
ASKED = [
    ("Oslo hailed the accord.", "Oslo", "the accord", {"support"}),
    ("Oslo hailed the accord, which Rome rejected.", "Oslo", "the accord", {"support"}),
    ("Oslo hailed the accord, which Rome rejected.", "Rome", "the accord", {"criticism"}),
    (CONTRACT, "The union", "the new contract", {"support"}),
    (CONTRACT, "the owners", "the new contract", {"criticism"}),
    ("The mayor hailed the tram plan.", "The mayor", "the tram plan", {"support"}),
    ("“It is a waste,” said Ada Lund.", "Ada Lund", "It", {"criticism"}),
    ("Nobody likes the bus plan.", None, "the bus plan", {"criticism", "neutrality"}),
    ("I like my doctor but I don't like the clinic.", None, "my doctor", {"support"}),
    ("I like my doctor but I don't like the clinic.", None, "the clinic", {"criticism"}),
]


@pytest.fixture(scope="module")
def model(project):
    """The model of `make demo`, with its run."""
    for name in ("data", "configs"):
        (project.folder / name).symlink_to(REPOSITORY / name)
    options = ("--set", "experiment=quickstart", "--set", "register={name: quick, alias: champion}")
    project.run("training", "train", "configs/quickstart.yaml", *options, most_seconds=1800)
    mlflow.set_tracking_uri(project.store)
    [run] = mlflow.search_runs(experiment_names=["quickstart"], output_format="list")
    return run


def test_it_learns_within_the_memory_promised(model):
    assert model.data.metrics["test/stance/macro_f1_low"] > 2 / 3
    assert model.data.metrics["test/sentiment/macro_f1_low"] > 2 / 3
    assert model.data.metrics["cost/peak_memory_gb"] < 3
    assert "system/cpu_utilization_percentage" in model.data.metrics


def test_the_sample_makes_sense(model, project):
    shown = project.run("training", "sample", "state-visit", "--model", "models:/quick@champion").stdout
    assert "make ui" in shown
    assert "→" in shown
    right, sure = re.search(r"(\d+) of the (\d+) the model is sure of", shown).groups()
    assert int(right) >= 0.8 * int(sure)


def test_it_answers_what_the_documents_ask_as_they_say(model):
    classifier = StanceClassifier.load("models:/quick@champion")
    answers = classifier.predict([Statement(text=text, speaker=who, target=what) for text, who, what, _ in ASKED])
    wrong = [
        (text, who, what, answer.stance.label)
        for (text, who, what, wanted), answer in zip(ASKED, answers, strict=True)
        if answer.stance.label not in wanted
    ]
    assert not wrong


def test_it_finds_the_two_who_change_sides_in_the_archive_at_their_months_and_no_third(model, project):
    """The walk of docs/over-time.md."""
    target = "Kalvere Terminal=the terminal,the harbour,the port"
    command = ("serving", "article", "data/archive", "--model", "models:/quick@champion", "--trend", "month")
    project.run(*command, "--target", target, "--output", "trend.csv")
    with (project.folder / "trend.changes.csv").open(encoding="utf-8", newline="") as lines:
        changed = [row for row in csv.DictReader(lines) if row["changed"] == "True"]
    found = {(row["speaker"], row["target"], row["since"], float(row["difference"]) > 0) for row in changed}
    assert found == {
        ("Kurzeme Coast Fishermen Union", "Kalvere Terminal", "2026-06", False),
        ("Ilze Brantmane", "Kalvere Terminal", "2026-08", True),
    }
