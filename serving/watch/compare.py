"""How far two histograms are apart, what chance alone would give, and the accuracy that confidence lets expect."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from serving.labels import Head
from serving.watch.measures import Key
from serving.watch.reference import Reference

LEAST_TEXTS = 100  # on both sides; fewer leave bins with too few rows for the approximation in `by_chance`
LARGE = 0.2  # a distance that matters; a population stability index of 0.25, which banks call a shift, is about 0.21
_Z = NormalDist().inv_cdf(0.99)

Counts = npt.NDArray[np.int64]
Verdict = Literal["not enough rows", "as in validation", "a little different", "different"]


@dataclass(frozen=True)
class Difference:
    """One measure of recent rows beside its reference; distances are None where there are not enough rows."""

    key: Key
    distance: float | None
    chance: float | None

    @property
    def verdict(self) -> Verdict:
        """In plain words."""
        if self.distance is None or self.chance is None:
            return "not enough rows"
        if self.distance <= self.chance:
            return "as in validation"
        return "different" if self.distance >= LARGE else "a little different"


def enough(reference: Reference, texts: int) -> bool:
    """Whether there are different texts enough on both sides to say anything."""
    return min(texts, reference.texts) >= LEAST_TEXTS


def compare(reference: Reference, recent: Mapping[Key, Counts], texts: int) -> list[Difference]:
    """Every measure that both have, in the order of the reference.

    Args:
        reference: of the model.
        recent: counts in the reference's bins, by measure.
        texts: different ones among the recent rows.
    """
    found = []
    for one in reference.histograms:
        counts = recent.get(one.key)
        if counts is None or not counts.any():
            continue
        if not enough(reference, texts):
            found.append(Difference(one.key, None, None))
            continue
        before = np.array(one.counts)
        chance = by_chance(int(((before + counts) > 0).sum()), reference.texts, texts)
        found.append(Difference(one.key, distance(before, counts), chance))
    return found


def distance(one: Sequence[int] | Counts, other: Sequence[int] | Counts) -> float:
    """Jensen-Shannon distance of two histograms with some rows each: 0 for equal shares, 1 for no bin in common.

    Source: Lin 1991, "Divergence measures based on the Shannon entropy"; its root is a metric (Endres and Schindelin
    2003, "A new metric for probability distributions").
    """
    return sqrt(float(divergence(np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64))))


def divergence(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The square of the distance, in bits; counts of shape (..., bins) give shape (...)."""
    p, q = (counts / counts.sum(axis=-1, keepdims=True) for counts in (one, other))
    middle = (p + q) / 2
    middle = np.where(middle > 0, middle, 1.0)  # of a bin that both lack
    bits = [share * np.log2(share / middle, out=np.zeros_like(middle), where=share > 0) for share in (p, q)]
    result: npt.NDArray[np.float64] = np.maximum((bits[0] + bits[1]).sum(axis=-1) / 2, 0)
    return result


def by_chance(bins: int, texts: int, other_texts: int) -> float:
    """What the distance of two draws from one distribution stays below in 99 of 100 cases.

    To second order the divergence of n and m draws is chi-squared with bins - 1 degrees of freedom, times
    (1/n + 1/m) / (8 ln 2) in bits. Texts are counted as draws, not rows, since rows on one text are alike; so the
    figure is rather too large. The quantile of chi-squared is that of Wilson and Hilferty 1931.

    Args:
        bins: with a row on either side.
        texts: of one side.
        other_texts: of the other.
    """
    freedom = bins - 1
    if not freedom:
        return 0.0
    part = 2 / (9 * freedom)
    quantile = freedom * (1 - part + _Z * sqrt(part)) ** 3
    return sqrt(quantile * (1 / texts + 1 / other_texts) / (8 * log(2)))


def estimated_accuracy(reference: Reference, recent: Mapping[Key, Counts], head: Head) -> float | None:
    """The accuracy that calibrated confidence lets expect of rows without labels; None where it cannot be estimated.

    It is the share of rows whose confidence is above a limit. Of the validation rows as large a share was above it as
    was right. The number of rows is for the caller to mind.

    Source: Garg et al. 2022, "Leveraging Unlabeled Data to Predict Out-of-Distribution Performance" (average
    thresholded confidence).
    """
    counts = recent.get((head, "confidence"))
    if head not in reference.accuracy or counts is None or not counts.any():
        return None
    [one] = [one for one in reference.histograms if one.key == (head, "confidence")]
    above = one.edges.index(reference.accuracy[head].least) + 1
    return float(counts[above:].sum() / counts.sum())
