"""The table of a benchmark: every figure computed from the kept cells, with intervals over stories and seeds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.classifier import softmax
from serving.labels import UNLABELLED, Head
from training.benchmark.cells import Cell, Grid, rows_digest
from training.benchmark.config import Contender
from training.data.corpus import Corpus
from training.evaluation.metrics import (
    Floats,
    Ints,
    Metric,
    area_under_risk_coverage,
    confusion,
    contrast_rows,
    dense,
    difference_macro_f1,
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
    """The rows of a part that a figure is about."""

    labels: Ints
    groups: Ints
    rows: npt.NDArray[np.bool_]

    def mean(self, score: Score, runs: list[Floats]) -> Metric | None:
        """The figure over all runs with its interval; None where there are too few rows."""
        if self.rows.sum() < _LEAST_ROWS:
            return None
        labels = self.labels[self.rows]
        scores = [lambda weights, p=run[self.rows]: score(labels, p, weights) for run in runs]
        return mean_over_runs(scores, dense(self.groups[self.rows]))


def tables(grid: Grid, contenders: list[Contender]) -> Iterator[str]:
    """One Markdown table per part and head measured; contenders without a finished cell are left out."""
    cells = {one.name: [cell for seed in one.seeds if (cell := grid.read(one, seed))] for one in contenders}
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
    labels, groups, known = corpus.labels(head), corpus.groups(), corpus.labels(head) != UNLABELLED
    slices = {
        "several labels in the text": contrast_rows([row.text for row in corpus.rows], labels),
        "target not in training": known & unseen_targets(corpus, grid.corpora["train"]),
    }
    lines = []
    answers = {
        name: [np.array(cell.probabilities[part][head]) for cell in found if head in cell.probabilities.get(part, {})]
        for name, found in cells.items()
    }
    reference = next(iter(answers.values()))
    for name, found in cells.items():
        runs = answers[name]
        if not runs:
            continue
        assert all(cell.rows[part] == rows_digest(corpus) for cell in found), f"{name}: measured on other rows"
        whole = Slice(labels, groups, known)
        figures: dict[str, str] = {"contender": name, "seeds": str(len(runs))}
        figures["macro-F1"] = _cell(whole.mean(_macro_f1, runs))
        if reference and runs is not reference:
            ours, first = ([run.argmax(axis=1)[known] for run in side] for side in (runs, reference))
            figures["minus the first"] = str(difference_macro_f1(labels[known], ours, first, groups[known]))
            chosen = slices["several labels in the text"]
            if chosen.sum() >= _LEAST_ROWS:
                ours, first = ([run.argmax(axis=1)[chosen] for run in side] for side in (runs, reference))
                difference = difference_macro_f1(labels[chosen], ours, first, groups[chosen])
                figures["there, minus the first"] = str(difference)
        for title, rows in slices.items():
            figures[title] = _cell(Slice(labels, groups, rows).mean(_macro_f1, runs))
        if head == "stance":
            figures["(F1 support + F1 criticism)/2"] = _cell(whole.mean(_two_sides, runs))
        figures["accuracy"] = _cell(whole.mean(_accuracy, runs))
        temperatures = [cell.temperatures.get(head) for cell in found]
        if all(temperatures):
            raw = [softmax(np.log(p + 1e-9) * t) for p, t in zip(runs, temperatures, strict=True) if t]
            figures["ECE before"] = _cell(whole.mean(_ece, raw))
            figures["ECE after"] = _cell(whole.mean(_ece, runs))
            figures["ECE if calibrated"] = f"{100 * np.mean([_ece_of_chance(run[known]) for run in runs]):.1f}"
            figures["AURC"] = _cell(whole.mean(_aurc, runs))
            figures["accuracy at 80 % coverage"] = _cell(whole.mean(_accuracy_at_80, runs))
        if minutes := [cell.minutes * cell.threads for cell in found if cell.device == "cpu"]:
            figures["core-minutes"] = f"{np.median(minutes):.1f}"
        lines.append(figures)
    columns = [column for column in TABLE_COLUMNS if any(line.get(column) for line in lines)]
    rows = [f"| {' | '.join(line.get(column, '') for column in columns)} |" for line in lines]
    title = (
        f"**{part}, {head}** ({int(known.sum()):,} rows; {slices['several labels in the text'].sum():,} on a text "
        f"with several labels, {slices['target not in training'].sum():,} with a target not in training)"
    )
    return "\n".join([title, "", f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows, ""])


def unseen_targets(corpus: Corpus, train: Corpus) -> npt.NDArray[np.bool_]:
    """Rows whose target stands in no training row, case aside."""
    seen = {row.target.casefold() for row in train.rows if row.target}
    return np.array([row.target is not None and row.target.casefold() not in seen for row in corpus.rows])


def _cell(metric: Metric | None) -> str:
    return "" if metric is None else str(metric)


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


def _ece_of_chance(probabilities: Floats, draws: int = 50) -> float:
    """What the ECE of these confidences would be were they exactly true: chance alone opens gaps in small bins."""
    confidence, once = probabilities.max(axis=1), np.ones((1, len(probabilities)))
    rng = np.random.default_rng(0)
    hits = (rng.random((draws, len(confidence))) < confidence).astype(np.float64)
    return float(np.mean([expected_calibration_error(drawn, confidence, once)[0] for drawn in hits]))


def _aurc(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    return area_under_risk_coverage(_hits(labels, probabilities), probabilities.max(axis=1), weights)


def _accuracy_at_80(labels: Ints, probabilities: Floats, weights: Floats) -> Floats:
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    ordered = weights[:, order]
    kept = ordered * (ordered.cumsum(axis=1) <= 0.8 * ordered.sum(axis=1, keepdims=True))
    return kept @ _hits(labels, probabilities)[order] / kept.sum(axis=1)
