import numpy as np
import pytest

from serving.classifier import softmax
from training.evaluation.calibrate import abstention_threshold, fit_temperature


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
