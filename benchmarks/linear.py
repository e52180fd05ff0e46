"""The linear model of the article reader: which pairs express a position, learned from our reports.

    python benchmarks/linear.py learn
    python benchmarks/linear.py score

`learn` writes serving/article/reading/linear.npz. `score` learns from nine tenths of the reports and prints on the
others the average precision of the pairs that express a position. benchmarks/articles.py says how whole articles fare.
"""

import warnings
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import typer
from rich.console import Console
from rich.progress import track
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from serving.article.reading.linear import BUCKETS, PairFeatures
from serving.cli import run
from serving.tables import whole
from training.data.sources.reports import read_reports
from training.fitting.pairs import UNKNOWN, answered

REPORTS = Path(__file__).parents[1] / "data" / "reports"
WEIGHTS = Path(__file__).parents[1] / "serving" / "article" / "reading" / "linear.npz"
TRAINED_ON = ("train", "news")
HELD_OUT = 10  # every tenth report
KEPT = 0.25  # of the pairs that express nothing; each stands for four
SEED = 1
LOSS = 0.05  # weight of the rows' loss beside half of the squared weights
ROUNDS = 60
STEPS = 127  # the weights are kept in whole numbers up to this, of one byte

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Rows:
    """Pairs as rows of buckets."""

    buckets: csr_matrix
    answers: npt.NDArray[np.int64]  # places in `ANSWERS`
    held_out: npt.NDArray[np.bool_]

    def some(self, chosen: npt.NDArray[np.bool_]) -> "Rows":
        """The rows for which this is true."""
        return Rows(self.buckets[chosen], self.answers[chosen], self.held_out[chosen])


@app.command()
def learn() -> None:
    """Learn the weights; writes serving/article/reading/linear.npz."""
    model = fit(read(TRAINED_ON))
    scale = np.abs(model.coef_).max() / STEPS
    weights = np.round(model.coef_.T / scale).astype(np.int8)
    with whole(WEIGHTS) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, weights=weights, scale=np.float32(scale), bias=model.intercept_)
    console = Console(stderr=True)
    console.print(f"{WEIGHTS}: {int(weights.any(axis=1).sum()):,} buckets, {WEIGHTS.stat().st_size:,} bytes")


@app.command()
def score() -> None:
    """Print the average precision on reports that were not learned from."""
    rows = read(TRAINED_ON)
    model = fit(rows.some(~rows.held_out))
    tested = rows.some(rows.held_out)
    found = model.predict_proba(tested.buckets)
    expressed = tested.answers > 0
    right = (found[expressed, 1:].argmax(axis=1) + 1 == tested.answers[expressed]).mean()
    precision = average_precision_score(expressed, 1 - found[:, 0])
    print(
        f"{len(tested.answers):,} pairs, {expressed.sum():,} of them positions: "
        f"average precision {100 * precision:.1f}, stance of a position right in {100 * right:.1f} %"
    )


def fit(rows: Rows) -> LogisticRegression:
    """Weights that make the answers likely."""
    random = np.random.default_rng(SEED)
    chosen = rows.some((rows.answers > 0) | (random.random(len(rows.answers)) < KEPT))
    weights = np.where(chosen.answers > 0, 1, 1 / KEPT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # more rounds take longer and change nothing
        return LogisticRegression(C=LOSS, max_iter=ROUNDS).fit(chosen.buckets, chosen.answers, weights)


def read(parts: Iterable[str]) -> Rows:
    """Every pair of the reports whose answer is known."""
    columns, ends, answers, held_out = array("i"), array("q", [0]), array("b"), array("b")
    for report in track(
        [one for part in parts for one in read_reports(REPORTS / f"{part}.jsonl")],
        "reading",
        console=Console(stderr=True),
    ):
        for paragraph, found, known in answered(report):
            features = PairFeatures(paragraph, found.sentence, {target for _, target in found.heads})
            for (holder, target), answer in zip(found.heads, known, strict=True):
                if answer == UNKNOWN:
                    continue
                for group in features.groups(holder, target):
                    columns.extend(group.tolist())
                ends.append(len(columns))
                answers.append(int(np.argmax(answer)))
                held_out.append(zlib.crc32(report.id.encode()) % HELD_OUT == 0)
    shape = len(answers), BUCKETS
    matrix = csr_matrix((np.ones(len(columns), np.float32), np.asarray(columns), np.asarray(ends)), shape)
    return Rows(matrix, np.asarray(answers).astype(int), np.asarray(held_out).astype(bool))


if __name__ == "__main__":
    run(app)
