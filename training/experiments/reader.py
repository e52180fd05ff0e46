"""`python -m training reader`: a tracked model learns to find the positions of articles."""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import mlflow
import numpy as np
from mlflow.entities import Run
from rich.console import Console

from serving.article.reading.parse import pipeline_name
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.runtime.pairs import READER_FOLDER, SETTINGS_FILE, ReaderSettings
from serving.store import run_files
from serving.store.folder import digest, read_settings, write_settings
from serving.store.package import log_model, register
from serving.store.versions import find_model, is_registered, split
from serving.tables import whole
from training.config import ReaderConfig, flatten
from training.data.corpus import read_corpus
from training.data.sources.reports import Report, read_reports
from training.evaluation.metrics import Floats
from training.evaluation.positions import Tally, figures, shown, tally
from training.experiments import track
from training.fitting.pairs import Example, fit_reader, of_report, of_statements
from training.fitting.progress import ProgressCallback

WORK = Path("runs/reader")  # checkpoints of a training that was stopped, a folder for each config and data
TAKEN = ("support", "criticism")
LEAST = np.arange(0.1, 0.91, 0.05)  # probabilities among which the least one shown is chosen
COPIED = ("template", "dataset_digest")  # tags of the training run, beside the digests of its data


def train_reader(config: ReaderConfig, uri: str, alias: str | None, console: Console) -> None:
    """Train a reader for a model, choose what it shows on validation reports, log it as a run, register the version.

    Args:
        config: of the reader.
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID`; a run's is not registered.
        alias: for the new version.
        console: where progress is shown.

    Raises:
        StancewiseError: a mistake in config or data, the URI names no tracked encoder, or no parser is installed.
    """
    if pipeline_name() is None:
        raise StancewiseError("no English pipeline for spaCy is installed; install it with: pip install '.[article]'")
    if not uri.startswith(("models:/", "runs:/")):
        raise StancewiseError(f"{uri}: a tracked model is needed; give models:/NAME@ALIAS, or train a model first")
    name = split(uri)[0] if is_registered(uri) else None
    source = find_model(uri)
    settings = read_settings(source)
    if settings.kind != "encoder":
        raise StancewiseError(f"{uri}: a {settings.kind} model takes no reader; name a fine-tuned encoder")
    track.open_experiment(config.experiment)
    run = run_files.find_run(settings.run_id or uri)
    start = time.perf_counter()
    validation = read_reports(config.data.validation)
    with console.status("reading the reports and parsing them"):
        examples = _examples(config, validation)
    console.print(
        f"{config.name}: {len(examples):,} sentences with {sum(len(one.answers) for one in examples):,} pairs "
        "(if it stops, the same command goes on)",
        soft_wrap=True,
    )
    work = WORK / _mark(config)
    progress = ProgressCallback(console)
    with tempfile.TemporaryDirectory() as temporary, mlflow.start_run(run_name=config.name) as new:
        folder = Path(temporary) / "model"
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(READER_FOLDER))
        tracking = track.MlflowCallback(new.info.run_id, console)
        fit_reader(config, config.seed, examples, work / "model", [progress, tracking])
        tracking.send_all()
        shutil.copytree(work / "model", folder / READER_FOLDER)
        minutes = (time.perf_counter() - start) / 60
        with console.status("reading the validation reports"):
            write_settings(folder, settings)
            kept = ReaderSettings(max_length=config.max_length, expressed_above=float(LEAST[0]), run_id=new.info.run_id)
            _write(folder / READER_FOLDER, kept)
            least, found = _choose(StanceClassifier.from_folder(folder), validation)
            _write(folder / READER_FOLDER, kept.model_copy(update={"expressed_above": least}))
            write_settings(folder, settings)
        with console.status("logging the model and its figures to MLflow"):
            _log(config, run, folder, {"precision": found[0], "recall": found[1], "f1": found[2]}, least, minutes)
        run_id = new.info.run_id
    shutil.rmtree(work, ignore_errors=True)
    precision, recall, f1 = 100 * found
    console.print(
        f"positions of {len(validation)} validation reports: precision {precision:.1f}, recall {recall:.1f}, "
        f"F1 {f1:.1f} (shown from probability {least:.2f} on)",
        soft_wrap=True,
    )
    made = f"runs:/{run_id}"
    if name:
        made = register(run_id, name)
        if alias:
            register(run_id, name, alias)
    print(f"made {made}; to propose it as champion: python -m training promote {made}")


def _examples(config: ReaderConfig, validation: Sequence[Report]) -> list[Example]:
    kept = {one.id for one in validation} | {one.text for one in validation}
    examples: list[Example] = []
    for path in config.data.train:
        for report in read_reports(path):
            if report.id in kept or report.text in kept:
                raise StancewiseError(
                    f"{path}: report {report.id} is also a validation report; take it out of one file"
                )
            examples += of_report(report)
    for path in config.data.statements:
        examples += of_statements(read_corpus(path).rows)
    return examples


def _mark(config: ReaderConfig) -> str:
    """A name for this config and data: a training that was stopped goes on only with the same."""
    files = [*config.data.train, *config.data.statements, config.data.validation]
    content = [config.model_dump(mode="json"), *map(digest, files)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _write(folder: Path, settings: ReaderSettings) -> None:
    with whole(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _choose(classifier: StanceClassifier, reports: Sequence[Report]) -> tuple[float, Floats]:
    """The least probability with the best F1 on support and criticism, and precision, recall and F1 with it."""
    articles = [(report, classifier.read_article(report.text)) for report in reports]
    scores = []
    for least in LEAST:
        tallies: list[Tally] = [tally(shown(article, float(least)), report, TAKEN)[0] for report, article in articles]
        scores.append(figures(tallies))
    best = int(np.argmax([one[2] for one in scores]))
    return float(round(LEAST[best], 2)), scores[best]


def _log(config: ReaderConfig, run: Run, folder: Path, found: dict[str, float], least: float, minutes: float) -> None:
    """What the training run says of rows and settings, with the reader's figures, its part of the card, the model."""
    with tempfile.TemporaryDirectory() as temporary:
        for path in ("tables", "optimize"):
            kept = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path, dst_path=temporary)
            mlflow.log_artifacts(kept, path)
    settings = read_settings(folder)
    tags = {name: value for name, value in run.data.tags.items() if name in COPIED or name.startswith("data.")}
    mlflow.set_tags({**tags, "kind": "reader", "read_for": run.info.run_id})
    mlflow.log_params({**run.data.params, **{f"reader.{key}": value for key, value in flatten(config).items()}})
    mlflow.log_dict(run_files.read_config(run.info.run_id), run_files.CONFIG_FILE)
    mlflow.log_text(json.dumps(config.model_dump(mode="json"), indent=2), "reader.json")
    card = run_files.read_text(run.info.run_id, run_files.CARD_FILE)
    section = (
        "## Reader\n\n"
        f"Positions of the reports of `{config.data.validation}`: precision {found['precision']:.3f}, recall "
        f"{found['recall']:.3f}, F1 {found['f1']:.3f}. The least probability shown, {least:.2f}, was chosen on them."
    )
    before, data, after = card.partition("\n## Data\n")
    mlflow.log_text(f"{before.rstrip()}\n\n{section}\n{data}{after}", run_files.CARD_FILE)
    model = log_model(folder, settings)
    metrics = {f"reader/{name}": float(value) for name, value in found.items()}
    mlflow.log_metrics({**metrics, "reader/least": least, "cost/minutes": minutes}, model_id=model.model_id)
    mlflow.log_metrics(
        {name: value for name, value in run.data.metrics.items() if name.startswith(("test/", "validation/"))}
    )
