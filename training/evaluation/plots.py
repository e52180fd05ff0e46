"""The pictures of a run: where people would rather look than read."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from serving.labels import HEADS, UNLABELLED
from training.evaluation.evaluate import Evaluation, HeadResult, risk_coverage_curve
from training.evaluation.metrics import ECE_BINS, Metric, confusion

Curve = list[tuple[float, float]]  # (epoch, value)


def confusion_matrices(evaluation: Evaluation) -> Figure:
    """One matrix per head: rows the true label, columns the predicted, counts with the row's share as colour."""
    figure, axes = _figure(len(evaluation.heads))
    for axis, (head, result) in zip(axes, evaluation.heads.items(), strict=True):
        known = result.labels != UNLABELLED
        counts = confusion(result.labels[known], result.predicted[known], np.ones((1, known.sum())))[0]
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.6 else "black"
            axis.text(column, row, f"{count:.0f}\n{shares[row, column]:.0%}", ha="center", va="center", color=colour)
        axis.set_xticks(range(3), HEADS[head])
        axis.set_yticks(range(3), HEADS[head])
        axis.set(title=head, xlabel="predicted", ylabel="true")
    return figure


def reliability_diagram(evaluation: Evaluation) -> Figure:
    """Accuracy against confidence in ten bins, a dot's area showing how many rows are in it."""
    figure, axes = _figure(len(evaluation.heads))
    for axis, (head, result) in zip(axes, evaluation.heads.items(), strict=True):
        confidence, accuracy, share = reliability(result)
        axis.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect")
        axis.plot(confidence, accuracy, color="tab:blue")
        axis.scatter(confidence, accuracy, s=800 * share, color="tab:blue", alpha=0.6)
        axis.set(title=f"{head}: ECE {result.metrics['ece']} %", xlabel="confidence", ylabel="accuracy")
        axis.set(xlim=(0.3, 1), ylim=(0, 1))
    return figure


def reliability(result: HeadResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean confidence, accuracy and share of rows of every bin that has rows."""
    known = result.labels != UNLABELLED
    confidence = result.probabilities[known].max(axis=1)
    correct = result.predicted[known] == result.labels[known]
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    used = np.unique(bins)
    means = [(confidence[bins == b].mean(), correct[bins == b].mean(), (bins == b).mean()) for b in used]
    return tuple(np.array(column) for column in zip(*means, strict=True))  # type: ignore[return-value]


def risk_coverage(evaluation: Evaluation) -> Figure:
    """Error rate of the statements kept when the least sure are left out."""
    figure, axes = _figure(1)
    for head, result in evaluation.heads.items():
        coverage, risk = risk_coverage_curve(result)
        axes[0].plot(coverage, risk, label=f"{head}, area {result.metrics['aurc'].value:.3f}")
    axes[0].set(xlabel="coverage", ylabel="error rate of the rows kept", xlim=(0, 1), ylim=(0, None))
    axes[0].legend()
    return figure


def loss_curves(train: Curve, validation: Curve) -> Figure:
    """Loss by epoch."""
    figure, axes = _figure(1)
    for name, curve in (("training", train), ("validation", validation)):
        if curve:
            axes[0].plot(*zip(*curve, strict=True), label=name, marker="o" if name == "validation" else None)
    axes[0].set(xlabel="epoch", ylabel="loss")
    axes[0].legend()
    return figure


def differences(rows: list[tuple[str, Metric]]) -> Figure:
    """One line per difference of F1 in points: the value and its 95 % interval, beside the line of no difference."""
    figure = Figure(figsize=(8, 0.8 + 0.32 * len(rows)), layout="constrained")
    axis = figure.subplots()
    for place, (_, metric) in enumerate(rows):
        low, value, high = (100 * end for end in (metric.low, metric.value, metric.high))
        axis.plot([low, high], [place, place], color="tab:blue")
        axis.plot(value, place, "o", color="tab:blue")
    axis.axvline(0, color="grey", linestyle=":")
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.invert_yaxis()
    axis.set(xlabel="points of F1, with 95 % interval")
    return figure


def _figure(columns: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5 * columns, 4.4), layout="constrained")
    return figure, list(figure.subplots(1, columns, squeeze=False)[0])
