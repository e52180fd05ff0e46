"""From a few rows in a CSV to a registered challenger, as a user does it."""

import csv
import json
import shutil
from dataclasses import replace

import mlflow
import pytest
import yaml

from serving.store.folder import check_files, read_settings
from serving.store.versions import find_model
from serving.watch.reference import read_reference
from tests.conftest import STATEMENTS, Project, read_lines, write_lines
from training.evaluation.compare import compare, read_sides

ROWS = read_lines(STATEMENTS / "train.jsonl")[1000:1070]


def write_csv(path, rows, columns=("text", "speaker", "target", "stance", "group")):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path.name


@pytest.fixture(scope="module")
def own(tmp_path_factory, project) -> Project:
    """A copy of the project with a store of its own: other tests know its versions."""
    folder = tmp_path_factory.mktemp("adapt") / "project"
    shutil.copytree(project.folder, folder)
    write_csv(folder / "mine.csv", ROWS)
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "STANCEWISE_CACHE": f"{folder}/cache"}
    return replace(project, folder=folder, environment=project.environment | store)


@pytest.fixture(scope="module")
def adapted(own):
    return own.run("training", "adapt", "--data", "mine.csv", "--epochs", "2", most_seconds=600)


@pytest.fixture
def client(own, adapted):
    mlflow.set_tracking_uri(own.store)
    return mlflow.MlflowClient()


def test_the_challenger_is_registered_and_the_champion_stays(adapted, client):
    champion, challenger = (client.get_model_version_by_alias("stance", one) for one in ("champion", "challenger"))
    assert f"made models:/stance/{challenger.version} (challenger)" in adapted.stdout
    assert champion.version != challenger.version
    assert "Traceback" not in adapted.stdout + adapted.stderr
    before, after = (find_model(f"models:/stance@{one}") for one in ("champion", "challenger"))
    old, new = read_settings(before), read_settings(after)
    check_files(after, new)
    assert new.run_id == challenger.run_id
    assert (before / "model.safetensors").read_bytes() != (after / "model.safetensors").read_bytes()
    assert (before / "tokenizer.json").read_bytes() == (after / "tokenizer.json").read_bytes()
    assert new.temperatures["stance"] != old.temperatures["stance"]
    assert new.temperatures["sentiment"] == old.temperatures["sentiment"]
    assert new.abstain_below["sentiment"] == old.abstain_below["sentiment"]


def test_its_reference_is_its_own_answers_to_the_old_validation_rows(adapted, client):
    """Under 200 rows none of the user's is held out from the last training."""
    before, after = (read_reference(find_model(f"models:/stance@{one}")) for one in ("champion", "challenger"))
    assert (after.rows, after.texts) == (before.rows, before.texts)
    counts = {one.key: one.counts for one in before.histograms}
    same = {one.key for one in after.histograms if one.counts == counts[one.key]}
    assert {("", "length"), ("", "holder"), ("", "target")} <= same
    assert after.centres != before.centres
    assert {check.part for check in after.accuracy["stance"].checks} == {"test"}


def test_the_card_says_before_and_after_in_words_and_figures(adapted, client):
    version = client.get_model_version_by_alias("stance", "challenger")
    card = version.description
    assert card.startswith("# tiny-mine")
    for wanted in ("## Did it help?", "| your rows | stance | 70", "| test | stance | 60", "| test | sentiment | 60"):
        assert wanted in card
    assert "cross-validation over 5 folds of whole groups" in card
    assert "No row has a sentiment: the model learned to keep its own answers" in card
    assert f'StanceClassifier.load("runs:/{version.run_id}")' in card
    assert "on your rows" in card
    assert "your rows" in adapted.stdout
    metrics = client.get_run(version.run_id).data.metrics
    difference = metrics["own/stance/macro_f1"] - metrics["own/stance/macro_f1_before"]
    assert metrics["own/stance/macro_f1_difference"] == pytest.approx(difference)
    assert metrics["own/stance/macro_f1_difference_low"] <= difference <= metrics["own/stance/macro_f1_difference_high"]


def test_its_run_can_be_compared_with_the_champion_and_judged(own, client):
    runs = [client.get_model_version_by_alias("stance", one).run_id for one in ("champion", "challenger")]
    found = compare(read_sides(runs))
    assert {one.head for one in found} == {"stance", "sentiment"}
    gate = {"model": "stance", "least_difference": -1.0, "most_ece": 1.0, "samples": "statements/test.jsonl"}
    (own.folder / "gate.yaml").write_text(yaml.safe_dump({**gate, "least_difference": 1.0}), encoding="utf-8")
    judged = own.run("training", "promote", "models:/stance@challenger", "--gate", "gate.yaml", check=False)
    assert judged.returncode == 3, judged.stdout + judged.stderr
    assert "60 of 60 samples labelled" in judged.stdout


