"""Models side by side on statements in seven languages, and on two Russian sets.

    python benchmarks/languages.py [--part test] MODEL[,MODEL...] [MODEL[,MODEL...] ...]

Macro-F1 of stance and sentiment with 95 % intervals by resampling stories, and the expected calibration error, for
every model and language; models with a comma between them are seeds of one recipe, and the means over them are
printed; in brackets the error that chance alone would give so many rows. Models are asked about all languages, also
those that they would abstain on: a model that knows English alone shows what it is worth to answer in the others as if
they were English. `six` is the mean of the six languages beside English. The parts are those of data/languages;
`translated` tells the same stories in all of them. With STANCE_BENCHMARKS set, RuSentNE's validation part and the
held-out fifth of RuOpinionNE are measured too.
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
from training.evaluation.metrics import Metric, ece_of_chance, group_weights, macro_f1, redrawn_mean

SIX = ("ru", "zh", "es", "fr", "de", "ar")
RUSSIAN = (DataSet(source="rusentne", part="validation"), DataSet(source="ruopinionne", part="held_out"))
Part = Literal["test", "validation", "translated"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    models: Annotated[list[str], typer.Argument(help="models:/NAME@ALIAS, runs:/RUN_ID or a folder; seeds: A,B,C.")],
    part: Annotated[Part, typer.Option(help="Of data/languages.")] = "test",
    sets: Annotated[bool, typer.Option("--sets/--no-sets", help="Also the two Russian sets.")] = True,
) -> None:
    """Print macro-F1 and calibration by language for every model."""
    errors = Console(stderr=True)
    corpora = statements_of(part) | (russian_sets() if sets and part == "test" else {})
    table = Table("model", "rows of", "rows", "stance", "ECE", "sentiment", "ECE", box=SIMPLE_HEAD)
    for model in models:
        seeds = [StanceClassifier.load(one, any_language=True) for one in model.split(",")]
        scores: dict[str, list[np.ndarray]] = defaultdict(list)
        for name, corpus in track(corpora.items(), model, console=errors):
            evaluations = [evaluate(one, corpus) for one in seeds]
            results = {head: [one.heads[head] for one in evaluations] for head in evaluations[0].heads}
            draws = {head: resampled(several, corpus) for head, several in results.items()}
            cells = [cell for head in ("stance", "sentiment") for cell in figures(results.get(head), draws.get(head))]
            table.add_row(model, name, f"{len(corpus.rows):,}", *cells)
            for head in draws if name in SIX else ():
                scores[head].append(draws[head])
        # The first of the draws holds every story and seed once: the figure itself.
        means = [np.mean(each, axis=0) for each in scores.values()]
        six = [str(Metric.of(mean[0], mean[1:])) for mean in means]
        table.add_row(model, "six", "", six[0], "", six[1], "", end_section=True)
    Console(width=140).print(table)


def statements_of(part: Part) -> dict[str, Corpus]:
    """The rows of a part by language; English has no translated ones."""
    english = {} if part == "translated" else {"en": read_corpus(Path(f"data/statements/{part}.jsonl"))}
    return english | {code: read_corpus(Path(f"data/languages/{code}-{part}.jsonl")) for code in SIX}


def russian_sets() -> dict[str, Corpus]:
    """The two sets of others by name; none where they are not at hand."""
    return {one.name: read_set(one) for one in RUSSIAN} if os.environ.get("STANCE_BENCHMARKS") else {}


def figures(results: list[HeadResult] | None, score: np.ndarray | None) -> tuple[str, str]:
    """Macro-F1 and calibration error of one head, with the error that chance alone would give; means over seeds."""
    if results is None or score is None:
        return "", ""
    error = np.mean([one.metrics["ece"].value for one in results])
    chance = np.mean([ece_of_chance(one.probabilities.max(axis=1)) for one in results])
    return str(Metric.of(score[0], score[1:])), f"{100 * error:.1f} ({100 * chance:.1f})"


def resampled(results: list[HeadResult], corpus: Corpus) -> np.ndarray:
    """Mean macro-F1 of the seeds, then in every resample of stories and seeds, shape (1 + resamples,)."""
    weights = group_weights(corpus.groups())
    scores = np.stack([macro_f1(one.labels, one.predicted, weights) for one in results], axis=1)
    whole = np.mean([one.metrics["macro_f1"].value for one in results])
    return np.concatenate([[whole], redrawn_mean(scores)])


if __name__ == "__main__":
    run(app)
