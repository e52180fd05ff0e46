"""Probabilities that mean what they say, and a threshold below which the model abstains."""

from collections.abc import Iterable

import numpy as np
from scipy.optimize import minimize_scalar

from serving.classifier import softmax
from serving.labels import LOGITS, UNLABELLED, Head
from serving.store.folder import ModelSettings
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats, Ints

LEAST_ROWS = 20  # an accuracy over fewer rows is no ground for a threshold
PRIOR_ROWS = 100  # what a model's earlier temperature counts for, beside rows that say another one


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The temperature with the least negative log-likelihood; 1 when no row is labelled.

    Args:
        logits: shape (rows, 3).
        labels: shape (rows,), UNLABELLED rows are left out.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    chosen = labels != UNLABELLED
    if not chosen.any():
        return 1.0
    logits, labels = logits[chosen], labels[chosen]

    def loss(log_temperature: float) -> float:
        probabilities = softmax(logits / np.exp(log_temperature))
        return float(-np.log(probabilities[np.arange(len(labels)), labels] + 1e-12).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def abstention_threshold(probabilities: Floats, labels: Ints, accuracy: float) -> float:
    """The least confidence at which the rows kept are right as often as `accuracy` asks.

    0 when all rows together reach it (or none is labelled); 1 when no 20 rows do: the model then always abstains.
    """
    chosen = labels != UNLABELLED
    if not chosen.any():
        return 0.0
    confidence = probabilities[chosen].max(axis=1)
    correct = probabilities[chosen].argmax(axis=1) == labels[chosen]
    order = np.argsort(-confidence, kind="stable")
    reached = correct[order].cumsum() / np.arange(1, len(order) + 1) >= accuracy
    reached[: LEAST_ROWS - 1] = False
    if reached[-1]:
        return 0.0
    return float(confidence[order][np.flatnonzero(reached)[-1]]) if reached.any() else 1.0


def calibrate(
    logits: Floats, validation: Corpus, heads: tuple[Head, ...], accuracy: float
) -> tuple[dict[Head, float], dict[Head, float]]:
    """Temperatures and abstention thresholds of every head, from validation logits of shape (rows, 6)."""
    temperatures: dict[Head, float] = {}
    thresholds: dict[Head, float] = {}
    for head in heads:
        labels = validation.labels(head)
        temperatures[head] = fit_temperature(logits[:, LOGITS[head]], labels)
        probabilities = softmax(logits[:, LOGITS[head]] / temperatures[head])
        thresholds[head] = abstention_threshold(probabilities, labels, accuracy)
    return temperatures, thresholds


def recalibrate(
    settings: ModelSettings, logits: Floats, corpus: Corpus, heads: Iterable[Head], accuracy: float
) -> ModelSettings:
    """The settings with temperatures and thresholds of these heads moved toward what the rows say.

    Few rows say little, so the earlier value counts as PRIOR_ROWS rows: with n rows labelled, the new one has the
    weight n / (n + PRIOR_ROWS), of a temperature in its logarithm.

    Args:
        settings: of the model before.
        logits: raw, shape (rows, 6), of a model that did not learn from these rows.
        corpus: the rows.
        heads: that are labelled in it; the others stay as they are.
        accuracy: wanted of the labels that are given.
    """
    temperatures, thresholds = dict(settings.temperatures), dict(settings.abstain_below)
    for head in heads:
        labels = corpus.labels(head)
        rows = int((labels != UNLABELLED).sum())
        weight = rows / (rows + PRIOR_ROWS)
        found = np.log([fit_temperature(logits[:, LOGITS[head]], labels), temperatures[head]])
        temperatures[head] = float(np.exp(weight * found[0] + (1 - weight) * found[1]))
        probabilities = softmax(logits[:, LOGITS[head]] / temperatures[head])
        if rows >= LEAST_ROWS:
            least = abstention_threshold(probabilities, labels, accuracy)
            thresholds[head] = weight * least + (1 - weight) * thresholds[head]
    return settings.model_copy(update={"temperatures": temperatures, "abstain_below": thresholds})
