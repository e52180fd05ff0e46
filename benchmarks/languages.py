"""Models side by side on statements in seven languages, and on two Russian sets.

    python benchmarks/languages.py [--part test] MODEL [MODEL ...]

Macro-F1 of stance and sentiment with 95 % intervals by resampling stories, and the expected calibration error, for
every model and language; in brackets the error that chance alone would give so many rows. Models are asked about all
languages, also those that they would abstain on: a model that knows English alone shows what it is worth to answer in
the others as if they were English. `six` is the mean of the six languages beside English. The parts are those of
data/languages; `translated` tells the same stories in all of them. With STANCE_BENCHMARKS set, RuSentNE's validation
part and the held-out fifth of RuOpinionNE are measured too.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving import StanceClassifier
from serving.cli import run
from training.config import DataSet
from training.data.corpus import Corpus, read_corpus
from training.data.sources import read_set
from training.evaluation.evaluate import HeadResult, evaluate
from training.evaluation.metrics import Metric, ece_of_chance, group_weights, macro_f1

SIX = ("ru", "zh", "es", "fr", "de", "ar")
RUSSIAN = (DataSet(source="rusentne", part="validation"), DataSet(source="ruopinionne", part="held_out"))
Part = Literal["test", "validation", "translated"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    models: Annotated[list[str], typer.Argument(help="models:/NAME@ALIAS, runs:/RUN_ID or a folder.")],
    part: Annotated[Part, typer.Option(help="Of data/languages.")] = "test",
    sets: Annotated[bool, typer.Option("--sets/--no-sets", help="Also the two Russian sets.")] = True,
) -> None:
    """Print macro-F1 and calibration by language for every model."""
    errors = Console(stderr=True)
    corpora = statements_of(part) | (russian_sets() if sets and part == "test" else {})
    table = Table("model", "rows of", "rows", "stance", "ECE", "sentiment", "ECE", box=SIMPLE_HEAD)
    for model in models:
        classifier = StanceClassifier.load(model, any_language=True)
        scores: dict[str, list[tuple[Metric, np.ndarray]]] = defaultdict(list)
        for name, corpus in track(corpora.items(), model, console=errors):
            evaluation = evaluate(classifier, corpus)
            heads = evaluation.heads
            cells = [cell for head in ("stance", "sentiment") for cell in figures(heads.get(head))]
            table.add_row(model, name, f"{len(corpus.rows):,}", *cells)
            if name in SIX:
                for head, result in heads.items():
                    metric = result.metrics["macro_f1"]
                    scores[head].append((metric, resampled(result, corpus)))
        means = [
            Metric.of(np.mean([m.value for m, _ in s]), np.mean([r for _, r in s], axis=0)) for s in scores.values()
        ]
        table.add_row(model, "six", "", str(means[0]), "", str(means[1]), "", end_section=True)
    Console(width=140).print(table)


def statements_of(part: Part) -> dict[str, Corpus]:
    """The rows of a part by language; English has no translated ones."""
    english = {} if part == "translated" else {"en": read_corpus(Path(f"data/statements/{part}.jsonl"))}
    return english | {code: read_corpus(Path(f"data/languages/{code}-{part}.jsonl")) for code in SIX}


def russian_sets() -> dict[str, Corpus]:
    """The two sets of others by name; none where they are not at hand."""
    return {one.name: read_set(one) for one in RUSSIAN} if os.environ.get("STANCE_BENCHMARKS") else {}


def figures(result: HeadResult | None) -> tuple[str, str]:
    """Macro-F1 and calibration error of one head, with the error that chance alone would give."""
    if not result:
        return "", ""
    error, chance = result.metrics["ece"].value, ece_of_chance(result.probabilities.max(axis=1))
    return str(result.metrics["macro_f1"]), f"{100 * error:.1f} ({100 * chance:.1f})"


def resampled(result: HeadResult, corpus: Corpus) -> np.ndarray:
    """Macro-F1 in every resample of stories, shape (resamples,)."""
    return macro_f1(result.labels, result.predicted, group_weights(corpus.groups()))


if __name__ == "__main__":
    run(app)