def test_no_fold_learns_from_what_it_is_measured_on(own, adapted, monkeypatch):
    from rich.console import Console

    from training.config import AdaptConfig
    from training.experiments import adapt, lesson

    mlflow.set_tracking_uri(own.store)
    monkeypatch.chdir(own.folder)
    learned, measured = [], []
    go_on, all_logits = lesson.go_on, adapt.all_logits

    def watched(recipe, schemes, rows, replayed, *rest):
        learned.append(({row.group for row in rows.rows}, {row.text for row in (*rows.rows, *replayed.rows)}))
        go_on(recipe, schemes, rows, replayed, *rest)

    def asked(runtime, statements):
        measured.append({one.text for one in statements})
        return all_logits(runtime, statements)

    monkeypatch.setattr(lesson, "go_on", watched)
    monkeypatch.setattr(adapt, "all_logits", asked)
    config = AdaptConfig(data="mine.csv", epochs=1)
    adapt.adapt(config, "models:/stance@champion", "again", Console(quiet=True))
    folds, held_out = learned[:-1], measured
    assert len(folds) == len(held_out) == 5
    groups = set.union(*(groups for groups, _ in folds))
    for (_, texts), asked_of in zip(folds, held_out, strict=True):
        assert not texts & asked_of
    assert set.union(*held_out) == {row["text"] for row in ROWS}
    assert all(mine < groups for mine, _ in folds)
    assert learned[-1][0] == groups


def test_a_held_out_part_is_never_learned_from_by_the_version_itself(own, client):
    rows = read_lines(STATEMENTS / "train.jsonl")[1000:1220]
    write_csv(own.folder / "more.csv", rows)
    done = own.run("training", "adapt", "--data", "more.csv", "--epochs", "1", "--alias", "more", most_seconds=600)
    card = client.get_model_version_by_alias("stance", "more").description
    held_out = int(card.split("Of your rows ")[1].split()[0])
    assert 30 < held_out < 60
    assert f"| your rows | stance | {held_out} " in card
    assert done.stdout.count("held out") == 1


def test_it_goes_on_again_and_replays_what_it_learned_last(own, client):
    refused = own.run(
        "training", "adapt", "--data", "mine.csv", "--model", "models:/stance@challenger", "--alias", "two", check=False
    )
    assert refused.returncode == 1
    assert "learned from every one of these rows before" in refused.stderr
    rows = read_lines(STATEMENTS / "train.jsonl")[1200:1260]
    write_csv(own.folder / "later.csv", rows)
    options = ["--model", "models:/stance@challenger", "--alias", "two", "--epochs", "1"]
    own.run("training", "adapt", "--data", "later.csv", *options, most_seconds=600)
    run_id = client.get_model_version_by_alias("stance", "two").run_id
    kept = mlflow.artifacts.load_text(f"runs:/{run_id}/adapt/rows.jsonl").splitlines()
    texts = {json.loads(line)["text"] for line in kept}
    assert texts == {row["text"] for row in (*ROWS, *rows)}


def test_a_model_of_a_run_is_not_registered(own, client):
    before = len(client.search_model_versions("name = 'stance'"))
    run_id = client.get_model_version_by_alias("stance", "champion").run_id
    done = own.run("training", "adapt", "--model", f"runs:/{run_id}", "--data", "mine.csv", "--epochs", "1")
    assert "made runs:/" in done.stdout
    assert "(challenger)" not in done.stdout
    assert len(client.search_model_versions("name = 'stance'")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "models:/stance@baseline"], "a tfidf model cannot go on learning"),
        (["--model", "models:/stance@nobody"], "not found"),
        (["--alias", "champion"], "--alias champion: python -m training promote decides that"),
        (["--data", "none.csv"], "none.csv: no such file"),
        (["--learning-rate", "0"], "must be above 0"),
        (["--data", "few.csv"], "stance: support"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_run(own, client, arguments, message):
    write_csv(own.folder / "few.csv", ROWS[:12])
    before = len(mlflow.search_runs(search_all_experiments=True, output_format="list"))
    done = own.run("training", "adapt", "--data", "mine.csv", *arguments, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(mlflow.search_runs(search_all_experiments=True, output_format="list")) == before


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_the_first_training_cannot_be_read_again(own, client, what):
    path = own.folder / "statements" / "train.jsonl"
    kept = path.read_bytes()
    try:
        if what == "gone":
            path.unlink()
        else:
            write_lines(path, read_lines(path)[1:])
        done = own.run("training", "adapt", "--data", "mine.csv", "--alias", what, check=False)
        assert done.returncode == 1
        assert "statements/train.jsonl" in done.stderr
        for choice in ("put the files back", "--replay-from run", "--replay 0"):
            assert choice in done.stderr
        choice = {"gone": ["--replay-from", "run"], "changed": ["--replay", "0"]}[what]
        own.run("training", "adapt", "--data", "mine.csv", "--alias", what, "--epochs", "1", *choice)
    finally:
        path.write_bytes(kept)
    card = client.get_model_version_by_alias("stance", what).description
    replayed = "Beside them 140 rows of the first training" if what == "gone" else "may be lost"
    assert replayed in card


def test_a_row_of_the_old_test_part_is_left_out_and_said(own, client):
    tests = read_lines(own.folder / "statements" / "test.jsonl")
    write_csv(own.folder / "leak.csv", [*ROWS, {**tests[0], "text": tests[0]["text"] + " "}])
    done = own.run("training", "adapt", "--data", "leak.csv", "--alias", "leak", "--epochs", "1")
    note = " ".join(done.stdout.split())
    assert "1 rows are (nearly) rows of the model's test part" in note
    assert "leak.csv:72" in note
    card = client.get_model_version_by_alias("stance", "leak").description
    assert "It learned from 70 rows of leak.csv" in card
    assert tests[0]["text"] not in done.stdout
