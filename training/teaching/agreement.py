"""How far a model's labels agree with people's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from serving.labels import HEADS, UNLABELLED, label_indices
from training.data.corpus import Corpus
from training.data.sources.teacher import question_id
from training.evaluation.metrics import (
    Floats,
    Ints,
    Metric,
    cohen_kappa,
    confusion,
    dense,
    group_weights,
    macro_f1,
)

Labels = Mapping[str, Mapping[str, str]]  # id of a statement -> head -> label


@dataclass(frozen=True)
class Agreement:
    """Two readers of the same rows: one head's figures.

    Attributes:
        rows: that both have labelled.
        kappa: Cohen's, with its interval; None where both gave one label only, which says nothing.
        macro_f1: of the model's labels, the people's being right, with its interval.
        counts: shape (3 labels of people, 3 labels of the model).
    """

    rows: int
    kappa: Metric | None
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
    counts = confusion(people, model, once)
    kappa, resampled = cohen_kappa(counts)[0], cohen_kappa(confusion(people, model, weights))
    return Agreement(
        len(people),
        None if np.isnan(kappa) else Metric.of(kappa, resampled[~np.isnan(resampled)]),
        Metric.of(macro_f1(people, model, once)[0], macro_f1(people, model, weights)),
        counts[0],
    )


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
        kappa = "none: one label only" if one.kappa is None else _two_places(one.kappa)
        console.print(
            f"{head}, {one.rows:,} rows: kappa {kappa}, macro-F1 {one.macro_f1}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        console.print(_table(HEADS[head], one.counts))


def _two_places(kappa: Metric) -> str:
    return f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}]"


def _table(labels: Sequence[str], counts: Floats) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    table.add_column("people \\ model")
    for label in labels:
        table.add_column(label, justify="right")
    for label, row in zip(labels, counts, strict=True):
        table.add_row(label, *(f"{count:,.0f}" for count in row))
    return table
