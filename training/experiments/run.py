"""One experiment from config to registered model: check, fit, calibrate, evaluate, track, register."""

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import mlflow
import numpy as np
from rich.console import Console
from transformers import TrainerCallback

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError, disk_is_full
from serving.labels import UNLABELLED, Head
from serving.runtime.load import load_runtime
from serving.runtime.pytorch import TorchRuntime
from serving.store.folder import ModelSettings, write_settings
from serving.store.package import log_model, register
from serving.store.run_files import (
    CARD_FILE,
    METRICS_TABLE,
    TRAIN_ROWS,
    VALIDATION_ROWS,
    evenly,
    log_tables,
    read_config,
)
from serving.watch.reference import write_reference
from training.config import BaselineConfig, ExperimentConfig, TrainConfig
from training.data.corpus import Corpus
from training.data.parts import read_data
from training.evaluation import plots
from training.evaluation.calibrate import calibrate
from training.evaluation.card import model_card
from training.evaluation.evaluate import Evaluation, evaluate, report
from training.evaluation.metrics import figures_table, mean_macro_f1, mlflow_metrics
from training.experiments import track
from training.experiments.before import check_recipe, read_experiment
from training.experiments.reference import ask, make_reference
from training.fitting import processes
from training.fitting.baseline import fit_baseline
from training.fitting.batches import pieces_of
from training.fitting.fit import Workspace, fit, last_checkpoint
from training.fitting.progress import ProgressCallback

WORK = Path("runs")  # checkpoints of unfinished runs, one folder per run id
_FULL = 1 << 20  # bytes free on a disk that is full
CALIBRATION_ROWS = 300  # training rows kept for int8, at most: as many as NNCF reads by itself
CHECKED_ROWS = 1000  # validation rows kept for int8, at most


@dataclass(frozen=True)
class Job:
    """What one run works on."""

    config: ExperimentConfig
    corpora: dict[str, Corpus]
    console: Console
    run_id: str
    keep_model: bool = True  # log the model, not only its figures
    callbacks: tuple[TrainerCallback, ...] = ()  # beside progress and tracking


@dataclass(frozen=True)
class Finished:
    """A run that reached its end; `evaluations` (part -> figures) is None when an earlier run was reused."""

    run_id: str
    evaluations: dict[str, Evaluation] | None
    temperatures: dict[Head, float] = field(default_factory=dict)
    minutes: float = 0.0  # of training


def train(config: TrainConfig, console: Console, reuse: bool = False) -> list[Finished]:
    """Fine-tune once per seed; several seeds are nested runs under one parent that holds their mean.

    With `reuse`, a seed whose experiment is finished already (same config, same data) is not run again. The best
    seed by validation macro-F1 is registered.

    Raises:
        StancewiseError: a mistake in config or data, a store that does not answer, or a process that ended.
    """
    pieces_of(config.batch)
    corpora = read_experiment(config, console)
    finished = _reusable(config, corpora, console) if reuse else {}
    missing = [seed for seed in config.seeds if seed not in finished]
    if missing:
        check_recipe(config, WORK)
    if len(config.seeds) == 1 or not missing:
        finished |= {seed: fine_tune(config, seed, corpora, console) for seed in missing}
    else:
        with mlflow.start_run(run_name=config.name, tags={"template": config.template, "kind": "seeds"}):
            finished |= {seed: fine_tune(config, seed, corpora, console, nested=True) for seed in missing}
            _log_mean(list(finished.values()))
    if config.register_as:
        best = max(finished.values(), key=lambda one: _validation_score(one.run_id))
        uri = register(best.run_id, config.register_as.name, config.register_as.alias, best.evaluations is not None)
        console.print(f"registered as [bold]{uri}[/]")
    return [finished[seed] for seed in config.seeds]


def _reusable(config: TrainConfig, corpora: dict[str, Corpus], console: Console) -> dict[int, Finished]:
    found = {}
    for seed in config.seeds:
        if run_id := track.find_finished(config.experiment, track.fingerprint(config, seed, corpora)):
            console.print(f"seed {seed}: nothing to do, run {run_id} has this config and data", soft_wrap=True)
            found[seed] = Finished(run_id, None)
    return found


