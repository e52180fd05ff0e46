"""Metrics with intervals, for training and for `optimize`, which measures int8 where training is not installed.

Every function takes row weights of shape (resamples, rows): ones give the figure itself, and how often a row
was drawn gives one resample. Rows of one document group are drawn together (cluster bootstrap, Davison &
Hinkley 1997, ch. 3.8), because statements of one story are not independent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from serving.labels import HEADS, UNLABELLED

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Score = Callable[[Floats], Floats]  # weights (resamples, rows) -> figure per resample

RESAMPLES = 1000
ECE_BINS = 10
CONFIDENCE = (2.5, 97.5)  # percentiles


@dataclass(frozen=True)
class Metric:
    """A figure between 0 and 1, or a difference of two, and its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: Floats) -> "Metric":
        """A figure and what it is in each resample, shape (resamples,)."""
        low, high = np.percentile(resampled, CONFIDENCE)
        return cls(float(value), float(low), float(high))

    def __str__(self) -> str:
        """In percent; without the interval where it has no width."""
        return f"{100 * self.value:.1f}" + (f" {self.interval}" if self.low < self.high else "")

    @property
    def interval(self) -> str:
        """The interval in percent."""
        return f"[{100 * self.low:.1f}, {100 * self.high:.1f}]"

    @property
    def points(self) -> str:
        """A difference in points with its interval, signs shown."""
        return f"{100 * self.value:+.1f} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


