"""What `drift` finds in sets that we know, and how far off its estimate of accuracy is where labels exist.

    python benchmarks/drift.py --model models:/stance@champion

Prints, for every set, the distances from our validation part (`*`: a little different, `!`: different, as `drift` says
it), and for each head the estimated and the measured accuracy, with what two simpler methods are off by. Sets of others
need STANCE_BENCHMARKS; no row of them was trained on by the models of this project. The reference is made here, so a
model that keeps none can be measured.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving import StanceClassifier
from serving.cli import errors, run
from serving.labels import HEADS, UNLABELLED, Head
from serving.statement import Prediction
from serving.watch.measures import observed
from serving.watch.reference import Reference
from training.config import DataSet
from training.data.corpus import Corpus, read_corpus
from training.data.sources import read_set
from training.evaluation.drift import Report, drift_report
from training.experiments.reference import add_distances, ask, make_reference

TRAIN, VALIDATION = Path("data/statements/train.jsonl"), Path("data/statements/validation.jsonl")
OWN = ("data/statements/test.jsonl", *(f"data/{name}/validation.jsonl" for name in ("coloured", "quotations", "short")))
OTHERS = (
    DataSet(source="plv", part="train"),
    DataSet(source="directed_sentiment", part="validation"),
    DataSet(source="newsmtsc", part="rw_validation"),
    DataSet(source="gwsd", part="test"),
    DataSet(source="semeval2016_stance", part="test"),
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Measured:
    """A labelled set: what `drift` says of it, and the mean confidence of each head."""

    report: Report
    confidence: dict[Head, float]


@app.command()
def main(
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, runs:/RUN_ID or a folder of a fine-tuned encoder.")],
) -> None:
    """Print distances and accuracies, estimated and measured."""
    classifier = StanceClassifier.load(model, runtime="torch")
    validation = read_corpus(VALIDATION)
    asked = ask(classifier.runtime, validation.statements())
    reference = make_reference(classifier, read_corpus(TRAIN).statements(), validation, asked, {})
    before = _confidence(classifier, classifier.answers(validation.statements(), asked.logits))
    corpora = [read_corpus(Path(one)) for one in OWN]
    corpora += map(read_set, OTHERS) if os.environ.get("STANCE_BENCHMARKS") else ()
    names = [one.provenance.name if one.provenance else f"{one.path.parent.name} {one.path.stem}" for one in corpora]
    found = [measure(classifier, reference, one) for one in track(corpora, "asking the model", console=errors)]
    console = Console(width=150)
    console.print(_distances(names, [one.report for one in found], reference))
    console.print(_accuracies(names, found, before))


def measure(classifier: StanceClassifier, reference: Reference, corpus: Corpus) -> Measured:
    """What drift says of a labelled set."""
    statements = corpus.statements()
    asked = ask(classifier.runtime, statements)
    predictions = classifier.answers(statements, asked.logits)
    rows = [observed(*pair) for pair in zip(statements, predictions, strict=True)]
    if asked.hidden is not None:
        add_distances(rows, np.array(reference.centres), asked.hidden)
    right = {}
    for head in classifier.settings.heads:
        labels = corpus.labels(head)
        answers = np.array([HEADS[head].index(getattr(one, head).label) for one in predictions])
        right[head] = np.where(labels == UNLABELLED, UNLABELLED, answers == labels)
    report = drift_report(reference, rows, [one.text for one in statements], right)
    return Measured(report, _confidence(classifier, predictions))


def _confidence(classifier: StanceClassifier, predictions: Sequence[Prediction]) -> dict[Head, float]:
    heads = classifier.settings.heads
    return {head: float(np.mean([getattr(one, head).probability for one in predictions])) for head in heads}


def _distances(names: list[str], reports: list[Report], reference: Reference) -> Table:
    keys = [one.key for one in reference.histograms]
    table = Table("set", "rows", "texts", *(" ".join(filter(None, key)) for key in keys), box=SIMPLE_HEAD)
    marks = {"different": "!", "a little different": "*"}
    for name, one in zip(names, reports, strict=True):
        found = {each.difference.key: each.difference for each in one.measures}
        far = [(found[key].distance, marks.get(found[key].verdict, "")) for key in keys]
        shown = ["too few" if value is None else f"{value:.2f}{mark}" for value, mark in far]
        table.add_row(name, f"{one.rows:,}", f"{one.texts:,}", *shown)
    return table


def _accuracies(names: list[str], found: list[Measured], before: dict[Head, float]) -> Table:
    """With what two simpler methods are off by: the mean confidence, and its difference (Guillory et al. 2021)."""
    methods = ("off by", "mean confidence", "difference of confidences")
    table = Table("set", "head", "labelled", "estimated", "measured", *methods, box=SIMPLE_HEAD)
    off: dict[Head, list[list[float]]] = {}
    for name, one in zip(names, found, strict=True):
        for each in one.report.accuracy:
            if each.estimate and each.measured:
                mean = one.confidence[each.head]
                said = (each.estimate.value, mean, each.reference.measured + mean - before[each.head])
                gaps = [100 * (value - each.measured.value) for value in said]
                off.setdefault(each.head, []).append(gaps)
                shown = (name, each.head, f"{each.labelled:,}", str(each.estimate), str(each.measured))
                table.add_row(*shown, *(f"{gap:+.1f}" for gap in gaps))
        table.add_section()
    for head, rows in off.items():
        sizes = np.abs(rows)
        ends = zip(sizes.mean(axis=0), np.median(sizes, axis=0), sizes.max(axis=0), strict=True)
        table.add_row(
            f"{len(rows)} sets",
            head,
            "",
            "",
            "",
            *(f"{mean:.1f}, median {half:.1f}, most {most:.1f}" for mean, half, most in ends),
        )
    return table


if __name__ == "__main__":
    run(app)
