"""Recent rows beside a model's reference: distances with intervals, what changed, the accuracy to expect; a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.table import Table

from serving.labels import UNLABELLED, Head
from serving.watch.compare import (
    Counts,
    Difference,
    compare,
    divergence,
    enough,
    estimated_accuracy,
)
from serving.watch.measures import Histogram, Values
from serving.watch.reference import Accuracy, Reference
from training.evaluation.metrics import CONFIDENCE, RESAMPLES, Floats, Ints, Metric, group_weights

BEFORE, NOW = "0.6", "tab:blue"  # validation and recent rows; told apart without colours too
_COLUMNS = 3  # of the picture


@dataclass(frozen=True)
class Compared:
    """A measure of recent rows beside validation; low and high are the 95 % interval, None without a distance."""

    histogram: Histogram
    counts: Counts
    difference: Difference
    low: float | None
    high: float | None

    @property
    def name(self) -> str:
        """As people read it."""
        return " ".join(filter(None, self.difference.key))

    def shares(self) -> tuple[Floats, Floats]:
        """Of the bins, in validation and now."""
        before = np.array(self.histogram.counts, dtype=np.float64)
        return before / before.sum(), self.counts / self.counts.sum()

    def change(self) -> str:
        """The bin whose share changed most."""
        before, now = self.shares()
        most = int(np.abs(now - before).argmax())
        return f"{self.histogram.names()[most]}: {before[most]:.0%}, now {now[most]:.0%}"


@dataclass(frozen=True)
class Expected:
    """The accuracy of a head that its confidence lets expect, and the true one if recent rows have labels."""

    head: Head
    reference: Accuracy
    estimate: Metric | None  # None: not enough rows
    measured: Metric | None
    labelled: int


@dataclass(frozen=True)
class Report:
    """What is said of recent rows."""

    rows: int
    texts: int
    reference: Reference
    measures: list[Compared]
    accuracy: list[Expected]

    @property
    def enough(self) -> bool:
        """Whether there are enough texts on both sides."""
        return enough(self.reference, self.texts)


def drift_report(
    reference: Reference, rows: Sequence[Values], texts: Sequence[str], right: Mapping[Head, Ints]
) -> Report:
    """Compare rows with a reference; intervals draw the texts, with their rows, and the reference anew.

    Args:
        reference: of the model.
        rows: what is counted of every recent row, at least one.
        texts: of the rows.
        right: by head, 1 where the model was right, 0 where it was not, UNLABELLED where nobody knows, shape (rows,).
    """
    groups = np.unique(texts, return_inverse=True)[1].astype(np.int64)
    weights = group_weights(groups)
    distinct = int(groups.max()) + 1
    bins = {one.key: _places(one, rows) for one in reference.histograms if one.key in rows[0]}
    by_key = {one.key: one for one in reference.histograms}
    counts = {key: np.bincount(places, minlength=len(by_key[key].counts)) for key, places in bins.items()}
    measures = []
    for one in compare(reference, counts, distinct):
        histogram = by_key[one.key]
        ends = (None, None) if one.distance is None else _interval(histogram, reference.texts, bins[one.key], weights)
        measures.append(Compared(histogram, counts[one.key], one, *ends))
    accuracy = []
    for head, known in reference.accuracy.items():
        share = estimated_accuracy(reference, counts, head)
        if share is None:
            continue
        above = np.array([float(values[head, "confidence"]) >= known.least for values in rows], dtype=np.float64)
        estimate = Metric.of(share, weights @ above / weights.sum(axis=1)) if enough(reference, distinct) else None
        accuracy.append(Expected(head, known, estimate, *_measured(right.get(head), groups)))
    return Report(len(rows), distinct, reference, measures, accuracy)


def _places(histogram: Histogram, rows: Sequence[Values]) -> Ints:
    places = [histogram.place(values[histogram.key]) for values in rows]
    return np.array([place for place in places if place is not None], dtype=np.int64)


def _interval(histogram: Histogram, reference_texts: int, places: Ints, weights: Floats) -> tuple[float, float]:
    """Of the distance. What is drawn anew differs more than the rows do, so the draws are moved back by their bias.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", ch. 10 (bias) and 13 (percentiles).
    """
    before = np.array(histogram.counts, dtype=np.float64)
    onehot = np.eye(len(before))[places]
    drawn = np.random.default_rng(1).multinomial(reference_texts, before / before.sum(), size=RESAMPLES)
    resampled = divergence(drawn.astype(np.float64), weights @ onehot)
    bias = resampled.mean() - divergence(before, onehot.sum(axis=0))
    low, high = np.sqrt(np.maximum(np.percentile(resampled - bias, CONFIDENCE), 0))
    return float(low), float(high)


def _measured(right: Ints | None, groups: Ints) -> tuple[Metric | None, int]:
    if right is None or not (right != UNLABELLED).any():
        return None, 0
    known = right != UNLABELLED
    hits = right[known].astype(np.float64)
    weights = group_weights(np.unique(groups[known], return_inverse=True)[1].astype(np.int64))
    return Metric.of(hits.mean(), weights @ hits / weights.sum(axis=1)), int(known.sum())


def drift_table(report: Report, title: str) -> Table:
    """The measures as a terminal table."""
    table = Table(title=title, title_justify="left")
    for name in ("", "distance", "95 %", "by chance"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("in words", no_wrap=True)
    table.add_column("what changed most")
    for one in report.measures:
        cells = [one.name, "", "", "", one.difference.verdict, ""]
        if one.difference.distance is not None:
            cells[1:4] = [
                f"{one.difference.distance:.2f}",
                f"{one.low:.2f} to {one.high:.2f}",
                f"{one.difference.chance:.2f}",
            ]
            cells[5] = one.change()
        table.add_row(*cells)
    return table


def accuracy_table(report: Report) -> Table:
    """What accuracy is to be expected, and how far the estimate was off where labels are known."""
    table = Table(title="accuracy in percent, with 95 % intervals", title_justify="left")
    for name in ("head", "validation", "expected now", "with labels", "the estimate was off by"):
        table.add_column(name)
    for one in report.accuracy:
        measured = f"{one.measured} ({one.labelled:,} rows)" if one.measured else "no labels"
        off = [f"{100 * (check.estimated - check.measured):+.1f} ({check.part})" for check in one.reference.checks]
        if one.estimate and one.measured:
            off.append(f"{100 * (one.estimate.value - one.measured.value):+.1f} (here)")
        expected = str(one.estimate) if one.estimate else "not enough rows"
        table.add_row(one.head, f"{100 * one.reference.measured:.1f}", expected, measured, ", ".join(off) or "unknown")
    return table


def drift_frame(report: Report) -> pd.DataFrame:
    """The measures for MLflow, one row each; distances are missing where there are not enough rows."""
    rows = [
        {
            "head": one.histogram.head,
            "measure": one.histogram.measure,
            "distance": one.difference.distance,
            "low": one.low,
            "high": one.high,
            "chance": one.difference.chance,
            "verdict": one.difference.verdict,
            "change": one.change(),
        }
        for one in report.measures
    ]
    return pd.DataFrame(rows)


def drift_metrics(report: Report) -> dict[str, float]:
    """The figures for MLflow: `drift/stance/label`, `drift/stance/estimated_accuracy`, ...; rows, texts."""
    figures = {"drift/rows": float(report.rows), "drift/texts": float(report.texts)}
    for one in report.measures:
        if one.difference.distance is not None:
            figures[f"drift/{one.histogram.head or 'text'}/{one.histogram.measure}"] = one.difference.distance
    for each in report.accuracy:
        for name, metric in (("estimated", each.estimate), ("measured", each.measured)):
            if metric:
                ends = {"": metric.value, "_low": metric.low, "_high": metric.high}
                figures |= {f"drift/{each.head}/{name}_accuracy{end}": value for end, value in ends.items()}
    return figures


def drift_picture(report: Report) -> Figure:
    """For every measure the shares of its bins, in validation and now."""
    lines = -(-len(report.measures) // _COLUMNS)
    figure = Figure(figsize=(4.6 * _COLUMNS, 0.6 + 2.9 * lines), layout="constrained")
    axes = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
    for axis, one in zip(axes, report.measures, strict=False):
        before, now = one.shares()
        places = np.arange(len(before))
        axis.barh(places - 0.2, 100 * before, 0.4, color=BEFORE, edgecolor="black", linewidth=0.5, label="validation")
        axis.barh(places + 0.2, 100 * now, 0.4, color=NOW, edgecolor="black", linewidth=0.5, hatch="//", label="now")
        axis.set_yticks(places, one.histogram.names(), fontsize=8)
        axis.invert_yaxis()
        said = one.difference.verdict
        far = "" if one.low is None else f" {one.difference.distance:.2f} [{one.low:.2f}, {one.high:.2f}],"
        axis.set_title(f"{one.name}:{far} {said}", fontsize=10, fontweight="bold" if said == "different" else "normal")
        axis.set_xlabel("% of rows", fontsize=8)
    for axis in axes[len(report.measures) :]:
        axis.axis("off")
    axes[0].legend(fontsize=8)
    return figure
