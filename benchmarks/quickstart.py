"""The README's result table: `make evidence`, or `python -m benchmarks.quickstart`.

Trains the quickstart model with five seeds, its blind control with one and the TF-IDF baseline once (it has no
randomness), all tracked in the experiment `stance`. What is finished with the same config and data is not run
again, so a stopped table goes on where it stood. With STANCE_BENCHMARKS set to a folder that holds
`directed_sentiment/validation.jsonl` and `plv/train.jsonl`, the models are also measured there, without any
training on those sets.
"""

import os
from pathlib import Path

import mlflow
import numpy as np
from rich.console import Console

from serving import StanceClassifier
from serving.labels import HEADS
from training import run
from training.config import BaselineConfig, TrainConfig, load_config
from training.corpus import UNLABELLED, Corpus, read_corpus
from training.metrics import Ints, Metric, contrast_rows, difference_macro_f1, mean_macro_f1

SEEDS = (1, 2, 3, 4, 5)
CONTROL_SEEDS = (1,)
TRANSFER = ("directed_sentiment/validation.jsonl", "plv/train.jsonl")
FIXED = ["register=null"]

Runs = dict[str, list[str]]  # model -> run ids


def main() -> None:
    """Train what is missing, then print the table as Markdown."""
    console = Console()
    runs = train(console)
    test = read_corpus(Path("data/statements/test.jsonl"))
    predicted = {name: [predictions(run_id, test) for run_id in ids] for name, ids in runs.items()}
    lines = ["| on data/ test | " + " | ".join(runs) + " |", "|---|" + "---|" * len(runs)]
    for title, head, slice_only in (
        ("stance macro-F1", "stance", False),
        ("stance macro-F1, contrast slice", "stance", True),
        ("sentiment macro-F1", "sentiment", False),
    ):
        rows = chosen_rows(test, head, slice_only)
        cells = [str(mean(test, head, rows, predicted[name])) for name in runs]
        lines.append(f"| {title} ({rows.sum()} rows) | " + " | ".join(cells) + " |")
    for head in HEADS:
        cells = [
            f"{100 * np.mean([metric(run_id, f'test/{head}/ece') for run_id in ids]):.1f}" for ids in runs.values()
        ]
        lines.append(f"| {head} calibration error (ECE) | " + " | ".join(cells) + " |")
    print("\n".join(lines) + "\n")
    everything = chosen_rows(test, "stance", False)
    contrast = chosen_rows(test, "stance", True)
    for title, rows, other in (
        ("quickstart minus TF-IDF, stance macro-F1", everything, "TF-IDF"),
        ("quickstart minus blind, stance macro-F1, contrast slice", contrast, "blind"),
    ):
        print(f"{title}: {difference(test, rows, predicted['quickstart'], predicted[other])}")
    print()
    transfer(runs)


def train(console: Console) -> Runs:
    """Run ids of every model, trained now or before."""
    quickstart = Path("configs/quickstart.yaml")
    seeds = [*FIXED, f"seeds={list(SEEDS)}"]
    ours = run.train(load_config(quickstart, TrainConfig, seeds), console, reuse=True)
    blind = [*FIXED, f"seeds={list(CONTROL_SEEDS)}", "template=blind", "name=quickstart-blind"]
    control = run.train(load_config(quickstart, TrainConfig, blind), console, reuse=True)
    tfidf = run.baseline(load_config(Path("configs/baseline.yaml"), BaselineConfig, FIXED), console, reuse=True)
    return {
        "quickstart": [one.run_id for one in ours],
        "TF-IDF": [tfidf.run_id],
        "blind": [one.run_id for one in control],
    }


def predictions(run_id: str, test: Corpus) -> dict[str, Ints]:
    """Label indices of both heads from the run's table of test predictions, each of shape (rows,)."""
    table = mlflow.artifacts.load_dict(f"runs:/{run_id}/tables/test_predictions.json")
    columns = {name: [row[i] for row in table["data"]] for i, name in enumerate(table["columns"])}
    assert columns["id"] == [row.id for row in test.rows], f"run {run_id} was measured on other rows"
    return {head: np.array([HEADS[head].index(label) for label in columns[f"{head}_predicted"]]) for head in HEADS}


def metric(run_id: str, name: str) -> float:
    """A figure the run logged."""
    return float(mlflow.get_run(run_id).data.metrics[name])


def chosen_rows(corpus: Corpus, head: str, slice_only: bool) -> np.ndarray:
    """Labelled rows, or only those whose very text also stands with another label."""
    labels = corpus.labels(head)
    return contrast_rows([row.text for row in corpus.rows], labels) if slice_only else labels != UNLABELLED


def mean(corpus: Corpus, head: str, rows: np.ndarray, runs: list[dict[str, Ints]]) -> Metric:
    """Macro-F1 over seeds with its interval."""
    return mean_macro_f1(corpus.labels(head)[rows], [one[head][rows] for one in runs], corpus.groups()[rows])


def difference(corpus: Corpus, rows: np.ndarray, ours: list[dict[str, Ints]], theirs: list[dict[str, Ints]]) -> Metric:
    """Paired difference of stance macro-F1 with its interval."""
    sides = [[one["stance"][rows] for one in runs] for runs in (ours, theirs)]
    return difference_macro_f1(corpus.labels("stance")[rows], *sides, corpus.groups()[rows])


def transfer(runs: Runs) -> None:
    """Print stance macro-F1 on the public sets at hand, which no model was trained on."""
    folder = os.environ.get("STANCE_BENCHMARKS")
    if folder is None:
        print("STANCE_BENCHMARKS is not set: the public sets are left out")
        return
    print("| stance macro-F1 without training on the set | " + " | ".join(runs) + " |")
    print("|---|" + "---|" * len(runs))
    for name in TRANSFER:
        corpus = read_corpus(Path(folder) / name)
        rows = chosen_rows(corpus, "stance", False)
        corpus = corpus.keep(np.flatnonzero(rows).tolist())
        statements, labels, cells = corpus.statements(), corpus.labels("stance"), []
        for ids in runs.values():
            predicted = []
            for run_id in ids:
                answers = StanceClassifier.load(f"runs:/{run_id}").predict(statements)
                predicted.append(np.array([HEADS["stance"].index(a.stance.label) for a in answers if a.stance]))
            cells.append(str(mean_macro_f1(labels, predicted, corpus.groups())))
        print(f"| {name} ({len(statements):,} rows) | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
