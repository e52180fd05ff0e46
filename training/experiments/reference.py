"""What a new model's validation rows and its answers to them look like, for whoever asks later what has changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans

from serving.classifier import StanceClassifier
from serving.labels import HEADS, UNLABELLED, Head, Logits
from serving.runtime.base import Runtime, all_logits
from serving.runtime.pytorch import TorchRuntime
from serving.statement import Prediction, Statement
from serving.store.run_files import evenly
from serving.watch.measures import DISTANCE, Key, Values, histograms, observed
from serving.watch.reference import Accuracy, Check, Reference
from training.data.corpus import Corpus
from training.evaluation.evaluate import Evaluation
from training.evaluation.metrics import Floats
from training.experiments.pick import embed

TRAINING_ROWS = 500  # whose embeddings are asked for, at most
CENTRES = 8


@dataclass(frozen=True)
class Asked:
    """What a model says: raw logits, shape (rows, 6), and embeddings, shape (rows, width), if it has some."""

    logits: Logits
    hidden: Floats | None


def ask(runtime: Runtime, statements: Sequence[Statement], on_progress: Callable[[int], Any] = lambda _: None) -> Asked:
    """Ask the model in one pass.

    Raises:
        StancewiseError: the model cannot read a statement.
    """
    if isinstance(runtime, TorchRuntime):
        return Asked(*embed(runtime, statements, on_progress))
    logits = all_logits(runtime, statements)
    on_progress(len(statements))
    return Asked(logits, None)


def make_reference(
    classifier: StanceClassifier,
    train: Sequence[Statement],
    validation: Corpus,
    asked: Asked,
    tests: Mapping[str, Evaluation],
) -> Reference:
    """Histograms of the validation rows, what estimates accuracy, and where the training rows lie.

    Args:
        classifier: the model, calibrated.
        train: statements that it learned from; may be none.
        validation: at least one row that it did not learn from.
        asked: what the model says of these rows.
        tests: labelled parts on which the estimate of accuracy is checked.
    """
    statements = validation.statements()
    predictions = classifier.answers(statements, asked.logits)
    rows = [observed(*pair) for pair in zip(statements, predictions, strict=True)]
    centres: Floats | None = None
    if train and asked.hidden is not None:
        hidden = ask(classifier.runtime, evenly(train, TRAINING_ROWS)).hidden
        assert hidden is not None
        centres = _centres(hidden)
        add_distances(rows, centres, asked.hidden)
    accuracy: dict[Head, Accuracy] = {}
    limits: dict[Key, float] = {}
    for head in classifier.settings.heads:
        if found := _accuracy(head, validation, predictions, tests):
            accuracy[head] = found
            limits[head, "confidence"] = found.least
    return Reference(
        rows=len(rows),
        texts=len({one.text for one in statements}),
        histograms=histograms(rows, limits),
        accuracy=accuracy,
        centres=tuple(map(tuple, centres.tolist())) if centres is not None else (),
    )


def add_distances(rows: Sequence[Values], centres: Floats, hidden: Floats) -> None:
    """Count with every row the cosine distance of its embedding, shape (rows, width), from the nearest centre."""
    for values, near in zip(rows, (_unit(hidden) @ centres.T).max(axis=1), strict=True):
        values[DISTANCE] = 1 - float(near)


def _centres(hidden: Floats) -> Floats:
    """Centres of the embeddings' directions, found by k-means, each of length 1."""
    count = min(CENTRES, len(np.unique(hidden, axis=0)))
    found = KMeans(count, n_init=4, random_state=0).fit(_unit(hidden)).cluster_centers_
    return _unit(found).round(4)  # which keeps the file small


def _unit(rows: Floats) -> Floats:
    result: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return result


def _accuracy(
    head: Head, validation: Corpus, predictions: Sequence[Prediction], tests: Mapping[str, Evaluation]
) -> Accuracy | None:
    """None: no validation row is labelled."""
    labels = validation.labels(head)
    answers = [getattr(one, head) for one in predictions]
    known = labels != UNLABELLED
    if not known.any():
        return None
    confidence = np.array([answer.probability for answer in answers])[known]
    right = np.array([HEADS[head].index(answer.label) for answer in answers])[known] == labels[known]
    measured = float(right.mean())
    least = float(np.quantile(confidence, 1 - measured, method="higher"))
    checks = []
    for part, evaluation in tests.items():
        if result := evaluation.heads.get(head):
            there = result.labels != UNLABELLED
            above = result.probabilities[there].max(axis=1) >= least
            hits = result.predicted[there] == result.labels[there]
            share, rate = float(above.mean()), float(hits.mean())
            checks.append(Check(part=part, rows=int(there.sum()), estimated=share, measured=rate))
    return Accuracy(measured=measured, rows=int(known.sum()), least=least, checks=tuple(checks))
