"""Tests of two models on the same rows: is the difference more than chance?

A side is one list of predicted labels (rows,) per run, so that several seeds of one experiment are one side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from training.evaluation.metrics import Floats, Ints, dense, f1_per_class

ROUNDS = 10_000
_CHUNK = 1_000  # rounds at once, so that memory stays within rounds times groups of one chunk


def randomisation_p(labels: Ints, ours: Sequence[Ints], theirs: Sequence[Ints], groups: Ints, seed: int = 0) -> float:
    """Two-sided p of a difference in macro-F1, by approximate randomisation.

    If the sides were alike, it would not matter which predictions are called whose: in every round those of half the
    groups, drawn anew, change sides. A group changes as a whole, because its rows are not independent. A side's
    macro-F1 is that of all its runs' predictions together.

    Args:
        labels: label indices, shape (rows,), every row labelled.
        ours: predicted label indices, one array of shape (rows,) per run.
        theirs: the same of the other side; the number of runs may differ.
        groups: group numbers, shape (rows,).
        seed: of the rounds.

    Source: Noreen 1989, "Computer-Intensive Methods for Testing Hypotheses"; Yeh 2000, "More accurate tests for the
    statistical significance of result differences".
    """
    groups = dense(groups)
    ours_counts, theirs_counts = (_counts(labels, side, groups) for side in (ours, theirs))
    present = (ours_counts + theirs_counts).sum(axis=0).reshape(3, 3)
    used = present.sum(axis=0) + present.sum(axis=1) > 0

    def difference(swapped: Floats) -> Floats:
        moved = swapped @ (theirs_counts - ours_counts)
        sides = (ours_counts.sum(axis=0) + moved, theirs_counts.sum(axis=0) - moved)
        one, two = (f1_per_class(counts.reshape(-1, 3, 3))[:, used].mean(axis=1) for counts in sides)
        result: Floats = np.abs(one - two)
        return result

    observed = difference(np.zeros((1, len(ours_counts))))[0]
    rng = np.random.default_rng(seed)
    reached = 0
    for _ in range(ROUNDS // _CHUNK):
        swapped = rng.integers(2, size=(_CHUNK, len(ours_counts))).astype(np.float64)
        reached += int((difference(swapped) >= observed - 1e-12).sum())
    return (reached + 1) / (ROUNDS + 1)


def _counts(labels: Ints, side: Sequence[Ints], groups: Ints) -> Floats:
    """Confusion counts of every group, shape (groups, 9), averaged over the side's runs."""
    counts = np.zeros((int(groups.max()) + 1, 9))
    for predicted in side:
        np.add.at(counts, (groups, labels * 3 + predicted), 1 / len(side))
    return counts


def holm(ps: Sequence[float]) -> list[float]:
    """p values adjusted for having tested all of them, in the order given.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


@dataclass(frozen=True)
class McNemar:
    """How two sets of answers agree with the labels, in rows, and the exact two-sided p of their disagreement."""

    both: int
    first_only: int
    second_only: int
    neither: int
    p: float


def mcnemar(labels: Ints, first: Ints, second: Ints) -> McNemar:
    """McNemar's table of predicted label indices, all of shape (rows,).

    The p takes rows as independent, which those of one story are not: read it beside the clustered interval.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions".
    """
    one, two = first == labels, second == labels
    apart = int((one & ~two).sum()), int((~one & two).sum())
    p = float(binomtest(apart[0], sum(apart)).pvalue) if sum(apart) else 1.0
    return McNemar(int((one & two).sum()), *apart, int((~one & ~two).sum()), p)
