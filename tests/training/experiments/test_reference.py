"""The reference that a training leaves in its model."""

import shutil

import mlflow
import numpy as np
import pytest
import yaml

from serving import StanceClassifier
from serving.runtime.base import all_logits
from serving.store.folder import check_files, read_settings
from serving.store.versions import find_model
from serving.watch.compare import estimated_accuracy
from serving.watch.measures import DISTANCE
from serving.watch.reference import REFERENCE_FILE, read_reference
from tests.conftest import STATEMENTS
from training.data.corpus import read_corpus
from training.experiments.reference import add_distances, ask, make_reference

BOTH = {(head, measure) for head in ("stance", "sentiment") for measure in ("label", "confidence", "abstention")}
TEXT = {("", "length"), ("", "holder"), ("", "target")}


def test_a_fine_tuned_model_keeps_one_of_its_validation_rows(project, champion):
    validation = read_corpus(project.folder / "statements" / "validation.jsonl")
    reference = read_reference(champion)
    assert reference.rows == len(validation.rows) == 60
    assert reference.texts == len({row.text for row in validation.rows})
    assert {one.key for one in reference.histograms} == BOTH | TEXT | {DISTANCE}
    assert all(sum(one.counts) == 60 for one in reference.histograms)
    check_files(champion, read_settings(champion))
    assert REFERENCE_FILE in read_settings(champion).files
    for head, known in reference.accuracy.items():
        assert known.rows == 60
        [check] = known.checks
        assert (check.part, check.rows) == ("test", 60)
        counts = {one.key: np.array(one.counts) for one in reference.histograms}
        assert estimated_accuracy(reference, counts, head) == pytest.approx(known.measured, abs=1.01 / 60)


def test_its_figures_are_those_of_the_run(project, champion):
    mlflow.set_tracking_uri(project.store)
    metrics = mlflow.get_run(read_settings(champion).run_id).data.metrics
    for head, known in read_reference(champion).accuracy.items():
        assert known.measured == pytest.approx(metrics[f"validation/{head}/accuracy"])
        assert known.checks[0].measured == pytest.approx(metrics[f"test/{head}/accuracy"])


def test_a_baseline_keeps_what_it_has(project):
    mlflow.set_tracking_uri(project.store)
    reference = read_reference(find_model("models:/stance@baseline"))
    assert {one.key for one in reference.histograms} == BOTH | TEXT
    assert reference.centres == ()


def test_rows_of_the_training_are_nearer_than_others(classifier):
    train = read_corpus(STATEMENTS / "train.jsonl").keep(range(120)).statements()
    validation = read_corpus(STATEMENTS / "validation.jsonl").keep(range(120))
    asked = ask(classifier.runtime, validation.statements())
    assert asked.logits == pytest.approx(all_logits(classifier.runtime, validation.statements()))
    made = make_reference(classifier, train, validation, asked, {})
    centres = np.array(made.centres)
    assert centres.shape == (8, 32)
    assert np.linalg.norm(centres, axis=1) == pytest.approx(1, abs=1e-3)
    hidden = ask(classifier.runtime, train).hidden
    near, far = ([{} for _ in train] for _ in range(2))
    add_distances(near, centres, hidden)
    add_distances(far, centres, -hidden)
    assert sum(one[DISTANCE] for one in near) < sum(one[DISTANCE] for one in far)
    assert make_reference(classifier, [], validation, asked, {}).centres == ()
    assert made == make_reference(classifier, train, validation, asked, {}), "the same rows give the same reference"


def test_a_head_without_labels_has_no_accuracy(classifier):
    validation = read_corpus(STATEMENTS / "validation.jsonl").keep(range(30))
    validation.rows[:] = [row.model_copy(update={"sentiment": None}) for row in validation.rows]
    made = make_reference(classifier, [], validation, ask(classifier.runtime, validation.statements()), {})
    assert made.accuracy.keys() == {"stance"}
    assert ("sentiment", "label") in {one.key for one in made.histograms}


def test_folds_keep_no_model_and_a_model_loads_with_one(champion, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(champion, folder)
    assert StanceClassifier.load(folder, device="cpu").settings == read_settings(champion)
    assert yaml.safe_load((folder / REFERENCE_FILE).read_text())["format"] == 1
