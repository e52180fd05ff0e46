from pathlib import Path

import numpy as np
import pytest

from serving.classifier import softmax
from serving.labels import STANCES
from serving.store.folder import ModelSettings
from training.data.corpus import Corpus, LabelledStatement
from training.evaluation.calibrate import abstention_threshold, fit_temperature, recalibrate


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=2, size=(20_000, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits / 2.5)])
    assert fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.05)


def test_unlabelled_rows_do_not_move_it():
    logits = np.array([[2.0, 0, 0], [0, 2.0, 0], [9.0, 0, 0]])
    with_unlabelled = fit_temperature(logits, np.array([0, 2, -100]))
    assert with_unlabelled == fit_temperature(logits[:2], np.array([0, 2]))
    assert fit_temperature(logits, np.full(3, -100)) == 1


def probabilities(confidence):
    return np.stack([confidence, 1 - confidence, np.zeros_like(confidence)], axis=1)


def test_the_threshold_keeps_as_many_rows_as_the_accuracy_allows():
    confidence = np.linspace(0.99, 0.6, 100)
    labels = np.where(np.arange(100) < 60, 0, 1)  # the surest 60 are right
    threshold = abstention_threshold(probabilities(confidence), labels, 0.8)
    kept = confidence >= threshold
    assert kept.sum() == 75
    assert (labels[kept] == 0).mean() == 0.8


def test_the_threshold_is_0_when_all_may_stay_and_1_when_none_may():
    confidence = np.linspace(0.99, 0.6, 100)
    assert abstention_threshold(probabilities(confidence), np.zeros(100, dtype=int), 0.9) == 0
    assert abstention_threshold(probabilities(confidence), np.ones(100, dtype=int), 0.9) == 1
    assert abstention_threshold(probabilities(confidence), np.full(100, -100), 0.9) == 0


def test_a_lucky_few_are_no_ground_for_a_threshold():
    confidence = np.linspace(0.99, 0.6, 100)
    labels = np.where(np.arange(100) < 10, 0, 1)
    assert abstention_threshold(probabilities(confidence), labels, 0.9) == 1


SETTINGS = ModelSettings(
    kind="encoder",
    heads=("stance", "sentiment"),
    temperatures={"stance": 1.0, "sentiment": 1.7},
    abstain_below={"stance": 0.5, "sentiment": 0.6},
    template="marked",
    max_length=96,
)


def rows_of(labels):
    values = [{"id": str(i), "text": str(i), "stance": STANCES[label]} for i, label in enumerate(labels)]
    return Corpus(Path("mine"), [LabelledStatement.model_validate(one) for one in values])


@pytest.mark.parametrize(("count", "weight"), [(10, 10 / 110), (100, 0.5), (900, 0.9)])
def test_few_rows_move_the_temperature_little(count, weight):
    rng = np.random.default_rng(0)
    logits = np.zeros((count, 6))
    logits[:, :3] = rng.normal(scale=3, size=(count, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits[:, :3] / 3)])
    alone = fit_temperature(logits[:, :3], labels)
    found = recalibrate(SETTINGS, logits, rows_of(labels), ["stance"], 0.8)
    assert np.log(found.temperatures["stance"]) == pytest.approx(weight * np.log(alone))
    assert found.temperatures["sentiment"] == 1.7
    assert found.abstain_below["sentiment"] == 0.6
    if count < 20:
        assert found.abstain_below["stance"] == 0.5
    else:
        least = abstention_threshold(softmax(logits[:, :3] / found.temperatures["stance"]), labels, 0.8)
        assert found.abstain_below["stance"] == pytest.approx(weight * least + (1 - weight) * 0.5)