def fine_tune(
    config: TrainConfig,
    seed: int,
    corpora: dict[str, Corpus],
    console: Console,
    nested: bool = False,
    keep_model: bool = True,
    callbacks: Sequence[TrainerCallback] = (),
) -> Finished:
    """One run: fine-tune with this seed, calibrate, evaluate, log."""
    name = f"{config.name}-{seed}" if nested else config.name
    with mlflow.start_run(run_name=name, nested=nested, log_system_metrics=True) as run:
        track.log_setup(config, seed, corpora, track.fingerprint(config, seed, corpora))
        job = Job(config, corpora, console, run.info.run_id, keep_model, tuple(callbacks))
        return _fine_tune(job, config, seed, resume=False)


def resume(run_id: str, console: Console) -> Finished:
    """Go on with a run that was killed, from its last checkpoint, in the same MLflow run.

    Raises:
        StancewiseError: no such run, a finished one, one that is no fine-tuning, or the data changed since.
    """
    values = read_config(run_id)
    run = mlflow.get_run(run_id)
    if values.pop("kind") != TrainConfig.__name__:
        raise StancewiseError(f"run {run_id}: only fine-tuning runs can be resumed; run the baseline again")
    if run.info.status == "FINISHED":
        raise StancewiseError(f"run {run_id} is finished; there is nothing to resume")
    track.refuse_deleted(run, "or train again")
    config = TrainConfig.model_validate(values)
    seed = int(run.data.params["seed"])
    corpora = read_data(config.data, console)
    for part, corpus in corpora.items():
        if run.data.tags.get(f"data.{part}.sha256") != corpus.digest:
            raise StancewiseError(
                f"{corpus.path}: changed since run {run_id} started; train again, or restore the file"
            )
    if last_checkpoint(WORK / run_id) is None:
        console.print(f"no checkpoint in {WORK / run_id}: training starts again from the first step")
    mlflow.set_experiment(experiment_id=run.info.experiment_id)
    with mlflow.start_run(run_id=run_id, log_system_metrics=True):
        finished = _fine_tune(Job(config, corpora, console, run_id), config, seed, resume=True)
    if config.register_as:
        console.print(f"registered as [bold]{register(run_id, config.register_as.name, config.register_as.alias)}[/]")
    return finished


def _fine_tune(job: Job, config: TrainConfig, seed: int, resume: bool) -> Finished:
    progress = ProgressCallback(job.console)
    train, validation = job.corpora["train"], job.corpora["validation"]

    tracking = track.MlflowCallback(job.run_id, job.console)

    def build(work: Path) -> Path:
        processes.tell((config, seed, train, validation, Workspace(work, [], resume)))
        return fit(config, seed, train, validation, Workspace(work, [progress, tracking, *job.callbacks], resume))

    job.console.print(
        f"run {job.run_id}: {config.name}, seed {seed}, {len(train.rows):,} training statements "
        f"(if it stops, resume it with: python -m training train --resume {job.run_id})",
        soft_wrap=True,
    )
    mlflow.set_tag("processes", processes.count())
    again = f"go on with: python -m training train --resume {job.run_id}"
    with processes.connected(job.run_id), _full_disk_said(job, again):
        finished = _finish(job, build, ModelForm("encoder", config.max_length, config.device), tracking.send_all)
    mlflow.log_figure(plots.loss_curves(progress.train, progress.validation), "plots/loss.png")
    return finished


def baseline(config: BaselineConfig, console: Console, reuse: bool = False) -> Finished:
    """Fit the TF-IDF baseline; same metrics, same registry form, same serving class as a fine-tuned model.

    With `reuse`, nothing is done when a run with this config and data is finished already.

    Raises:
        StancewiseError: a mistake in the data, or a store that does not answer.
    """
    corpora = read_experiment(config, console)
    if reuse and (run_id := track.find_finished(config.experiment, track.fingerprint(config, 0, corpora))):
        console.print(f"{config.name}: nothing to do, run {run_id} has this config and data", soft_wrap=True)
        return Finished(run_id, None)
    finished = baseline_run(config, corpora, console)
    if config.register_as:
        uri = register(finished.run_id, config.register_as.name, config.register_as.alias)
        console.print(f"registered as [bold]{uri}[/]")
    return finished


