"""What int8 costs in quality on sets that the model was not quantised or chosen with.

    python -m training train configs/newsmtsc.yaml
    python -m serving optimize --model models:/newsmtsc@champion --output-alias int8
    STANCE_BENCHMARKS=... python benchmarks/int8.py --model models:/newsmtsc@int8

Both runtimes of one version answer the same rows; differences are paired, their 95 % intervals draw whole groups.
"""

from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.cli import run
from serving.labels import HEADS, UNLABELLED
from training.config import DataSet
from training.data.sources import read_set
from training.evaluation.metrics import difference_macro_f1, head_metrics

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def compare(
    model: Annotated[str, typer.Option(help="A version that holds int8.")],
    part: Annotated[list[str], typer.Option(help="SOURCE/PART, repeatable.")] = [  # noqa: B006
        "newsmtsc/rw_test",
        "newsmtsc/mt_test",
    ],
) -> None:
    """Print macro-F1 of PyTorch and int8 and their difference, in points, for every labelled head."""
    sides = [StanceClassifier.load(model, "cpu", runtime) for runtime in ("torch", "openvino")]
    table = Table("part", "head", "rows", "PyTorch", "int8", "int8 - PyTorch", "largest difference of a probability")
    for place in part:
        source, _, name = place.partition("/")
        corpus = read_set(DataSet(source=source, part=name))  # type: ignore[arg-type]
        answers = [side.predict(corpus.statements()) for side in sides]
        for head in sides[0].settings.heads:
            labels = corpus.labels(head)
            known = labels != UNLABELLED
            if not known.any():
                continue
            chances = [
                np.array([[getattr(one, head).probabilities[label] for label in HEADS[head]] for one in side])
                for side in answers
            ]
            groups = corpus.groups()
            figures = [head_metrics(head, labels, one, groups)["macro_f1"] for one in chances]
            torch, int8 = ([one[known].argmax(axis=1)] for one in chances)
            apart = difference_macro_f1(labels[known], int8, torch, groups[known])
            largest = f"{np.abs(chances[0] - chances[1])[known].max():.3f}"
            table.add_row(place, head, f"{known.sum():,}", *map(str, figures), apart.points, largest)
    Console(width=140).print(table)


if __name__ == "__main__":
    run(app)
