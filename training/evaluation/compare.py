"""Two or more runs on the same test rows: what differs, by how much, and whether it is more than chance."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
from mlflow.entities import Run

from serving.errors import StancewiseError
from serving.labels import HEADS, UNLABELLED, label_indices
from serving.store.run_files import find_run, measured_parts, read_predictions
from training.evaluation.metrics import (
    Floats,
    Ints,
    Metric,
    Score,
    confusion,
    contrast_rows,
    dense,
    difference_over_runs,
    f1_per_class,
    macro_f1,
    mean_over_runs,
)
from training.evaluation.paired import McNemar, holm, mcnemar, randomisation_p

LEAST_ROWS = 30  # a domain with fewer rows is not shown by itself
COSTS = {"minutes": "training minutes", "parameters": "parameters", "ms_per_statement": "milliseconds a statement"}


@dataclass(frozen=True)
class Side:
    """One of the things compared: a finished run, or several that differ in their seed."""

    run_id: str  # the run that was named: of several seeds their parent
    name: str
    runs: list[Run]
    part: str
    tables: list[pd.DataFrame]  # predictions on the part, one table per run

    @property
    def params(self) -> dict[str, str]:
        """What the runs were started with, the seed aside."""
        return {key: value for key, value in self.runs[0].data.params.items() if key != "seed"}

    @property
    def costs(self) -> dict[str, float]:
        """Means of COSTS over the runs that have them."""
        metrics = [run.data.metrics for run in self.runs]
        names = [name for name in COSTS if all(f"cost/{name}" in one for one in metrics)]
        return {name: float(np.mean([one[f"cost/{name}"] for one in metrics])) for name in names}

    def heads(self) -> list[str]:
        """The heads it answers."""
        return [head for head in HEADS if f"{head}_predicted" in self.tables[0]]

    def probabilities(self, head: str) -> list[Floats]:
        """Of every run, shape (rows, 3)."""
        columns = [f"{head}_p_{label}" for label in HEADS[head]]
        return [table[columns].to_numpy(dtype=np.float64) for table in self.tables]

    def predicted(self, head: str) -> list[Ints]:
        """Label indices of every run, shape (rows,)."""
        return [label_indices(head, table[f"{head}_predicted"]) for table in self.tables]

    def consensus(self, head: str) -> Ints:
        """Label indices of the mean of all runs' probabilities, shape (rows,)."""
        if len(self.tables) == 1:
            return self.predicted(head)[0]
        return np.mean(self.probabilities(head), axis=0).argmax(axis=1).astype(np.int64)


@dataclass(frozen=True)
class Slice:
    """Some of the rows, or one label: F1 of both sides, and the second minus the first."""

    name: str
    rows: int
    first: float
    second: float
    difference: Metric


@dataclass(frozen=True)
class Comparison:
    """The second side against the first, one head."""

    head: str
    first: Side
    second: Side
    labels: Ints  # shape (rows,), the rows that the head is labelled on
    first_f1: Metric
    second_f1: Metric
    difference: Metric  # macro-F1, second minus first
    p: float  # by approximate randomisation
    adjusted_p: float  # for all comparisons with the first side, by Holm
    agreement: McNemar
    slices: list[Slice]
    flips: pd.DataFrame  # rows that the sides answer differently

    @property
    def decided(self) -> bool:
        """Whether both the interval and the adjusted p say that the difference is more than chance."""
        return self.adjusted_p < 0.05 and not self.difference.low <= 0 <= self.difference.high

    @cached_property
    def verdict(self) -> str:
        """One sentence."""
        points = f"{100 * self.difference.value:+.1f} points of macro-F1"
        if not self.decided:
            return f"{self.head}: no difference between {self.second.name} and {self.first.name} is shown ({points})"
        word = "better" if self.difference.value > 0 else "worse"
        return f"{self.head}: {self.second.name} is {word} than {self.first.name} ({points})"


