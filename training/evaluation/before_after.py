"""A model before and after it learned something more, on the same rows: figures, paired intervals, plain words."""

from dataclasses import dataclass

import numpy as np

from serving.labels import UNLABELLED
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats, Ints, Metric, dense, difference_macro_f1, mean_macro_f1

KEPT = -0.01  # macro-F1: a loss on the old rows up to this one is called none


@dataclass(frozen=True)
class HeadChange:
    """Macro-F1 of one head before and after, and the paired difference; intervals resample whole groups."""

    head: str
    rows: int  # labelled
    groups: int
    before: Metric
    after: Metric
    difference: Metric
    same: float  # share of the rows whose label stays the same


@dataclass(frozen=True)
class Change:
    """All heads on one part."""

    part: str  # as it is called in tables
    heads: list[HeadChange]

    def rows(self) -> list[tuple[str, ...]]:
        """Lines of a table: part, head, rows, before, after, difference, share of labels that stay."""
        return [
            (
                self.part,
                one.head,
                f"{one.rows:,} ({one.groups:,} groups)",
                str(one.before),
                str(one.after),
                one.difference.points,
                f"{100 * one.same:.0f} %",
            )
            for one in self.heads
        ]


COLUMNS = ("measured on", "head", "rows", "before", "after", "difference", "same label")


def change(part: str, corpus: Corpus, before: dict[str, Floats], after: dict[str, Floats]) -> Change:
    """What became better or worse.

    Args:
        part: what the rows are called.
        corpus: the rows.
        before: head -> probabilities or logits of the first model, shape (rows, 3).
        after: of the second one.
    """
    groups = corpus.groups()
    heads = []
    for head, first in before.items():
        labels = corpus.labels(head)
        known = labels != UNLABELLED
        if known.any():
            one, two = (_labels(answers)[known] for answers in (first, after[head]))
            inside = dense(groups[known])
            heads.append(
                HeadChange(
                    head,
                    int(known.sum()),
                    int(inside.max()) + 1,
                    mean_macro_f1(labels[known], [one], inside),
                    mean_macro_f1(labels[known], [two], inside),
                    difference_macro_f1(labels[known], [two], [one], inside),
                    float((one == two).mean()),
                )
            )
    return Change(part, heads)


def _labels(answers: Floats) -> Ints:
    return answers.argmax(axis=1).astype(np.int64)


def helped(own: Change) -> list[str]:
    """A sentence a head: whether the user's rows are answered better."""
    return [_helped(one) for one in own.heads]


def _helped(one: HeadChange) -> str:
    points = f"{one.difference.points} points of macro-F1"
    if one.difference.low > 0:
        return f"It helped: on your rows {one.head} is better ({points})."
    if one.difference.high < 0:
        return f"It made {one.head} worse on your rows ({points}); do not use this version for it."
    return (
        f"Whether it helped with {one.head} cannot be said from {one.rows:,} rows ({points}, which may be chance); "
        "more labels would tell."
    )


def kept(old: Change) -> list[str]:
    """A sentence a head: whether what the model could before is still there."""
    return [_kept(old.part, one) for one in old.heads]


def _kept(part: str, one: HeadChange) -> str:
    points = f"{one.difference.points} points of macro-F1"
    if one.difference.low >= KEPT:
        return f"The old skill stayed: {one.head} on {part} lost no more than a point ({points})."
    if one.difference.high < 0:
        return f"It unlearned something: {one.head} on {part} is worse ({points}); try a larger --replay."
    return f"{one.head} on {part}: a loss is not shown, but one of more than a point is possible ({points})."
