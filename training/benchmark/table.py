"""The table of a benchmark: every figure computed from the kept cells, with intervals over stories and seeds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.classifier import softmax
from serving.labels import UNLABELLED, Head
from training.benchmark.cells import Answers, Cell, Grid, rows_digest
from training.benchmark.config import Contender
from training.data.corpus import Corpus
from training.evaluation.metrics import (
    Floats,
    Ints,
    area_under_risk_coverage,
    confusion,
    contrast_rows,
    dense,
    difference_macro_f1,
    ece_of_chance,
    expected_calibration_error,
    f1_per_class,
    macro_f1,
    mean_over_runs,
)

Score = Callable[[Ints, Floats, Floats], Floats]  # labels, probabilities, weights -> figure per resample
_LEAST_ROWS = 30  # a slice of fewer rows says nothing

TABLE_COLUMNS = (
    "contender",
    "seeds",
    "macro-F1",
    "minus the first",
    "several labels in the text",
    "there, minus the first",
    "target not in training",
    "(F1 support + F1 criticism)/2",
    "ECE before",
    "ECE after",
    "ECE if calibrated",
    "AURC",
    "accuracy",
    "accuracy at 80 % coverage",
    "core-minutes",
)


@dataclass(frozen=True)
class Slice:
    """The rows of a part that a figure is about; a slice of too few rows has no figures."""

    labels: Ints
    groups: Ints
    rows: npt.NDArray[np.bool_]

    def mean(self, score: Score, runs: list[Floats]) -> str:
        """The figure over all runs with its interval."""
        if self.rows.sum() < _LEAST_ROWS:
            return ""
        labels = self.labels[self.rows]
        scores = [lambda weights, p=run[self.rows]: score(labels, p, weights) for run in runs]
        return str(mean_over_runs(scores, dense(self.groups[self.rows])))

    def difference(self, runs: list[Floats], reference: list[Floats]) -> str:
        """The paired difference of macro-F1 with its interval."""
        if self.rows.sum() < _LEAST_ROWS:
            return ""
        ours, first = ([run.argmax(axis=1)[self.rows] for run in side] for side in (runs, reference))
        return str(difference_macro_f1(self.labels[self.rows], ours, first, self.groups[self.rows]))


def tables(grid: Grid, contenders: list[Contender]) -> Iterator[str]:
    """One Markdown table per part and head measured; contenders without a finished cell are left out."""
    cells = {one.name: grid.finished(one, one.seeds) for one in contenders}
    yield f"### {grid.benchmark.title}\n"
    if not any(cells.values()):
        yield "No cell is finished yet.\n"
        return
    for part, corpus in grid.parts().items():
        for head in grid.benchmark.heads:
            labels = corpus.labels(head)
            if (labels != UNLABELLED).any():
                yield _table(grid, part, head, cells)


def _table(grid: Grid, part: str, head: Head, cells: dict[str, list[Cell]]) -> str:
    corpus = grid.corpora[part]
    labels, groups = corpus.labels(head), corpus.groups()
    known = labels != UNLABELLED
    contrasts = contrast_rows([row.text for row in corpus.rows], labels)
    unseen = known & unseen_targets(corpus, grid.corpora["train"])
    whole, several, new = (Slice(labels, groups, rows) for rows in (known, contrasts, unseen))
    lines = []
    reference: list[Floats] | None = None
    for name, found in cells.items():
        given = [cell.answers[part, head] for cell in found if (part, head) in cell.answers]
        runs = [one.probabilities for one in given]
        first, reference = reference is None, runs if reference is None else reference
        if not runs:
            continue
        assert all(one.rows == rows_digest(corpus) for one in given), f"{name}: measured on other rows"
        minutes = [cell.minutes * cell.threads for cell in found if cell.device == "cpu"]
        paired = bool(reference) and not first
        figures = {
            "contender": name,
            "seeds": str(len(runs)),
            "macro-F1": whole.mean(_macro_f1, runs),
            "minus the first": whole.difference(runs, reference) if paired else "",
            "several labels in the text": several.mean(_macro_f1, runs),
            "there, minus the first": several.difference(runs, reference) if paired else "",
            "target not in training": new.mean(_macro_f1, runs),
            "(F1 support + F1 criticism)/2": whole.mean(_two_sides, runs) if head == "stance" else "",
            "accuracy": whole.mean(_accuracy, runs),
            "core-minutes": f"{np.median(minutes):.1f}" if minutes else "",
        }
        lines.append({**figures, **_confidence(given, whole)})
    columns = [column for column in TABLE_COLUMNS if any(line.get(column) for line in lines)]
    rows = [f"| {' | '.join(line.get(column, '') for column in columns)} |" for line in lines]
    title = (
        f"**{part}, {head}** ({known.sum():,} rows; {contrasts.sum():,} on a text with several labels, "
        f"{unseen.sum():,} with a target not in training)"
    )
    return "\n".join([title, "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows, ""])


def _confidence(given: list[Answers], whole: Slice) -> dict[str, str]:
    """What the probabilities are worth; nothing of a contender that gives labels only."""
    runs, raw = [one.probabilities for one in given], []
    for one in given:
        if one.temperature is None:
            return {}
        raw.append(softmax(np.log(one.probabilities + 1e-9) * one.temperature))
    return {
        "ECE before": whole.mean(_ece, raw),
        "ECE after": whole.mean(_ece, runs),
        "ECE if calibrated": f"{100 * np.mean([ece_of_chance(run[whole.rows].max(axis=1)) for run in runs]):.1f}",
        "AURC": whole.mean(_aurc, runs),
        "accuracy at 80 % coverage": whole.mean(_accuracy_at_80, runs),
    }


def unseen_targets(corpus: Corpus, train: Corpus) -> npt.NDArray[np.bool_]:
    """Rows whose target stands in no training row, case aside."""
    seen = {row.target.casefold() for row in train.rows if row.target}
    return np.array([row.target is not None and row.target.casefold() not in seen for row in corpus.rows])


def _hits(labels: Ints, probabilities: Floats) -> Floats:
    return (probabilities.argmax(axis=1) == labels).astype(np.float64)


def _macro_f1(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    return macro_f1(labels, probabilities.argmax(axis=1), weights)


def _two_sides(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    """SemEval-2016 task 6: the mean of F1 favor and F1 against; neutral rows count as errors only."""
    return f1_per_class(confusion(labels, probabilities.argmax(axis=1), weights))[:, [0, 2]].mean(axis=1)


def _accuracy(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    return weights @ _hits(labels, probabilities) / weights.sum(axis=1)


def _ece(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    return expected_calibration_error(_hits(labels, probabilities), probabilities.max(axis=1), weights)


def _aurc(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    return area_under_risk_coverage(_hits(labels, probabilities), probabilities.max(axis=1), weights)


def _accuracy_at_80(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    ordered = weights[:, order]
    kept = ordered * (ordered.cumsum(axis=1) <= 0.8 * ordered.sum(axis=1, keepdims=True))
    return kept @ _hits(labels, probabilities)[order] / kept.sum(axis=1)
