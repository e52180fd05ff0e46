"""How far a model's labels agree with people's."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.metrics import cohen_kappa_score

from serving.labels import HEADS, UNLABELLED, label_indices
from training.data.corpus import Corpus
from training.data.sources.teacher import question_id
from training.evaluation.metrics import CONFIDENCE, Floats, Ints, Metric, confusion, dense, group_weights, macro_f1

Labels = Mapping[str, Mapping[str, str]]  # id of a statement -> head -> label


@dataclass(frozen=True)
class Agreement:
    """Two readers of the same rows: one head's figures.

    Attributes:
        rows: that both have labelled.
        kappa: Cohen's, with its interval; None where both gave one label only, which says nothing. Source: Cohen
            1960, "A Coefficient of Agreement for Nominal Scales".
        macro_f1: of the model's labels, the people's being right, with its interval.
        counts: shape (3 labels of people, 3 labels of the model).
    """

    rows: int
    kappa: tuple[float, float, float] | None
    macro_f1: Metric
    counts: Floats


def agreement(people: Ints, model: Ints, groups: Ints) -> Agreement:
    """The figures of one head; intervals draw whole groups.

    Args:
        people: label indices, shape (rows,).
        model: label indices, shape (rows,).
        groups: group numbers, shape (rows,).
    """
    once, weights = np.ones((1, len(people))), group_weights(dense(groups))
    return Agreement(
        len(people),
        _kappa(people, model, weights),
        Metric.of(macro_f1(people, model, once)[0], macro_f1(people, model, weights)),
        confusion(people, model, once)[0],
    )


def _kappa(people: Ints, model: Ints, weights: Floats) -> tuple[float, float, float] | None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of resamples in which both gave one label: they have no kappa
        value, *resampled = (
            float(cohen_kappa_score(people, model, labels=[0, 1, 2], sample_weight=one))
            for one in (np.ones(len(people)), *weights)
        )
        if np.isnan(value):
            return None
        low, high = np.nanpercentile(resampled, CONFIDENCE)
    return value, float(low), float(high)


def agreements(people: Corpus, model: Labels) -> dict[str, Agreement]:
    """The figures of each head that people labelled, on the rows that the model labelled too."""
    found = {}
    ids = [question_id(row) for row in people.rows]
    for head in HEADS:
        theirs = people.labels(head)
        ours = label_indices(head, (model.get(one, {}).get(head) for one in ids))
        both = (theirs != UNLABELLED) & (ours != UNLABELLED)
        if both.any():
            found[head] = agreement(theirs[both], ours[both], people.groups()[both])
    return found


def show(found: Mapping[str, Agreement], console: Console) -> None:
    """Print the figures of each head, and which labels are taken for which."""
    for head, one in found.items():
        kappa = "none: one label only" if one.kappa is None else "{:.2f} [{:.2f}, {:.2f}]".format(*one.kappa)
        console.print(
            f"{head}, {one.rows:,} rows: kappa {kappa}, macro-F1 {one.macro_f1}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        console.print(_table(HEADS[head], one.counts))


def _table(labels: Sequence[str], counts: Floats) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("people \\ model")
    for label in labels:
        table.add_column(label, justify="right")
    for label, row in zip(labels, counts, strict=True):
        table.add_row(label, *(f"{count:,.0f}" for count in row))
    return table
