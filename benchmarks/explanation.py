"""Whether the words that an explanation names carry the label: the deletion test.

    python benchmarks/explanation.py [--model models:/stance@champion] [--statements 200] [--draws 10] [--seed 1]

Takes the fifth of a statement's words with the largest effects out of it, and as many words at random, and compares by
how much the probability of the model's label falls (comprehensiveness, DeYoung et al. 2020, "ERASER"). Holder and
target stay. Nobody writes texts with words left out: the figures say what matters to the model, no more.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving import StanceClassifier, Statement
from serving.cli import run
from serving.explain import Explanation, with_offsets, without
from serving.labels import STANCES
from training.evaluation.metrics import Metric, group_weights

STATEMENTS = Path("data/statements/test.jsonl")
SHARE = 0.2  # of the words that are taken out
LEAST_WORDS = 10  # of a text
AT_ONCE = 10  # statements explained between two steps of the bar
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Fall:
    """By how much the label's probability falls, 0 to 1."""

    label: str
    group: str
    top: float  # without the words of the largest effects
    random: float  # without as many others, mean of the draws
    share: float  # of the effect of all words that the sum of their effects makes up


def falls(classifier: StanceClassifier, rows: list[dict[str, str]], draws: int, rng: np.random.Generator) -> list[Fall]:
    """The falls of statements; one that consists of its holder and target alone has none."""
    fields = ("text", "speaker", "target")
    statements = [with_offsets(Statement(**{name: row[name] for name in fields})) for row in rows]
    found = []
    for row, statement, explanation in zip(rows, statements, classifier.explain(statements), strict=True):
        if explanation is None or not explanation.words:
            continue
        chosen = [_top(explanation), *(_random(explanation, rng) for _ in range(draws))]
        first, *others = classifier.predict([statement, *(_cut(statement, explanation, one) for one in chosen)])
        label = explanation.label
        probabilities = [one.stance.probabilities[label] for one in (first, *others) if one.stance]
        fallen = probabilities[0] - np.array(probabilities[1:])
        share = explanation.share
        found.append(Fall(label, row["group"], fallen[0], fallen[1:].mean(), np.nan if share is None else share))
    return found


def _count(explanation: Explanation) -> int:
    return max(1, round(SHARE * len(explanation.words)))


def _top(explanation: Explanation) -> list[int]:
    order = sorted(range(len(explanation.words)), key=lambda i: -explanation.words[i].effect)
    return order[: _count(explanation)]


def _random(explanation: Explanation, rng: np.random.Generator) -> list[int]:
    return list(rng.choice(len(explanation.words), _count(explanation), replace=False))


def _cut(statement: Statement, explanation: Explanation, chosen: list[int]) -> Statement:
    words = [explanation.words[i] for i in sorted(chosen)]
    return without(statement, [(word.start, word.end) for word in words])


def show(found: list[Fall]) -> Table:
    """The mean falls by label, in points, with 95 % intervals that draw whole stories."""
    table = Table("label", "statements", "without the top words", "without random words", "difference", "sum check")
    for label in (None, *STANCES):
        rows = [one for one in found if label in (None, one.label)]
        if not rows:
            continue
        groups = np.unique([one.group for one in rows], return_inverse=True)[1]
        weights = group_weights(groups)
        top, random = np.array([[one.top, one.random] for one in rows]).T
        falls_by = (top, random, top - random)
        figures = [str(Metric.of(fall.mean(), weights @ fall / weights.sum(axis=1))) for fall in falls_by]
        share = np.nanmedian([one.share for one in rows])
        table.add_row(label or "all", f"{len(rows)}", *figures, f"{share:.2f}")
    return table


@app.command()
def main(
    model: Annotated[str, typer.Option(help="Folder or MLflow URI.")] = "models:/stance@champion",
    statements: Annotated[int, typer.Option(min=1, help="How many of the test part.")] = 200,
    draws: Annotated[int, typer.Option(min=1, help="Random choices of words for each statement.")] = 10,
    seed: int = 1,
) -> None:
    """Print by how much the label's probability falls without its top words and without random ones.

    Example: python benchmarks/explanation.py --model models:/stance@champion
    """
    rng = np.random.default_rng(seed)
    classifier = StanceClassifier.load(model)
    lines = STATEMENTS.read_text(encoding="utf-8").splitlines()
    shuffled = [json.loads(lines[i]) for i in rng.permutation(len(lines))]
    long = [row for row in shuffled if len(row["text"].split()) >= LEAST_WORDS]
    found: list[Fall] = []
    console = Console(stderr=True)
    for start in track(range(0, statements, AT_ONCE), "statements", console=console):
        found += falls(classifier, long[start : min(start + AT_ONCE, statements)], draws, rng)
    Console(width=140).print(show(found))


if __name__ == "__main__":
    run(app)
