"""`python -m training adapt`: a tracked model goes on with a few rows of one's own, measured before and after."""

import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.classifier import StanceClassifier, softmax
from serving.errors import StancewiseError
from serving.labels import HEADS, LOGITS, UNLABELLED, Head, Logits
from serving.runtime.base import Runtime, all_logits
from serving.runtime.load import load_runtime
from serving.store import run_files
from serving.store.folder import INT8_FOLDER, ModelSettings, write_settings
from serving.store.package import log_model
from serving.watch.reference import Reference, write_reference
from training.config import AdaptConfig
from training.data.corpus import Corpus, join
from training.evaluation import plots
from training.evaluation.before_after import COLUMNS, Change, change, helped, kept
from training.evaluation.calibrate import LEAST_ROWS, PRIOR_ROWS, recalibrate
from training.evaluation.card import adapted_card
from training.evaluation.evaluate import Evaluation, HeadResult, evaluate
from training.evaluation.metrics import figures_table, head_metrics, mlflow_metrics
from training.experiments import track
from training.experiments.derive import Tracked, kept_tags, register_made, tracked_encoder
from training.experiments.first import First, log_rows, read_first
from training.experiments.lesson import Lesson, prepare
from training.experiments.own_rows import Split, apart, read_own, refuse_few, split
from training.experiments.reference import ask, make_reference
from training.fitting.progress import ProgressCallback

OWN = "own"  # what figures and tables call the user's rows


@dataclass(frozen=True)
class Made:
    """The new model, measured."""

    settings: ModelSettings
    own: Evaluation  # the user's rows that were held out
    tests: dict[str, Evaluation]
    changes: list[Change]
    curve: plots.Curve
    notes: list[str]
    minutes: float


def adapt(config: AdaptConfig, uri: str, alias: str | None, console: Console) -> None:
    """Go on from a tracked model with few rows, measure it before and after, log it as a run, register the version.

    Args:
        config: the rows and how they are learned.
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID`; a run's is not registered.
        alias: for the new version.
        console: where progress is shown.

    Raises:
        StancewiseError: the URI names no tracked encoder; the rows are too few or wrong; the first training cannot be
            read again.
    """
    source = tracked_encoder(uri, alias, "cannot go on learning", "--alias")
    track.refuse_deleted(source.run, "or train again")  # the new run stands beside it
    own, heads, notes = read_own(config.data, source.settings)
    with console.status("reading the rows of the first training"):
        first = read_first(source.run, config)
        own, known, found = apart(own, first)
    notes += found
    if (source.folder / INT8_FOLDER).is_dir():
        notes.append(
            "The int8 weights of the model before are left out: make new ones with python -m serving optimize."
        )
    for note in notes:
        console.print(f"[yellow]note[/]: {escape(note)}", soft_wrap=True)
    refuse_few(own, heads)
    splits = split(own, config.seed)
    measured = sorted({int(i) for one in splits for i in one.held_out} - known)
    if not measured:
        raise StancewiseError(
            f"{own.path}: the model learned from every row that was held out before; add rows, or another --seed"
        )
    with console.status("asking the model before"):
        before = load_runtime(source.folder, source.settings, runtime="torch")
        lesson = prepare(config, source, first, own, heads, before)
    work = _Work(config, source, first, own, heads, splits, measured, before, lesson, console)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        name = f"{source.run.info.run_name}-{config.data.stem}"
        tags = {**kept_tags(source.run), "kind": "adapt", "adapted_from": source.run.info.run_id}
        with mlflow.start_run(experiment_id=source.run.info.experiment_id, run_name=name, tags=tags) as new:
            made = _make(work, folder, new.info.run_id)
            with console.status("logging the model and its figures to MLflow"):
                words = _words(made)
                card = adapted_card(
                    name, source.run.info.run_id, made.settings, made.changes, words, [*notes, *made.notes]
                )
                _log(config, source, first, own, folder, made, card)
    made_uri = register_made(new.info.run_id, source.name, alias)
    _show(name, made.changes, words, console)
    called = f" ({alias})" if source.name and alias else ""
    print(f"made {made_uri}{called}; to propose it as champion: python -m training promote {made_uri}")


@dataclass(frozen=True)
class _Work:
    config: AdaptConfig
    source: Tracked
    first: First
    own: Corpus
    heads: tuple[Head, ...]  # that the user labelled
    splits: list[Split]
    measured: list[int]  # places of rows that were held out and that the model before did not learn from
    before: Runtime
    lesson: Lesson
    console: Console


