"""A classifier on labelled rows: predictions, metrics with intervals, the tables people read."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.table import Table

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.labels import HEADS, UNLABELLED
from serving.statement import Statement
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats, Ints, Metric, contrast_rows, head_metrics, mean_macro_f1


@dataclass(frozen=True)
class HeadResult:
    """One head on one corpus: labels (rows,), calibrated probabilities (rows, 3), abstained (rows,)."""

    labels: Ints
    probabilities: Floats
    abstained: Ints
    metrics: dict[str, Metric]

    @property
    def predicted(self) -> Ints:
        """Label indices, shape (rows,)."""
        return self.probabilities.argmax(axis=1).astype(np.int64)


@dataclass(frozen=True)
class Evaluation:
    """What a model does on a corpus."""

    corpus: Corpus
    heads: dict[str, HeadResult]
    milliseconds: float  # per statement, all rows at once

    def figures(self, part: str) -> dict[str, Metric]:
        """All metrics of all heads, named as in MLflow: `test/stance/macro_f1`, ..."""
        return {
            f"{part}/{head}/{name}": metric
            for head, result in self.heads.items()
            for name, metric in result.metrics.items()
        }

    def table(self) -> pd.DataFrame:
        """One row per statement: the statement, true and predicted labels, all probabilities, abstained."""
        columns: dict[str, object] = {
            name: [getattr(row, name) for row in self.corpus.rows]
            for name in ("id", "text", "speaker", "target", "domain", "group", "note", "language")
        }
        # Without these some rows would be other statements when they are read from the table again.
        for name in Statement.model_fields:
            if name not in columns and any(getattr(row, name) is not None for row in self.corpus.rows):
                columns[name] = [getattr(row, name) for row in self.corpus.rows]
        for head, result in self.heads.items():
            labels = HEADS[head]
            columns[f"{head}_true"] = [None if i == UNLABELLED else labels[i] for i in result.labels]
            columns[f"{head}_predicted"] = [labels[i] for i in result.predicted]
            for i, label in enumerate(labels):
                columns[f"{head}_p_{label}"] = result.probabilities[:, i].round(4)
            columns[f"{head}_abstained"] = result.abstained.astype(bool)
        return pd.DataFrame(columns)

    def worst_errors(self, count: int = 50) -> pd.DataFrame:
        """The wrong labels the model was surest of, most certain first."""
        table = self.table()
        errors = []
        for head, result in self.heads.items():
            wrong = (result.labels != UNLABELLED) & (result.predicted != result.labels)
            part = table.loc[wrong, ["id", "text", "speaker", "target", "note"]].copy()
            part.insert(0, "head", head)
            part["true"] = table.loc[wrong, f"{head}_true"]
            part["predicted"] = table.loc[wrong, f"{head}_predicted"]
            part["probability"] = result.probabilities.max(axis=1)[wrong].round(4)
            errors.append(part)
        return pd.concat(errors).sort_values("probability", ascending=False).head(count)


def evaluate(classifier: StanceClassifier, corpus: Corpus) -> Evaluation:
    """Label the corpus the way a user would, and measure every head that both model and corpus have.

    Raises:
        StancewiseError: they have none in common.
    """
    start = time.perf_counter()
    predictions = classifier.predict(corpus.statements())
    milliseconds = 1000 * (time.perf_counter() - start) / len(corpus.rows)
    groups = corpus.groups()
    heads: dict[str, HeadResult] = {}
    for head in classifier.settings.heads:
        labels = corpus.labels(head)
        if (labels == UNLABELLED).all():
            continue
        answers = [getattr(prediction, head) for prediction in predictions]
        probabilities = np.array([[answer.probabilities[label] for label in HEADS[head]] for answer in answers])
        abstained = np.array([answer.abstained for answer in answers], dtype=np.int64)
        metrics = head_metrics(head, labels, probabilities, groups)
        metrics |= _contrast(corpus, labels, probabilities.argmax(axis=1).astype(np.int64), groups)
        metrics |= _selective(labels, probabilities, abstained)
        heads[head] = HeadResult(labels, probabilities, abstained, metrics)
    if not heads:
        wanted = " or ".join(classifier.settings.heads)
        raise StancewiseError(f"{corpus.path}: no row has a {wanted} label, which this model gives")
    return Evaluation(corpus, heads, milliseconds)


def _contrast(corpus: Corpus, labels: Ints, predicted: Ints, groups: Ints) -> dict[str, Metric]:
    chosen = contrast_rows([row.text for row in corpus.rows], labels)
    if not chosen.any():
        return {}
    return {"contrast_macro_f1": mean_macro_f1(labels[chosen], [predicted[chosen]], groups[chosen])}


def _selective(labels: Ints, probabilities: Floats, abstained: Ints) -> dict[str, Metric]:
    """Share of rows the model answers, and its accuracy there; no interval, they describe the threshold."""
    kept = (labels != UNLABELLED) & (abstained == 0)
    known = labels != UNLABELLED
    coverage = float(kept.sum() / known.sum())
    metrics = {"coverage": Metric(coverage, coverage, coverage)}
    if kept.any():
        accuracy = float((probabilities.argmax(axis=1)[kept] == labels[kept]).mean())
        metrics["accuracy_kept"] = Metric(accuracy, accuracy, accuracy)
    return metrics


def risk_coverage_curve(result: HeadResult) -> tuple[Floats, Floats]:
    """Coverage and error rate, most confident rows first, both of shape (labelled rows,)."""
    known = result.labels != UNLABELLED
    confidence = result.probabilities[known].max(axis=1)
    wrong = result.predicted[known] != result.labels[known]
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    return counts / len(order), wrong[order].cumsum() / counts


def report(evaluation: Evaluation, title: str) -> Table:
    """The figures as a terminal table, in percent with 95 % intervals."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    names: dict[str, None] = {}
    for head, result in evaluation.heads.items():
        table.add_column(head, justify="right")
        names |= dict.fromkeys(name for name in result.metrics if not name.startswith("f1_"))
    for name in names:
        cells = [_cell(result.metrics.get(name)) for result in evaluation.heads.values()]
        table.add_row(name.replace("_", " "), *cells)
    for i in range(3):
        cells = []
        for head, result in evaluation.heads.items():
            label = HEADS[head][i]
            cells.append(f"{label} {_cell(result.metrics[f'f1_{label}'])}")
        table.add_row("F1 of", *cells)
    return table


def _cell(metric: Metric | None) -> str:
    return "" if metric is None else str(metric)
