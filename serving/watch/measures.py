"""What is counted of a statement and its answer, and into which bins; never the text itself."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

from serving.inputs import mention_span
from serving.labels import HEADS
from serving.names.words import divided
from serving.statement import Prediction, Statement

Key = tuple[str, str]  # a head, or "" for what is counted of the text; the measure
Values = dict[Key, float | str]

FOUND = ("found", "not found", "not given")  # a holder or target, in the text
ANSWERED = ("answers", "abstains")
DISTANCE: Key = ("", "distance")  # from the training rows in the encoder's embedding; only `drift` measures it
_BINS = 10  # of a number, with about as many validation rows in each


class Histogram(BaseModel):
    """How many rows fell into each bin of a measure.

    A number has `edges`: its bin i holds what is at least edges[i - 1] and less than edges[i]. A category has `bins`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    head: str
    measure: str
    edges: tuple[float, ...] = ()
    bins: tuple[str, ...] = ()
    counts: tuple[int, ...]

    @model_validator(mode="after")
    def _fits(self) -> "Histogram":
        if len(self.counts) != (len(self.bins) or len(self.edges) + 1):
            raise ValueError("counts: another number of bins")
        return self

    @property
    def key(self) -> Key:
        """Head and measure."""
        return self.head, self.measure

    def place(self, value: float | str) -> int | None:
        """The bin of a value; None for a category that the histogram does not know."""
        if isinstance(value, str):
            return self.bins.index(value) if value in self.bins else None
        return bisect_right(self.edges, value)

    def names(self) -> list[str]:
        """The bins as people read them."""
        if self.bins or not self.edges:
            return list(self.bins) or ["all"]
        digits = 0 if all(edge == int(edge) for edge in self.edges) else 2
        shown = [f"{edge:.{digits}f}" for edge in self.edges]
        between = [f"{low} to {high}" for low, high in pairwise(shown)]
        return [f"under {shown[0]}", *between, f"{shown[-1]} or more"]


def observed(statement: Statement, prediction: Prediction) -> Values:
    """What is counted of one statement and its answer."""
    values: Values = {
        ("", "length"): float(len(divided(statement.text).split())),  # in words
        ("", "holder"): _found(statement.text, statement.speaker, statement.speaker_start, statement.speaker_end),
        ("", "target"): _found(statement.text, statement.target, statement.target_start, statement.target_end),
    }
    for head in HEADS:
        if answer := getattr(prediction, head):
            values[head, "label"] = answer.label
            values[head, "confidence"] = answer.probability
            values[head, "abstention"] = ANSWERED[answer.abstained]
    return values


def histograms(rows: Sequence[Values], wanted_edges: dict[Key, float]) -> tuple[Histogram, ...]:
    """A histogram of every measure; the bins of a number are cut at the rows' own deciles.

    Args:
        rows: at least one, all with the same measures.
        wanted_edges: a number that must be an edge, by measure; it takes the place of the nearest decile.
    """
    made = []
    for key, first in rows[0].items():
        head, measure = key
        if isinstance(first, str):
            bins = HEADS[head] if measure == "label" else ANSWERED if measure == "abstention" else FOUND
            empty = Histogram(head=head, measure=measure, bins=bins, counts=(0,) * len(bins))
        else:
            edges = _deciles([float(row[key]) for row in rows], wanted_edges.get(key))
            empty = Histogram(head=head, measure=measure, edges=edges, counts=(0,) * (len(edges) + 1))
        counts = [0] * len(empty.counts)
        for row in rows:
            place = empty.place(row[key])
            assert place is not None
            counts[place] += 1
        made.append(empty.model_copy(update={"counts": tuple(counts)}))
    return tuple(made)


def _found(text: str, name: str | None, start: int | None, end: int | None) -> str:
    if name is None:
        return "not given"
    return "found" if mention_span(text, name, start, end) else "not found"


def _deciles(values: Sequence[float], wanted: float | None) -> tuple[float, ...]:
    edges = np.unique(np.quantile(values, np.arange(1, _BINS) / _BINS, method="higher"))
    edges = edges[edges > min(values)]
    if wanted is not None:
        nearest = np.abs(edges - wanted).argmin() if len(edges) else 0
        edges = np.sort(np.append(np.delete(edges, nearest) if len(edges) else edges, wanted))
    return tuple(edges.tolist())