def _make(work: _Work, folder: Path, run_id: str) -> Made:
    """Train once for each split, measure what was held out, calibrate, and write the model into the folder."""
    start = time.perf_counter()
    source, own, lesson, places, console = work.source, work.own, work.lesson, work.measured, work.console
    old, new = lesson.before, np.zeros_like(lesson.before)
    curve: plots.Curve = []

    def learn(places: Iterable[int]) -> Runtime:
        progress = ProgressCallback(console)
        runtime = lesson.learn(places, folder, [progress])
        curve[:] = progress.train
        return runtime

    for number, one in enumerate(work.splits, 1):
        title = f"fold {number} of {len(work.splits)}" if len(work.splits) > 1 else "training"
        console.print(f"{title}: {len(one.learned):,} rows of {own.path}, {len(one.held_out):,} held out")
        runtime = learn(one.learned.tolist())
        held_out = [own.rows[i].statement() for i in one.held_out]
        new[one.held_out] = all_logits(runtime, held_out)
    if len(work.splits) > 1:
        console.print(f"training: all {len(own.rows):,} rows of {own.path}")
        runtime = learn(range(len(own.rows)))
    measured = own.keep(places)
    accuracy = work.first.recipe.abstain.accuracy
    settings = recalibrate(source.settings, new[places], measured, work.heads, accuracy)
    settings = settings.model_copy(update={"run_id": run_id})
    with console.status("measuring both on the old test part"):
        both = [StanceClassifier(source.settings, work.before), StanceClassifier(settings, runtime)]
        tests = {part: [evaluate(one, corpus) for one in both] for part, corpus in work.first.tests.items()}
    with console.status("counting what its validation rows look like"):
        write_reference(folder, _reference(work, settings, runtime, {part: two for part, (_, two) in tests.items()}))
    write_settings(folder, settings)
    changes = [change("your rows", measured, *(_by_head(logits[places], work.heads) for logits in (old, new)))]
    for part, (first, second) in tests.items():
        answers = [{head: result.probabilities for head, result in each.heads.items()} for each in (first, second)]
        changes.append(change(part, first.corpus, *answers))
    evaluation = _evaluation(measured, new[places], settings, work.heads)
    after = {part: two for part, (_, two) in tests.items()}
    notes = _notes(work, len(lesson.replayed.rows), settings)
    return Made(settings, evaluation, after, changes, curve, notes, (time.perf_counter() - start) / 60)


def _reference(
    work: _Work, settings: ModelSettings, runtime: Runtime, tests: dict[str, Evaluation]
) -> Reference | None:
    """Of the validation rows that the first run keeps and of the user's rows, if this model did not learn from them."""
    tests = {part: one for part, one in tests.items() if part != "validation"}
    held_out = work.splits[0].held_out.tolist() if len(work.splits) == 1 else []  # a last training learned from all
    held_out = [i for i in held_out if i in work.measured]
    parts = [one for one in (work.first.validation, work.own.keep(held_out)) if one.rows]
    if not parts:
        return None
    rows = join(parts)
    train = [*work.first.rows.statements(), *work.own.keep(set(range(len(work.own.rows))) - set(held_out)).statements()]
    asked = ask(runtime, rows.statements())
    return make_reference(StanceClassifier(settings, runtime), train, rows, asked, tests)


def _by_head(logits: Logits, heads: Sequence[Head]) -> dict[str, Logits]:
    return {head: logits[:, LOGITS[head]] for head in heads}


def _evaluation(corpus: Corpus, logits: Logits, settings: ModelSettings, heads: Sequence[Head]) -> Evaluation:
    results: dict[str, HeadResult] = {}
    for head in heads:
        labels = corpus.labels(head)
        probabilities = softmax(logits[:, LOGITS[head]] / settings.temperatures[head])
        unsure = (probabilities.max(axis=1) < settings.abstain_below[head]).astype(np.int64)
        metrics = head_metrics(head, labels, probabilities, corpus.groups())
        if metrics:
            results[head] = HeadResult(labels, probabilities, unsure, metrics)
    return Evaluation(corpus, results, 0.0)