def group_weights(groups: Ints, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """How often each row is drawn when whole groups are drawn with replacement, shape (resamples, rows)."""
    rng = np.random.default_rng(seed)
    count = int(groups.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=resamples)
    weights: Floats = drawn[:, groups].astype(np.float64)
    return weights


def confusion(labels: Ints, predicted: Ints, weights: Floats) -> Floats:
    """Weighted counts, shape (resamples, 3 true labels, 3 predicted labels)."""
    cells = np.eye(9)[labels * 3 + predicted]
    counts: Floats = (weights @ cells).reshape(-1, 3, 3)
    return counts


def f1_per_class(counts: Floats) -> Floats:
    """F1 of each label, shape (resamples, 3); 0 for a label neither present nor predicted, as in scikit-learn."""
    hits = np.einsum("bii->bi", counts)
    total = counts.sum(axis=1) + counts.sum(axis=2)
    f1: Floats = np.divide(2 * hits, total, out=np.zeros_like(hits), where=total > 0)
    return f1


def cohen_kappa(counts: Floats) -> Floats:
    """Cohen's kappa of two readers, shape (resamples,); not a number where both gave one and the same label only.

    Source: Cohen 1960, "A Coefficient of Agreement for Nominal Scales".
    """
    total = counts.sum(axis=(1, 2))
    alike = np.einsum("bii->b", counts) / total
    by_chance = (counts.sum(axis=1) * counts.sum(axis=2)).sum(axis=1) / total**2
    kappa: Floats = np.divide(alike - by_chance, 1 - by_chance, out=np.full_like(total, np.nan), where=by_chance < 1)
    return kappa


def macro_f1(labels: Ints, predicted: Ints, weights: Floats) -> Floats:
    """Mean F1 of the labels that occur among the rows, true or predicted, shape (resamples,)."""
    counts = confusion(labels, predicted, np.ones((1, len(labels))))[0]
    present = counts.sum(axis=0) + counts.sum(axis=1) > 0
    mean: Floats = f1_per_class(confusion(labels, predicted, weights))[:, present].mean(axis=1)
    return mean


def macro_f1_score(labels: Ints, predicted: Ints) -> float:
    """Macro-F1 of labelled rows as one number, without an interval."""
    return float(macro_f1(labels, predicted, np.ones((1, len(labels))))[0])


def expected_calibration_error(correct: Floats, confidence: Floats, weights: Floats) -> Floats:
    """Mean gap between confidence and accuracy over ten equal-width bins, shape (resamples,).

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    gaps = np.eye(ECE_BINS)[bins] * (confidence - correct)[:, None]
    error: Floats = np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1)
    return error


def ece_of_chance(confidence: Floats, draws: int = 50) -> float:
    """What the ECE of these confidences would be were they exactly true: chance alone opens gaps in small bins.

    Args:
        confidence: probability of the likeliest label, shape (rows,).
        draws: of labels; the mean over them is returned.
    """
    once = np.ones((1, len(confidence)))
    rng = np.random.default_rng(0)
    hits = (rng.random((draws, len(confidence))) < confidence).astype(np.float64)
    return float(np.mean([expected_calibration_error(drawn, confidence, once)[0] for drawn in hits]))


def area_under_risk_coverage(correct: Floats, confidence: Floats, weights: Floats) -> Floats:
    """Mean error rate over all coverages, most confident rows first, shape (resamples,); lower is better.

    Source: Geifman & El-Yaniv 2017, "Selective Classification for Deep Neural Networks".
    """
    order = np.argsort(-confidence, kind="stable")
    ordered = weights[:, order]
    kept = ordered.cumsum(axis=1)
    wrong = (ordered * (1 - correct[order])).cumsum(axis=1)
    risk = np.divide(wrong, kept, out=np.zeros_like(wrong), where=kept > 0)
    area: Floats = (risk * ordered).sum(axis=1) / ordered.sum(axis=1)
    return area


def head_metrics(head: str, labels: Ints, probabilities: Floats, groups: Ints) -> dict[str, Metric]:
    """All metrics of one head with intervals.

    Args:
        head: `stance` or `sentiment`.
        labels: label indices, shape (rows,); UNLABELLED rows are left out.
        probabilities: calibrated, shape (rows, 3).
        groups: group numbers, shape (rows,).

    Returns:
        accuracy, macro_f1, f1_LABEL, ece, aurc; empty when no row is labelled.
    """
    chosen = labels != UNLABELLED
    if not chosen.any():
        return {}
    labels, probabilities, groups = labels[chosen], probabilities[chosen], dense(groups[chosen])
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    confidence = probabilities.max(axis=1)
    correct = (predicted == labels).astype(np.float64)

    def measure(weights: Floats) -> dict[str, Floats]:
        f1 = f1_per_class(confusion(labels, predicted, weights))
        return {
            "accuracy": weights @ correct / weights.sum(axis=1),
            "macro_f1": macro_f1(labels, predicted, weights),
            **{f"f1_{label}": f1[:, i] for i, label in enumerate(HEADS[head])},
            "ece": expected_calibration_error(correct, confidence, weights),
            "aurc": area_under_risk_coverage(correct, confidence, weights),
        }

    figures = measure(np.ones((1, len(labels))))
    resampled = measure(group_weights(groups))
    return {name: Metric.of(figures[name][0], resampled[name]) for name in figures}


def mean_macro_f1(labels: Ints, predictions: list[Ints], groups: Ints, seed: int = 0) -> Metric:
    """Macro-F1 averaged over runs that differ in their seed; the interval draws both groups and runs anew.

    Args:
        labels: shape (rows,), the same for every run.
        predictions: one array of shape (rows,) per run.
        groups: shape (rows,).
        seed: of the resamples.
    """
    scores = [partial(macro_f1, labels, predicted) for predicted in predictions]
    return mean_over_runs(scores, dense(groups), seed)


def mean_over_runs(scores: Sequence[Score], groups: Ints, seed: int = 0) -> Metric:
    """A figure averaged over runs; each score maps weights (resamples, rows) to the run's figure per resample."""
    weights, once = group_weights(groups, seed=seed), np.ones((1, len(groups)))
    value = np.mean([score(once)[0] for score in scores])
    return Metric.of(float(value), redrawn_mean(np.stack([score(weights) for score in scores], axis=1), seed))


def difference_macro_f1(labels: Ints, ours: list[Ints], theirs: list[Ints], groups: Ints, seed: int = 0) -> Metric:
    """Mean macro-F1 of our runs minus theirs on the same rows, paired: both see the same resample of groups."""
    one, two = ([partial(macro_f1, labels, predicted) for predicted in side] for side in (ours, theirs))
    return difference_over_runs(one, two, dense(groups), seed)


def difference_over_runs(ours: Sequence[Score], theirs: Sequence[Score], groups: Ints, seed: int = 0) -> Metric:
    """Mean of a figure over our runs minus its mean over theirs, paired by resample of groups."""
    weights, once = group_weights(groups, seed=seed), np.ones((1, len(groups)))
    values, resampled = [], []
    for number, scores in enumerate((ours, theirs)):
        values.append(float(np.mean([score(once)[0] for score in scores])))
        resampled.append(redrawn_mean(np.stack([score(weights) for score in scores], axis=1), seed + number))
    return Metric.of(values[0] - values[1], resampled[0] - resampled[1])


def redrawn_mean(scores: Floats, seed: int = 0) -> Floats:
    """Mean over runs drawn with replacement in every resample; `scores` has shape (resamples, runs)."""
    rng = np.random.default_rng(seed + 1)
    drawn = rng.integers(scores.shape[1], size=scores.shape)
    mean: Floats = np.take_along_axis(scores, drawn, axis=1).mean(axis=1)
    return mean


def dense(groups: Ints) -> Ints:
    """Group numbers renumbered 0, 1, 2, ... without gaps."""
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def contrast_rows(texts: list[str], labels: Ints) -> npt.NDArray[np.bool_]:
    """Rows whose very text also stands with another label: only holder and target tell them apart."""
    seen: dict[str, set[int]] = {}
    for text, label in zip(texts, labels.tolist(), strict=True):
        if label != UNLABELLED:
            seen.setdefault(text, set()).add(label)
    pairs = zip(texts, labels.tolist(), strict=True)
    return np.array([label != UNLABELLED and len(seen[text]) > 1 for text, label in pairs])


def mlflow_metrics(figures: Mapping[str, Metric]) -> dict[str, float]:
    """The figures as a run's metrics; of macro-F1 also the ends of the interval, `..._low` and `..._high`.

    The other intervals are in `figures_table` alone: three metrics for every figure would crowd the compare view.
    """
    metrics = {name: figure.value for name, figure in figures.items()}
    for name, figure in figures.items():
        if name.rpartition("/")[2].startswith("macro_f1"):
            metrics |= {f"{name}_low": figure.low, f"{name}_high": figure.high}
    return metrics


def figures_table(figures: Mapping[str, Metric]) -> pd.DataFrame:
    """Figures named part/head/metric, one row each: part, head, metric, value, low, high.

    low and high are missing where a figure has no interval.
    """
    rows = [(*name.split("/"), figure.value, *_ends(figure)) for name, figure in figures.items()]
    return pd.DataFrame(rows, columns=["part", "head", "metric", "value", "low", "high"])


def _ends(figure: Metric) -> tuple[float | None, float | None]:
    return (None, None) if figure.low == figure.high else (figure.low, figure.high)
