"""How far two labellers agree, and the rows to settle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.labels import HEADS, UNLABELLED, label_indices
from training.data.corpus import LabelledStatement
from training.evaluation.metrics import Floats, Metric, cohen_kappa, confusion, dense, group_weights


@dataclass(frozen=True)
class Agreement:
    """How far two people agree on one head; a measure is nan where all labels are the same, which says nothing."""

    head: str
    rows: int  # that both labelled
    same: int
    raw: Metric
    kappa: Metric
    alpha: Metric


@dataclass(frozen=True)
class Compared:
    """Two labellers, row by row."""

    agreements: list[Agreement]  # of the heads that both labelled
    differ: list[dict[str, Any]]  # the rows to settle
    only_first: int
    only_second: int
    other_mentions: int  # rows whose holder or target one of them has changed: their labels answer two questions


def compare(first: Mapping[str, LabelledStatement], second: Mapping[str, LabelledStatement]) -> Compared:
    """Agreement on the rows that both have, by id.

    Args:
        first: id -> row of one labeller.
        second: of the other.
    """
    both = [(first[one], second[one]) for one in first if one in second]
    alike = [pair for pair in both if _mentions(pair[0]) == _mentions(pair[1])]
    found = [_agreement(head, alike) for head in HEADS]
    return Compared(
        [one for one in found if one],
        [_differing(*pair) for pair in both if _differ(*pair)],
        len(first.keys() - second.keys()),
        len(second.keys() - first.keys()),
        len(both) - len(alike),
    )


def alpha(counts: Floats) -> Floats:
    """Krippendorff's alpha for nominal labels of two people, shapes as for `cohen_kappa`; nan if all is one label.

    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", nominal data, two observers.
    """
    coincidences = counts + counts.transpose(0, 2, 1)
    given = coincidences.sum(axis=2)
    total = given.sum(axis=1)
    apart = 1 - np.einsum("bii->b", coincidences) / total
    chance = 1 - (given * (given - 1)).sum(axis=1) / (total * (total - 1))
    some = chance > 1e-12
    return np.where(some, 1 - apart / np.where(some, chance, 1.0), np.nan)


def _raw(counts: Floats) -> Floats:
    agreed: Floats = np.einsum("bii->b", counts) / counts.sum(axis=(1, 2))
    return agreed


def _agreement(head: str, pairs: list[tuple[LabelledStatement, LabelledStatement]]) -> Agreement | None:
    labels = [label_indices(head, (getattr(row, head) for row in side)) for side in zip(*pairs, strict=True)]
    if not labels:
        return None
    chosen = (labels[0] != UNLABELLED) & (labels[1] != UNLABELLED)
    one, other = (side[chosen] for side in labels)
    if not len(one):
        return None
    # Rows on one text are not independent: whole texts are drawn.
    texts = {text: i for i, text in enumerate(dict.fromkeys(row.group or row.text for row, _ in pairs))}
    groups = dense(np.array([texts[row.group or row.text] for row, _ in pairs], dtype=np.int64)[chosen])
    counts = confusion(one, other, np.ones((1, len(one))))
    drawn = confusion(one, other, group_weights(groups))
    figures = [_figure(measure, counts, drawn) for measure in (_raw, cohen_kappa, alpha)]
    return Agreement(head, len(one), int((one == other).sum()), *figures)


def _figure(measure: Callable[[Floats], Floats], counts: Floats, drawn: Floats) -> Metric:
    resampled = measure(drawn)
    said = resampled[~np.isnan(resampled)]
    return Metric.of(float(measure(counts)[0]), said if len(said) else np.array([np.nan]))


def _mentions(row: LabelledStatement) -> tuple[str | None, str | None]:
    return row.speaker, row.target


def _differ(one: LabelledStatement, other: LabelledStatement) -> bool:
    heads = [(getattr(one, head), getattr(other, head)) for head in HEADS]
    return _mentions(one) != _mentions(other) or any(a and b and a != b for a, b in heads)


def _differing(one: LabelledStatement, other: LabelledStatement) -> dict[str, Any]:
    """A row to settle; its columns of labels have names of their own, so that it can be labelled again."""
    row: dict[str, Any] = {"id": one.id, "text": one.text, "speaker": one.speaker, "target": one.target}
    for field in ("speaker", "target", *HEADS, "note"):
        row |= {f"{field}_a": getattr(one, field), f"{field}_b": getattr(other, field)}
    return {**row, "group": one.group}
