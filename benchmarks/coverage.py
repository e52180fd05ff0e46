"""How often models are right if they answer only what they are surest of.

    python benchmarks/coverage.py MODEL [MODEL ...]

Prints, for every model and set, macro-F1, the expected calibration error, and the share of right labels among all rows,
among the 80 % and among the 60 % that the model is surest of. Sets of others need STANCE_BENCHMARKS; no row of them was
trained on by the models of this project.
"""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.cli import run
from training.config import DataSet
from training.data.corpus import read_corpus
from training.data.sources import read_set
from training.evaluation.evaluate import HeadResult, evaluate, risk_coverage_curve

OWN = Path("data/statements/test.jsonl")
OTHERS = (
    DataSet(source="plv", part="train"),
    DataSet(source="directed_sentiment", part="validation"),
    DataSet(source="newsmtsc", part="rw_validation"),
)
COVERAGES = (1.0, 0.8, 0.6)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(models: Annotated[list[str], typer.Argument(help="models:/NAME@ALIAS, runs:/RUN_ID or a folder.")]) -> None:
    """Print macro-F1, calibration and the share of right labels by coverage."""
    corpora = [read_corpus(OWN), *(map(read_set, OTHERS) if os.environ.get("STANCE_BENCHMARKS") else ())]
    table = Table("model", "set", "head", "macro-F1", "ECE", *(f"{c:.0%}" for c in COVERAGES), box=SIMPLE_HEAD)
    for model in models:
        classifier = StanceClassifier.load(model)
        for corpus in corpora:
            for head, result in evaluate(classifier, corpus).heads.items():
                ece = 100 * result.metrics["ece"].value
                row = (model, corpus.name, head, str(result.metrics["macro_f1"]), f"{ece:.1f}")
                table.add_row(*row, *(f"{100 * right(result, c):.1f}" for c in COVERAGES))
        table.add_section()
    Console(width=140).print(table)


def right(result: HeadResult, coverage: float) -> float:
    """The share of right labels among this share of the rows, the surest first."""
    shares, errors = risk_coverage_curve(result)
    return float(1 - errors[np.searchsorted(shares, coverage - 1e-9)])


if __name__ == "__main__":
    run(app)