def read_sides(names: list[str], part: str | None = None) -> list[Side]:
    """The runs' predictions on one part, the first test part they share if none is named.

    Raises:
        StancewiseError: no such run, one that is not finished, or runs that were measured on different rows.
    """
    if len(names) < 2 or len(set(names)) < len(names):
        raise StancewiseError("compare: name two or more different runs")
    found = [(run, _members(run)) for run in map(find_run, names)]
    part = part or _shared_part([members[0] for _, members in found])
    sides = [_read_side(run, members, part) for run, members in found]
    if len({side.run_id for side in sides}) < len(sides):
        raise StancewiseError(f"compare: two of {', '.join(names)} are one run; name every run once")
    for side in sides[1:]:
        _same_rows(sides[0], side)
    return _named_apart(sides)


def _members(run: Run) -> list[Run]:
    children = mlflow.search_runs(
        experiment_ids=[run.info.experiment_id],
        filter_string=f"tags.`mlflow.parentRunId` = '{run.info.run_id}'",
        order_by=["attributes.start_time ASC"],
        output_format="list",
    )
    members = children if run.data.tags.get("kind") == "seeds" else [run]
    for one in members:
        if one.info.status != "FINISHED":
            raise StancewiseError(f"run {one.info.run_id} is {one.info.status.lower()}; compare finished runs")
    if not members:
        raise StancewiseError(f"run {run.info.run_id}: none of its seeds has begun; compare finished runs")
    return members


def _shared_part(runs: list[Run]) -> str:
    shared = set.intersection(*(set(measured_parts(run)) for run in runs))
    if not shared:
        names = ", ".join(str(run.info.run_name) for run in runs)
        raise StancewiseError(f"compare: {names} share no measured part; compare runs measured on one file")
    return min(shared, key=lambda part: (not part.startswith("test"), part))


def _read_side(run: Run, members: list[Run], part: str) -> Side:
    return Side(run.info.run_id, run.info.run_name, members, part, [read_predictions(one, part) for one in members])


def _same_rows(one: Side, other: Side) -> None:
    """Digests cover texts, names and labels; ids say what is missing where digests differ."""
    key = f"data.{one.part}.sha256"
    for run, table in zip(one.runs + other.runs, one.tables + other.tables, strict=True):
        same = run.data.tags.get(key) == one.runs[0].data.tags.get(key)
        if same and table["id"].tolist() == one.tables[0]["id"].tolist():
            continue
        ids, others = set(one.tables[0]["id"]), set(table["id"])
        only = f"{len(ids - others)} only in {one.name}, {len(others - ids)} only in {run.info.run_name}"
        detail = only if ids != others else "the ids are the same, but texts, labels or their order changed"
        raise StancewiseError(
            f"compare: {one.name} and {run.info.run_name} were measured on different {one.part} rows ({detail}); "
            "measure both on the same file"
        )


def _named_apart(sides: list[Side]) -> list[Side]:
    names = [side.name for side in sides]
    return [
        replace(side, name=f"{side.name} ({side.run_id[:8]})") if names.count(side.name) > 1 else side for side in sides
    ]


def compare(sides: list[Side]) -> list[Comparison]:
    """Every further side against the first, on every head that all of them answer.

    Raises:
        StancewiseError: they have no labelled head in common.
    """
    first = sides[0]
    heads = [head for head in HEADS if all(head in side.heads() for side in sides)]
    comparisons: list[Comparison] = []
    for head in heads:
        labels = label_indices(head, first.tables[0][f"{head}_true"])
        if (labels == UNLABELLED).all():
            continue
        pairs = [_compare(head, labels, first, second) for second in sides[1:]]
        adjusted = holm([pair.p for pair in pairs])
        comparisons += [replace(pair, adjusted_p=p) for pair, p in zip(pairs, adjusted, strict=True)]
    if not comparisons:
        raise StancewiseError(f"compare: no head is answered by all and labelled on {first.part}; choose another part")
    return comparisons