def _notes(work: _Work, replayed: int, settings: ModelSettings) -> list[str]:
    config, own, old = work.config, work.own, work.source.settings
    counts = [
        f"{head} " + ", ".join(f"{label} {(own.labels(head) == i).sum()}" for i, label in enumerate(HEADS[head]))
        for head in work.heads
    ]
    groups = int(own.groups().max()) + 1
    notes = [f"It learned from {len(own.rows):,} rows of {own.path.name} in {groups:,} groups: {'; '.join(counts)}."]
    if len(work.splits) > 1:
        notes.append(
            f"Your rows were measured by cross-validation over {len(work.splits)} folds of whole groups: each row was "
            "answered by a model that did not learn from its group. The version itself learned from all rows."
        )
    else:
        held_out = len(work.splits[0].held_out)
        notes.append(
            f"Of your rows {held_out:,} were held out in whole groups and measured on; it learned from the others."
        )
    if replayed:
        notes.append(
            f"Beside them {replayed // config.epochs:,} rows of the first training were learned in each of "
            f"{config.epochs} epochs, with the answers that the model before gave them, so that it forgets little."
        )
    else:
        notes.append("No row of the first training was replayed, so the old skill may be lost.")
    for head in old.heads:
        if head not in work.heads:
            notes.append(
                f"No row has a {head}: the model learned to keep its own answers; temperature and threshold stay."
            )
            continue
        rows = int((own.labels(head) != UNLABELLED).sum())
        notes.append(
            f"{head} was calibrated on the rows measured: temperature {old.temperatures[head]:.2f} before, "
            f"{settings.temperatures[head]:.2f} now; threshold {old.abstain_below[head]:.2f} before, "
            f"{settings.abstain_below[head]:.2f} now. The earlier values count as {PRIOR_ROWS} rows"
            + (f"; under {LEAST_ROWS} rows the threshold stays." if rows < LEAST_ROWS else ".")
        )
    return notes


def _words(made: Made) -> list[str]:
    own, *tests = made.changes
    words = helped(own) + [sentence for one in tests for sentence in kept(one)]
    return (
        words if tests else [*words, "The run of the model before keeps no test rows: what it unlearned is not known."]
    )


def _log(config: AdaptConfig, source: Tracked, first: First, own: Corpus, folder: Path, made: Made, card: str) -> None:
    run, active = source.run, mlflow.active_run()
    assert active
    mlflow.MlflowClient().log_inputs(active.info.run_id, datasets=run.inputs.dataset_inputs)
    frame = pd.DataFrame([row.model_dump(include=set(track.LOGGED_FIELDS)) for row in own.rows])
    dataset = mlflow.data.from_pandas(frame, source=str(own.path), name=own.name, digest=own.digest[:16])
    mlflow.log_input(dataset, context="adaptation")
    mlflow.set_tags({"adapt.sha256": own.digest, **track.git_state()})
    settings = {f"adapt.{key}": value for key, value in config.model_dump(mode="json").items() if value is not None}
    mlflow.log_params({**run.data.params, **settings})
    mlflow.log_dict(run_files.read_config(run.info.run_id), run_files.CONFIG_FILE)
    mlflow.log_text(card, run_files.CARD_FILE)
    log_rows(first, own)
    _copy_artifacts(run.info.run_id, "optimize")
    figures = {
        name: one
        for part, evaluation in {**made.tests, OWN: made.own}.items()
        for name, one in evaluation.figures(part).items()
    }
    for each in made.changes:
        part = OWN if each is made.changes[0] else each.part
        for one in each.heads:
            figures |= {
                f"{part}/{one.head}/macro_f1_before": one.before,
                f"{part}/{one.head}/macro_f1_difference": one.difference,
            }
    tables = {f"{part}_predictions": one.table() for part, one in {**made.tests, OWN: made.own}.items()}
    errors = {f"{part}_worst_errors": one.worst_errors() for part, one in {**made.tests, OWN: made.own}.items()}
    run_files.log_tables({**tables, **errors, run_files.METRICS_TABLE: figures_table(figures)})
    mlflow.log_figure(plots.loss_curves(made.curve, []), "plots/loss.png")
    model = log_model(folder, made.settings)
    mlflow.log_metrics(mlflow_metrics(figures), model_id=model.model_id)
    size = {name: run.data.metrics[name] for name in ("cost/parameters",) if name in run.data.metrics}
    mlflow.log_metrics({"cost/minutes": made.minutes, **size})
    for head in made.settings.heads:
        mlflow.log_metrics(
            {
                f"calibration/{head}_temperature": made.settings.temperatures[head],
                f"calibration/{head}_abstain_below": made.settings.abstain_below[head],
            }
        )


def _copy_artifacts(run_id: str, path: str) -> None:
    """What `optimize` needs, where the run has it."""
    if not mlflow.MlflowClient().list_artifacts(run_id, path):
        return
    with tempfile.TemporaryDirectory() as temporary:
        mlflow.log_artifacts(
            mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=temporary), path
        )


def _show(name: str, changes: Sequence[Change], words: Sequence[str], console: Console) -> None:
    table = Table(title=escape(name), title_justify="left")
    for column in COLUMNS:
        table.add_column(column)
    for one in changes:
        for row in one.rows():
            table.add_row(*row)
    console.print(table)
    for sentence in words:
        console.print(sentence, soft_wrap=True, highlight=False)