def baseline_run(
    config: BaselineConfig,
    corpora: dict[str, Corpus],
    console: Console,
    nested: bool = False,
    keep_model: bool = True,
) -> Finished:
    """One run: fit the baseline, calibrate, evaluate, log."""

    def build(work: Path) -> Path:
        with console.status("fitting TF-IDF and logistic regression"):
            return fit_baseline(config, corpora["train"], corpora["validation"], work)

    with mlflow.start_run(run_name=config.name, nested=nested, log_system_metrics=True) as run:
        track.log_setup(config, 0, corpora, track.fingerprint(config, 0, corpora))
        job = Job(config, corpora, console, run.info.run_id, keep_model)
        with _full_disk_said(job, "run the command again"):
            return _finish(job, build, ModelForm("tfidf", 1, "cpu"))


@dataclass(frozen=True)
class ModelForm:
    """What the settings need to know of a model that was just built."""

    kind: Literal["encoder", "tfidf"]
    max_length: int
    device: str


def _finish(
    job: Job, build: Callable[[Path], Path], form: ModelForm, settle: Callable[[], None] = lambda: None
) -> Finished:
    """Build the model, settle what tracking still owes, calibrate, evaluate as it will be served, log everything."""
    config, corpora, console = job.config, job.corpora, job.console
    work = WORK / job.run_id
    start = time.perf_counter()
    with _interruptible(job, form):
        folder = build(work)
        minutes = (time.perf_counter() - start) / 60
        settle()
    settings = ModelSettings(
        kind=form.kind,
        heads=config.heads,
        temperatures=dict.fromkeys(config.heads, 1.0),
        abstain_below=dict.fromkeys(config.heads, 0.0),
        template=config.template,
        max_length=form.max_length,
        languages=config.languages,
        schemes=corpora["train"].schemes() if form.kind == "encoder" else (),
        run_id=job.run_id,
    )
    with console.status("calibrating and evaluating"):
        runtime = load_runtime(folder, settings, form.device)
        validation = corpora["validation"]
        asked = ask(runtime, validation.statements())
        temperatures, thresholds = calibrate(asked.logits, validation, config.heads, config.abstain.accuracy)
        settings = settings.model_copy(update={"temperatures": temperatures, "abstain_below": thresholds})
        classifier = StanceClassifier(settings, runtime)
        measured = [part for part in corpora if part != "train" and _shares(corpora[part], config.heads)]
        evaluations = {part: evaluate(classifier, corpora[part]) for part in measured}
        shown = shown_part(evaluations)
        if job.keep_model:
            tests = {part: one for part, one in evaluations.items() if part != "validation"}
            train = corpora["train"].statements()
            write_reference(folder, make_reference(classifier, train, validation, asked, tests))
        write_settings(folder, settings)
    with console.status("logging the model and its figures to MLflow"):
        if job.keep_model:
            mlflow.log_text(model_card(config, settings, corpora, evaluations, minutes), CARD_FILE)
            if form.kind == "encoder":
                _log_rows_to_optimize(corpora)
        model = log_model(folder, settings) if job.keep_model else None
        _log_evaluations(evaluations, model.model_id if model else None)
        costs = {
            "minutes": minutes,
            "peak_memory_gb": _peak_memory(),
            "ms_per_statement": evaluations[shown].milliseconds,
        }
        if isinstance(runtime, TorchRuntime):
            costs["parameters"] = sum(parameter.numel() for parameter in runtime.model.parameters())
        mlflow.log_metrics({f"cost/{name}": value for name, value in costs.items()})
        mlflow.log_metrics({f"calibration/{head}_temperature": value for head, value in temperatures.items()})
        mlflow.log_metrics({f"calibration/{head}_abstain_below": value for head, value in thresholds.items()})
    for part, evaluation in evaluations.items():
        console.print(report(evaluation, f"{config.name}: {part}, {len(evaluation.corpus.rows)} statements"))
    shutil.rmtree(work, ignore_errors=True)
    return Finished(job.run_id, evaluations, temperatures, minutes)