def _compare(head: str, labels: Ints, first: Side, second: Side) -> Comparison:
    known = labels != UNLABELLED
    table = first.tables[0][known].reset_index(drop=True)
    labels, groups = labels[known], _groups(table)
    predictions = [[predicted[known] for predicted in side.predicted(head)] for side in (first, second)]

    def difference(rows: npt.NDArray[np.bool_], score: Callable[..., Floats]) -> tuple[Metric, Metric, Metric]:
        sides: list[list[Score]] = [[partial(score, labels[rows], p[rows]) for p in side] for side in predictions]
        inside = dense(groups[rows])
        one, two = (mean_over_runs(side, inside) for side in sides)
        return one, two, difference_over_runs(sides[1], sides[0], inside)

    everywhere = np.ones(len(labels), dtype=np.bool_)
    first_f1, second_f1, whole = difference(everywhere, macro_f1)
    slices = []
    for number, label in enumerate(HEADS[head]):
        one, two, apart = difference(everywhere, partial(_label_f1, number))
        slices.append(Slice(f"label {label}", int((labels == number).sum()), one.value, two.value, apart))
    for name, rows in _row_slices(table, labels):
        if rows.sum() >= LEAST_ROWS:
            one, two, apart = difference(rows, macro_f1)
            slices.append(Slice(name, int(rows.sum()), one.value, two.value, apart))
    answers = [side.consensus(head)[known] for side in (first, second)]
    p = randomisation_p(labels, predictions[0], predictions[1], groups)
    flips = _flips(table, head, labels, answers, (first, second))
    agreement = mcnemar(labels, *answers)
    return Comparison(head, first, second, labels, first_f1, second_f1, whole, p, p, agreement, slices, flips)


def _label_f1(number: int, labels: Ints, predicted: Ints, weights: Floats) -> Floats:
    score: Floats = f1_per_class(confusion(labels, predicted, weights))[:, number]
    return score


def _row_slices(table: pd.DataFrame, labels: Ints) -> list[tuple[str, npt.NDArray[np.bool_]]]:
    domains = table["domain"]
    slices = [("texts with several labels", contrast_rows(table["text"].tolist(), labels))]
    slices += [(f"domain {domain}", (domains == domain).to_numpy()) for domain in sorted(domains.dropna().unique())]
    return slices


def _flips(table: pd.DataFrame, head: str, labels: Ints, answers: list[Ints], sides: tuple[Side, Side]) -> pd.DataFrame:
    """The rows answered differently, those that only the second side gets right first, those that it loses last."""
    names = np.array(HEADS[head])
    columns: dict[str, Any] = {name: table[name] for name in ("id", "text", "speaker", "target")}
    columns["true"] = names[labels]
    for side, answer in zip(sides, answers, strict=True):
        columns[side.name] = names[answer]
    right = [(answer == labels).astype(int) for answer in answers]
    columns["gain"] = right[1] - right[0]
    flips = pd.DataFrame(columns)[answers[0] != answers[1]]
    return flips.sort_values("gain", ascending=False, kind="stable").reset_index(drop=True)


def _groups(table: pd.DataFrame) -> Ints:
    return np.unique(table["group"].fillna(table["text"]).astype(str), return_inverse=True)[1].astype(np.int64)


def differing_params(sides: list[Side]) -> dict[str, list[str]]:
    """Parameters that are not the same on all sides, with each side's value (`-` where it has none)."""
    names = sorted({name for side in sides for name in side.params})
    values = {name: [side.params.get(name, "-") for side in sides] for name in names}
    return {name: given for name, given in values.items() if len(set(given)) > 1}


def log_report(html: str, sides: list[Side]) -> str:
    """Keep the report with every side's run, under `comparisons/`; returns the artifact's path."""
    name = f"comparisons/{'-'.join(side.run_id[:8] for side in sides)}.html"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / Path(name).name
        file.write_text(html, encoding="utf-8")
        client = mlflow.MlflowClient()
        for side in sides:
            client.log_artifact(side.run_id, str(file), "comparisons")
    return name
