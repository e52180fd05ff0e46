"""A small benchmark from config to table: cells kept, resumed, told apart by what made them."""

import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from serving import StancewiseError
from serving.labels import UNLABELLED
from tests.conftest import REPOSITORY, STATEMENTS, read_lines, write_lines
from training.benchmark.cells import keep_cell, read_cells
from training.benchmark.config import BenchmarkConfig, recipe_config
from training.benchmark.peers import few, joined_text
from training.config import load_config
from training.data.corpus import read_corpus


@pytest.fixture(scope="module")
def work(project, tmp_path_factory, encoder):
    """A project with a benchmark of seven cells over two test sets."""
    rows = read_lines(STATEMENTS / "test.jsonl")
    for name, part in (("first", rows[:60]), ("second", rows[60:140])):
        write_lines(project.folder / f"{name}.jsonl", part)
    config = {
        "name": "small",
        "title": "A small benchmark",
        "base": str(project.folder / "tiny.yaml"),
        "heads": ["sentiment"],
        "change": {"data.test": [{"path": "first.jsonl"}, {"path": "second.jsonl"}], "max_length": 64, "epochs": 1},
        "contenders": [
            {"name": "marked", "seeds": [1, 2]},
            {"name": "blind", "change": {"template": "blind"}},
            {"name": "TF-IDF", "kind": "tfidf"},
            {"name": "run_classification", "kind": "run_classification"},
            {"name": "SetFit-2", "kind": "setfit", "rows_a_class": 2},
            {"name": "VADER", "kind": "vader"},
        ],
    }
    (project.folder / "small.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = project.run("training", "benchmark", "small.yaml", "--folder", "cells")
    return project, done


def test_it_prints_a_table_for_each_test_part(work):
    _, done = work
    assert "### A small benchmark" in done.stdout
    for part, rows in (("test_first", 60), ("test_second", 80)):
        assert f"**{part}, sentiment** ({rows} rows" in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    head = lines[0].strip("| ").split(" | ")
    assert head[:4] == ["contender", "seeds", "macro-F1", "minus the first"]
    marked = dict(zip(head, lines[2].strip("|").split("|"), strict=True))
    assert marked["seeds"].strip() == "2"
    assert marked["minus the first"].strip() == ""
    names = ["marked", "blind", "TF-IDF", "run_classification", "SetFit-2", "VADER"]
    assert [line.split("|")[1].strip() for line in lines[2:8]] == names
    vader = dict(zip(head, lines[7].strip("|").split("|"), strict=True))
    assert vader["macro-F1"].strip()
    assert not vader["ECE after"].strip()  # it gives labels, no probabilities


def test_every_cell_is_a_run_under_one_parent_without_a_model(work):
    import mlflow

    project, _ = work
    mlflow.set_tracking_uri(project.store)
    runs = mlflow.search_runs(experiment_names=["benchmarks"], output_format="list")
    parents = [run for run in runs if run.data.tags.get("benchmark") == "small"]
    cells = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(parents) == 1
    assert len(cells) == 7
    assert {run.data.tags["mlflow.parentRunId"] for run in cells} == {parents[0].info.run_id}
    assert all("test_first/sentiment/macro_f1" in run.data.metrics for run in cells)
    assert not any(run.outputs and run.outputs.model_outputs for run in cells)


def test_what_is_finished_is_not_run_again_and_the_table_stays(work):
    project, done = work
    file = project.folder / "cells" / "small.parquet"
    before = read_cells(file)
    keep_cell(file, replace(before["blind", 1], key="of another day"))
    again = project.run("training", "benchmark", "small.yaml", "--folder", "cells")
    assert "6 of 7 cells are done" in again.stderr
    after = read_cells(file)
    assert {name for name in before if before[name].run_id != after[name].run_id} == {("blind", 1)}
    content = file.read_bytes()
    project.run("training", "benchmark", "small.yaml", "--folder", "cells")
    project.run("training", "benchmark", "small.yaml", "--folder", "cells", "--table")
    assert file.read_bytes() == content
    assert [line for line in again.stdout.splitlines() if "blind" not in line and "minutes" not in line] == [
        line for line in done.stdout.splitlines() if "blind" not in line and "minutes" not in line
    ]


def test_a_cell_of_other_settings_is_stale(work):
    project, _ = work
    values = yaml.safe_load((project.folder / "small.yaml").read_text())
    values["change"]["epochs"] = 2
    (project.folder / "longer.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    refused = project.run("training", "benchmark", "longer.yaml", "--folder", "cells", "--table")
    assert "marked" not in refused.stdout
    assert "TF-IDF" in refused.stdout  # the recipe's epochs are not its


def test_a_kept_cell_holds_no_row_of_the_data(work):
    project, _ = work
    table = pq.read_table(project.folder / "cells" / "small.parquet")
    texts = {str(value) for name in table.column_names if name != "probabilities" for value in table[name].to_pylist()}
    assert not any(row["text"][:30] in text for row in read_lines(project.folder / "first.jsonl") for text in texts)
    probabilities = read_cells(project.folder / "cells" / "small.parquet")["marked", 1].answers[
        "test_first", "sentiment"
    ]
    probabilities = probabilities.probabilities
    assert probabilities.shape == (60, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=2e-4)


def test_damaged_cells_and_an_unknown_contender_are_named(work):
    project, _ = work
    shutil.copytree(project.folder / "cells", project.folder / "damaged")
    (project.folder / "damaged" / "small.parquet").write_text("{")
    done = project.run("training", "benchmark", "small.yaml", "--folder", "damaged", "--table", check=False)
    assert done.returncode == 1
    assert "small.parquet: its SHA-256 is not the one in damaged/SHA256SUMS" in done.stderr
    done = project.run("training", "benchmark", "small.yaml", "--only", "bert", check=False)
    assert "no such contender in small; there are marked, blind" in done.stderr
    done = project.run("training", "benchmark", "small.yaml", "--seeds", "1,x", check=False)
    assert "--seeds 1,x: write whole numbers" in done.stderr
    done = project.run("training", "benchmark", "small.yaml", "--folder", "nothing", "--table")
    assert "No cell is finished yet." in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"optimiser.lr": 1}, "optimiser"),
        ({"optimizer.learning_rate": 1}, "there is no optimizer"),
        ({"template": "inline"}, "contenders: wrong: template: Input should be"),
        ({"loss.label_smoothing": 0.1}, "contenders: wrong: loss.label_smoothing: Extra inputs"),
    ],
)
def test_a_change_that_names_no_key_is_an_error_at_once(work, tmp_path, change, message):
    project, _ = work
    values = yaml.safe_load((project.folder / "small.yaml").read_text())
    values["contenders"].append({"name": "wrong", "change": change})
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(StancewiseError, match=message):
        load_config(tmp_path / "wrong.yaml", BenchmarkConfig)