def _shares(corpus: Corpus, heads: tuple[Head, ...]) -> bool:
    """Whether a head of the model is labelled in it: a set of another head is not measured."""
    return any((corpus.labels(head) != UNLABELLED).any() for head in heads)


@contextmanager
def _interruptible(job: Job, form: ModelForm) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        if form.kind == "encoder":
            job.console.print(f"stopped; resume it with: python -m training train --resume {job.run_id}")
        raise


@contextmanager
def _full_disk_said(job: Job, again: str) -> Iterator[None]:
    """PyTorch says of a full disk only that a position in its file is unexpected."""
    try:
        yield
    except StancewiseError:
        raise
    except Exception as error:
        there = WORK if WORK.is_dir() else Path.cwd()
        if not disk_is_full(error) and shutil.disk_usage(there).free > _FULL:
            raise
        place = getattr(error, "filename", None) or (WORK / job.run_id).absolute()
        raise StancewiseError(f"{place}: the disk is full; make room, then {again}") from error


def _log_rows_to_optimize(corpora: dict[str, Corpus]) -> None:
    """Keep what `python -m serving optimize` needs with the run: it may be run where the data is not."""
    train, validation = corpora["train"].statements(), corpora["validation"].rows
    labelled = [row for row in validation if row.stance or row.sentiment]
    lines = {
        TRAIN_ROWS: [row.model_dump(exclude_none=True) for row in evenly(train, CALIBRATION_ROWS)],
        VALIDATION_ROWS: [
            row.statement().model_dump(exclude_none=True) | row.model_dump(include={"stance", "sentiment", "group"})
            for row in evenly(labelled, CHECKED_ROWS)
        ],
    }
    for name, rows in lines.items():
        mlflow.log_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), name)


def _log_evaluations(evaluations: dict[str, Evaluation], model_id: str | None) -> None:
    figures = {name: one for part, each in evaluations.items() for name, one in each.figures(part).items()}
    mlflow.log_metrics(mlflow_metrics(figures), model_id=model_id)
    log_tables({METRICS_TABLE: figures_table(figures)})
    shown = evaluations[shown_part(evaluations)]
    for name, figure in (
        ("confusion_matrices", plots.confusion_matrices(shown)),
        ("reliability", plots.reliability_diagram(shown)),
        ("risk_coverage", plots.risk_coverage(shown)),
    ):
        mlflow.log_figure(figure, f"plots/{name}.png")
    measured = {part: one for part, one in evaluations.items() if part != "validation"} or evaluations
    for part, one in measured.items():
        log_tables({f"{part}_predictions": one.table(), f"{part}_worst_errors": one.worst_errors()})


def shown_part(evaluations: dict[str, Evaluation]) -> str:
    """The part whose plots a run shows: the first test part, else validation."""
    return next((part for part in evaluations if part != "validation"), "validation")


def _log_mean(finished: list[Finished]) -> None:
    """Mean over the seeds with an interval over seeds and document groups; needs all runs of this call."""
    of_seeds = [one.evaluations for one in finished if one.evaluations]
    if len(of_seeds) < len(finished):
        return
    for part, first in of_seeds[0].items():
        for head, result in first.heads.items():
            predicted = [evaluations[part].heads[head].predicted for evaluations in of_seeds]
            mean = mean_macro_f1(result.labels, predicted, first.corpus.groups())
            mlflow.log_metrics(mlflow_metrics({f"{part}/{head}/macro_f1": mean}))


def _validation_score(run_id: str) -> float:
    metrics = mlflow.get_run(run_id).data.metrics
    scores = [v for k, v in metrics.items() if k.startswith("validation/") and k.endswith("/macro_f1")]
    return float(np.mean(scores)) if scores else 0.0


def _peak_memory() -> float:
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
