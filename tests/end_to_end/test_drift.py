"""`python -m training drift` as a user runs it."""

import csv
import re
import shutil

import mlflow
import pytest

from serving.store.folder import read_settings, write_settings
from serving.watch.reference import REFERENCE_FILE
from tests.conftest import STATEMENTS, read_lines, write_lines

ROWS = read_lines(STATEMENTS / "test.jsonl")[:260]


@pytest.fixture(scope="module")
def model(project, watched):
    """The watched model in the project's folder."""
    shutil.copytree(watched, project.folder / "watched")
    return "watched"


def test_rows_of_the_same_kind_are_as_in_validation_and_the_estimate_is_checked(project, model, watched):
    write_lines(project.folder / "recent.jsonl", ROWS)
    done = project.run(
        "training", "drift", "--model", model, "--input", "recent.jsonl", "--output", "drift.png", "--device", "cpu"
    )
    table = done.stdout
    assert "recent.jsonl: 260 rows on" in table
    for line in ("length", "holder", "target", "stance label", "sentiment confidence", "distance"):
        [found] = [one for one in table.splitlines() if one.strip("│ ").startswith(line + " ")]
        assert "as in validation" in found or "a little different" in found, found
    assert "(260 rows)" in table
    assert "(here)" in table
    assert "(test)" in table
    assert (project.folder / "drift.png").read_bytes()[:4] == b"\x89PNG"
    mlflow.set_tracking_uri(project.store)
    parent = read_settings(watched).run_id
    assert f"below run {parent}" in done.stderr
    [run] = mlflow.search_runs(
        search_all_experiments=True, filter_string="tags.kind = 'drift'", output_format="list", max_results=1
    )
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.info.status == "FINISHED"
    assert run.data.metrics["drift/rows"] == 260
    assert {"drift/text/length", "drift/text/distance", "drift/stance/label"} <= run.data.metrics.keys()
    assert "drift/stance/estimated_accuracy" in run.data.metrics
    assert "drift/stance/measured_accuracy" in run.data.metrics
    files = {file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, "plots")}
    assert files == {"plots/drift.png"}
    compared = project.run("training", "compare", "models:/stance@champion", "models:/stance@baseline")
    assert "Traceback" not in compared.stderr


def test_shifted_rows_are_found_and_need_no_labels(project, model):
    path = project.folder / "shifted.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text"])
        writer.writerows([f"{row['text']} {row['text']} Number {i}."] for i, row in enumerate(ROWS))
    done = project.run("training", "drift", "--model", model, "--input", "shifted.csv", "--device", "cpu")
    for line in ("length", "holder", "target"):
        [found] = [one for one in done.stdout.splitlines() if one.strip("│ ").startswith(line + " ")]
        assert " different" in found, found
        assert "a little" not in found
    assert re.search(r"found: \d+%, now 0%|not given: \d+%, now 100%", done.stdout)
    assert "no labels" in done.stdout


def test_few_rows_are_not_enough(project, model):
    write_lines(project.folder / "few.jsonl", ROWS[:30])
    done = project.run("training", "drift", "--model", model, "--input", "few.jsonl", "--output", "few.svg")
    assert "not enough rows: 100 different texts are needed on both sides; the table has" in done.stdout
    assert "as in validation" not in done.stdout
    assert "<svg" in (project.folder / "few.svg").read_text(encoding="utf-8")


def test_a_baseline_and_rows_that_are_no_statements(project):
    rows = [{"text": "Vexillology " * 3, "target": "b " * 1000}, {"text": " "}, *ROWS[:20]]
    write_lines(project.folder / "odd.jsonl", [{k: row.get(k) for k in ("text", "target")} for row in rows])
    done = project.run("training", "drift", "--model", "models:/stance@baseline", "--input", "odd.jsonl", check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "2 rows are no statements: odd.jsonl:1: target:" in done.stderr
    assert "odd.jsonl:2: text: empty" in done.stderr
    assert "20 rows on" in done.stdout
    assert "Vexillology" not in done.stdout + done.stderr


def test_a_store_that_does_not_know_the_run_is_no_mistake(project, model):
    write_lines(project.folder / "few.jsonl", ROWS[:30])
    environment = {**project.environment, "MLFLOW_TRACKING_URI": f"sqlite:///{project.folder}/other.db"}
    elsewhere = type(project)(project.folder, environment)
    done = elsewhere.run("training", "drift", "--model", model, "--input", "few.jsonl")
    assert "not logged: " in done.stderr
    assert "no such run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "none.csv"], "none.csv: no such file"),
        (["--input", "empty.jsonl"], "empty.jsonl: no row is a statement"),
        (["--input", "blank.jsonl"], "the first: blank.jsonl:1: text: empty"),
        (["--output", "drift.xlsx"], "no picture"),
        (["--output", "nowhere/drift.png"], "the folder nowhere does not exist"),
        (["--model", "old"], "keeps no reference.json"),
    ],
)
def test_a_mistake_is_one_line(project, model, arguments, message):
    write_lines(project.folder / "few.jsonl", ROWS[:30])
    (project.folder / "empty.jsonl").touch()
    write_lines(project.folder / "blank.jsonl", [{"text": " "}])
    old = project.folder / "old"
    shutil.copytree(project.folder / model, old, dirs_exist_ok=True)
    (old / REFERENCE_FILE).unlink()
    write_settings(old, read_settings(old))
    given = ["--model", model, "--input", "few.jsonl", *arguments]
    done = project.run("training", "drift", *given, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