def test_a_change_differs_from_the_recipe_in_that_key_alone(work):
    project, _ = work
    config = load_config(project.folder / "small.yaml", BenchmarkConfig)
    marked, blind = (recipe_config(config, one) for one in config.contenders[:2])
    assert blind.template == "blind"
    assert blind.model_copy(update={"template": "marked", "name": marked.name}) == marked


def test_a_contender_takes_recipe_training_and_validation_rows_of_its_own_config_and_is_measured_on_the_same(work):
    project, _ = work
    other = {"train": "first.jsonl", "validation": "second.jsonl"}
    base = project.folder / project.config("other", data=other, batch={"rows": 4}, heads=["stance"])
    values = yaml.safe_load((project.folder / "small.yaml").read_text())
    values["contenders"].append({"name": "other", "base": str(base), "change": {"epochs": 3}})
    (project.folder / "bases.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    config = load_config(project.folder / "bases.yaml", BenchmarkConfig)
    marked, found = (recipe_config(config, one) for one in (config.contenders[0], config.contenders[-1]))
    assert found.batch.rows == 4
    assert found.epochs == 3
    assert found.max_length == 96  # the benchmark's change is of its own base
    assert found.heads == marked.heads == ("sentiment",)
    assert [str(one) for one in found.data.train] == ["first.jsonl"]
    assert [str(one) for one in found.data.validation] == ["second.jsonl"]
    assert found.data.test == marked.data.test


def test_a_base_that_is_missing_is_named(work):
    project, _ = work
    values = yaml.safe_load((project.folder / "small.yaml").read_text()) | {"base": "nowhere.yaml"}
    (project.folder / "nobase.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(StancewiseError, match=r"nowhere\.yaml: no such config"):
        load_config(project.folder / "nobase.yaml", BenchmarkConfig)


def test_few_draws_so_many_of_each_label():
    corpus = read_corpus(STATEMENTS / "train.jsonl")
    labels = corpus.labels("stance")
    drawn = few(corpus, "stance", 8, seed=1)
    assert np.bincount(labels[drawn]).tolist() == [8, 8, 8]
    assert drawn == few(corpus, "stance", 8, seed=1) != few(corpus, "stance", 8, seed=2)
    assert len(few(corpus, "stance", None, seed=1)) == (labels != UNLABELLED).sum()


def test_peers_see_text_holder_and_target_joined_by_a_blank():
    corpus = read_corpus(STATEMENTS / "train.jsonl")
    row, text = corpus.rows[0], joined_text(corpus)[0]
    assert text == f"{row.text} {row.speaker} {row.target}"


def test_the_kept_cells_are_of_contenders_that_the_configs_name():
    configs = [
        load_config(path, BenchmarkConfig) for path in sorted((REPOSITORY / "configs/benchmarks").glob("*.yaml"))
    ]
    known = {(one.name, c.name, seed) for one in configs for c in one.contenders for seed in c.seeds}
    files = (REPOSITORY / "benchmarks" / "cells").glob("*.parquet")
    kept = {path.stem: read_cells(path) for path in files if path.stem != "levers"}  # of a program of its own
    assert {(name, *one) for name, cells in kept.items() for one in cells} == known
    for cell in (cell for cells in kept.values() for cell in cells.values()):
        assert cell.answers
        assert cell.minutes >= 0
        for given in cell.answers.values():
            np.testing.assert_allclose(given.probabilities.sum(axis=1), 1, atol=3e-4)
