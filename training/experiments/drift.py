"""`python -m training drift`: recent statements beside the validation rows of a tracked model."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import Run
from rich.console import Console

from serving.classifier import StanceClassifier
from serving.commands.predict import progress
from serving.errors import StancewiseError
from serving.labels import HEADS, UNLABELLED, Head
from serving.rows.check import cell, checked, statement_of
from serving.rows.read import Row, read_rows, table_format
from serving.statement import Prediction, Statement
from serving.store.folder import digest
from serving.store.run_files import find_run, log_tables
from serving.store.versions import find_model, is_registered
from serving.tables import whole
from serving.terminal import say
from serving.watch.compare import LEAST_TEXTS
from serving.watch.measures import observed
from serving.watch.reference import NONE, Reference, read_reference
from training.evaluation.drift import (
    Report,
    accuracy_table,
    drift_frame,
    drift_metrics,
    drift_picture,
    drift_report,
    drift_table,
)
from training.evaluation.metrics import Ints
from training.experiments import track
from training.experiments.reference import add_distances, ask

MOST = 5_000  # rows, drawn at random: more make intervals narrower that are narrow already
PICTURES = (".pdf", ".png", ".svg")
_FIRST = 3  # rows that cannot be read and are named


@dataclass
class _Read:
    """A table's statements, with the labels that are in it, by head; None where there is none."""

    statements: list[Statement] = field(default_factory=list)
    labels: list[dict[Head, str]] = field(default_factory=list)
    rows: int = 0
    bad: list[str] = field(default_factory=list)


def drift(model: str, input: Path, output: Path | None, device: str, console: Console, errors: Console) -> int:
    """Compare a table with the model's reference, print it, log it beside the model's run.

    Args:
        model: a folder or an MLflow URI.
        input: the table; only a bounded number of its rows is held in memory.
        output: where the picture goes; None: nowhere but to MLflow.
        device: `auto`, `cpu` or a torch device.
        console: for the tables.
        errors: for progress and notes.

    Returns:
        How many rows could not be read.

    Raises:
        StancewiseError: the table or the model cannot be read, the model keeps no reference, or no row is a statement.
    """
    table_format(input)
    if output and output.suffix.lower() not in PICTURES:
        raise StancewiseError(f"--output {output}: no picture; give a name that ends in {', '.join(PICTURES)}")
    if output and not output.parent.is_dir():
        raise StancewiseError(f"--output {output}: the folder {output.parent} does not exist; make it first")
    folder = find_model(model)
    reference = read_reference(folder)
    if reference is None:
        raise StancewiseError(f"{model}: the model {NONE}")
    # Of int8 alone there is no embedding.
    held = (folder / "model.safetensors").is_file()
    classifier = StanceClassifier.from_folder(folder, device, "torch" if held else "auto")
    with errors.status(f"reading {input}"):
        read = _read(classifier, input, errors)
    report = _report(classifier, reference, read, errors)
    _print(report, read, input, console)
    if output:
        with whole(output) as temporary:
            drift_picture(report).savefig(temporary, format=output.suffix[1:].lower())
        say(f"picture: {output}", errors)
    _log(report, model, classifier.settings.run_id, input, errors)
    if read.bad:
        say(f"{len(read.bad):,} rows are no statements: {'; '.join(read.bad[:_FIRST])}", errors)
    return len(read.bad)


def _read(classifier: StanceClassifier, path: Path, errors: Console) -> _Read:
    """At most MOST statements that the model can read, drawn at random (Vitter 1985, algorithm R)."""
    rows = checked(read_rows(path), str(path), partial(say, console=errors), path.suffix.lower() != ".jsonl")
    read, draw = _Read(), random.Random(0)  # noqa: S311
    for row in rows:
        statement = statement_of(row)
        if isinstance(statement, Statement):
            try:
                classifier.runtime.encode([statement])
            except StancewiseError as error:
                statement = str(error)
        if isinstance(statement, str):
            read.bad.append(f"{path}:{row.line}: {statement}")
            continue
        read.rows += 1
        place = len(read.statements) if read.rows <= MOST else draw.randrange(read.rows)
        if place < MOST:
            read.statements[place : place + 1] = [statement]
            read.labels[place : place + 1] = [_labels(row)]
    if not read.statements:
        raise StancewiseError(f"{path}: no row is a statement" + (f"; the first: {read.bad[0]}" if read.bad else ""))
    return read


def _labels(row: Row) -> dict[Head, str]:
    heads: Iterable[Head] = ("stance", "sentiment")
    return {head: label for head in heads if (label := cell(row, head)) in HEADS[head]}


def _report(classifier: StanceClassifier, reference: Reference, read: _Read, errors: Console) -> Report:
    with progress(errors) as bar:
        task = bar.add_task("asking the model", total=len(read.statements))
        asked = ask(classifier.runtime, read.statements, partial(bar.advance, task))
    predictions = classifier.answers(read.statements, asked.logits)
    rows = [observed(*pair) for pair in zip(read.statements, predictions, strict=True)]
    if asked.hidden is not None and reference.centres:
        add_distances(rows, np.array(reference.centres), asked.hidden)
    right = {head: _right(head, predictions, read.labels) for head in classifier.settings.heads}
    return drift_report(reference, rows, [one.text for one in read.statements], right)


def _right(head: Head, predictions: Sequence[Prediction], labels: Sequence[dict[Head, str]]) -> Ints:
    """1 where the model is right, 0 where it is not, UNLABELLED where nobody knows, shape (rows,)."""
    pairs = zip((getattr(one, head).label for one in predictions), labels, strict=True)
    return np.array([int(label == known[head]) if head in known else UNLABELLED for label, known in pairs])


def _print(report: Report, read: _Read, input: Path, console: Console) -> None:
    drawn = f", of {read.rows:,} drawn at random" if read.rows > len(read.statements) else ""
    title = f"{input.name}: {report.rows:,} rows on {report.texts:,} texts{drawn}"
    console.print(drift_table(report, title))
    console.print(accuracy_table(report))
    if not report.enough:
        side = f"the table has {report.texts:,}, the model's reference {report.reference.texts:,}"
        say(f"not enough rows: {LEAST_TEXTS} different texts are needed on both sides; {side}", console)


def _log(report: Report, model: str, run_id: str | None, input: Path, errors: Console) -> None:
    """As a run below the model's; a store that does not have it is no reason to fail."""
    try:
        parent = _run_of(model, run_id)
    except StancewiseError as error:
        say(f"not logged: {error}", errors)
        return
    with mlflow.start_run(
        experiment_id=parent.info.experiment_id,
        run_name=f"drift-{input.stem}",
        parent_run_id=parent.info.run_id,
        tags={"kind": "drift", **track.git_state()},
    ) as new:
        mlflow.log_params({"model": model, "input": input.name, "input.sha256": digest(input)})
        mlflow.log_metrics(drift_metrics(report))
        log_tables({"drift": drift_frame(report)})
        mlflow.log_figure(drift_picture(report), "plots/drift.png")
    say(f"logged as run {new.info.run_id}, below run {parent.info.run_id}", errors)


def _run_of(model: str, run_id: str | None) -> Run:
    name = model if is_registered(model) or model.startswith("runs:/") else run_id
    if name is None:
        raise StancewiseError(f"{model}: does not name the run that trained it")
    run = find_run(name)
    track.refuse_deleted(run, "or name another model")
    return run
