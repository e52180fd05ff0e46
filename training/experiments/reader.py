"""`python -m training reader`: a tracked model learns to find the positions of articles."""

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import mlflow
import numpy as np
from rich.console import Console

from serving.article.reading.parse import pipeline_name
from serving.article.statements import Article
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.runtime.reader import READER_FOLDER, SETTINGS_FILE, Limits, ReaderSettings
from serving.store import run_files
from serving.store.folder import digest, write_settings
from serving.store.package import log_model
from serving.tables import whole
from training.config import ReaderConfig, flatten
from training.data.corpus import read_corpus
from training.data.sources.reports import Report, read_reports
from training.data.sources.taught import read_answers, text_id, texts_of
from training.evaluation.positions import figures, shown, tally
from training.experiments import track
from training.experiments.derive import Tracked, card_with, kept_tags, register_made, tracked_encoder
from training.fitting.encoders import check_length, load_bare
from training.fitting.pairs import Example, fit_reader, of_report, of_statements, of_taught
from training.fitting.progress import ProgressCallback

WORK = Path("runs/reader")  # checkpoints of a training that was stopped, a folder for each config and data
TAKEN, DECLARED = ("support", "criticism"), ("neutrality",)
LEAST = np.arange(10, 100) / 100  # values of sureness among which the least one shown is chosen
SURE = 0.9  # precision of the sure positions
HALF = 0.5  # precision of the declared neutralities: they are rare, and at that of the others hardly any would be left


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
    source = tracked_encoder(uri, alias, "takes no reader")
    track.open_experiment(config.experiment)
    check_length(config.max_length, *load_bare(config.encoder))
    start = time.perf_counter()
    validation = read_reports(config.data.validation)
    unparsed = read_reports(config.data.unparsed) if config.data.unparsed else []
    with console.status("reading the reports and parsing them"):
        examples, languages = _examples(config, [*validation, *unparsed])
    console.print(
        f"{config.name}: {len(examples):,} sentences with {sum(len(one.answers) for one in examples):,} pairs "
        "(if it stops, the same command goes on)",
        soft_wrap=True,
    )
    work = WORK / _mark(config)
    progress = ProgressCallback(console)
    with tempfile.TemporaryDirectory() as temporary, mlflow.start_run(run_name=config.name) as new:
        folder = Path(temporary) / "model"
        shutil.copytree(source.folder, folder, ignore=shutil.ignore_patterns(READER_FOLDER))
        tracking = track.MlflowCallback(new.info.run_id, console)
        fit_reader(config, config.seed, examples, work / "model", [progress, tracking])
        tracking.send_all()
        shutil.copytree(work / "model", folder / READER_FOLDER)
        minutes = (time.perf_counter() - start) / 60
        with console.status("reading the validation reports"):
            widest = Limits(shown_above=float(LEAST[0]), sure_above=1.0)
            kept = ReaderSettings(
                max_length=config.max_length,
                languages=languages,
                unparsed=widest if unparsed else None,
                run_id=new.info.run_id,
                **widest.model_dump(),
            )
            _write(folder / READER_FOLDER, kept)
            classifier = StanceClassifier.from_folder(folder)
            chosen, sure, limits = _chosen(config, classifier, validation)
            if unparsed:
                others, _, other_limits = _chosen(config, classifier, unparsed)
                kept = kept.model_copy(update={"unparsed": other_limits})
            _write(folder / READER_FOLDER, kept.model_copy(update=limits.model_dump()))
            write_settings(folder, source.settings)
        with console.status("logging the model and its figures to MLflow"):
            _log(config, source, folder, chosen, minutes)
        run_id = new.info.run_id
    shutil.rmtree(work, ignore_errors=True)
    console.print(f"positions of the validation reports: {chosen}", soft_wrap=True)
    console.print(f"of the sure ones: {sure}", soft_wrap=True)
    if unparsed:
        console.print(f"positions of the validation reports in other languages: {others}", soft_wrap=True)
    made = register_made(run_id, source.name, alias)
    print(f"made {made}; to propose it as champion: python -m training promote {made}")


def _examples(config: ReaderConfig, validation: Sequence[Report]) -> tuple[list[Example], tuple[str, ...]]:
    """What the reader learns from, and the languages that it is in."""
    kept = {one.id for one in validation} | {one.text for one in validation}
    examples: list[Example] = []
    languages: dict[str, None] = {}
    for path in config.data.train:
        for report in read_reports(path):
            if report.id in kept or report.text in kept:
                raise StancewiseError(
                    f"{path}: report {report.id} is also a validation report; take it out of one file"
                )
            examples += of_report(report)
            languages[report.language] = None
    for path in config.data.statements:
        examples += of_statements(read_corpus(path).rows)
    for taught in config.data.taught:
        answers = read_answers(taught.answers)
        for text in texts_of(taught.texts):
            if text in kept:
                raise StancewiseError(f"{taught.texts}: it holds the text of a validation report; take it out")
            if text_id(text) not in answers:
                raise StancewiseError(
                    f"{taught.answers}: no answers for a text of {taught.texts}; make the file again with teach-reader"
                )
            examples += of_taught(text, answers[text_id(text)])
    return examples, tuple(languages)


def _mark(config: ReaderConfig) -> str:
    """A name for this config and data: a training that was stopped goes on only with the same."""
    taught = [path for one in config.data.taught for path in (one.texts, one.answers)]
    files = [*config.data.train, *config.data.statements, *taught, config.data.validation]
    files += [config.data.unparsed] if config.data.unparsed else []
    content = [config.model_dump(mode="json"), *map(digest, files)]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _write(folder: Path, settings: ReaderSettings) -> None:
    with whole(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Choice:
    """A least sureness, and how the positions above it fare on the validation reports."""

    least: float
    precision: float
    recall: float
    f1: float

    def __str__(self) -> str:
        return (
            f"precision {100 * self.precision:.1f}, recall {100 * self.recall:.1f}, F1 {100 * self.f1:.1f} "
            f"from sureness {self.least:.2f} on"
        )


def _chosen(
    config: ReaderConfig, classifier: StanceClassifier, reports: Sequence[Report]
) -> tuple[Choice, Choice, Limits]:
    """What is shown on validation reports, what is sure on them, and the limits that give this."""
    articles = [(report, classifier.read_article(report.text)) for report in reports]
    choices = _choices(articles, TAKEN)
    shown_ones, sure = (_with_precision(choices, wanted) for wanted in (config.precision, SURE))
    neutral = _with_precision(_choices(articles, DECLARED), HALF)
    return (
        shown_ones,
        sure,
        Limits(
            shown_above=shown_ones.least,
            neutral_above=neutral.least if neutral.precision >= HALF else None,
            sure_above=sure.least if sure.precision >= SURE else 1.0,
        ),
    )


def _choices(articles: Sequence[tuple[Report, Article]], stances: Sequence[str]) -> list[Choice]:
    return [
        Choice(
            float(least),
            *map(float, figures([tally(shown(article, least), report, stances)[0] for report, article in articles])),
        )
        for least in LEAST
    ]


def _with_precision(choices: Sequence[Choice], wanted: float) -> Choice:
    """The choice with the most recall that reaches this precision, else the most precise one."""
    enough = [one for one in choices if one.precision >= wanted]
    return max(enough, key=lambda one: one.recall) if enough else max(choices, key=lambda one: one.precision)


def _log(config: ReaderConfig, source: Tracked, folder: Path, chosen: Choice, minutes: float) -> None:
    """What the training run says of rows and settings, with the reader's figures, its part of the card, the model."""
    run, new = source.run, mlflow.active_run()
    assert new
    with tempfile.TemporaryDirectory() as temporary:
        for path in ("tables", "optimize"):
            kept = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path, dst_path=temporary)
            mlflow.log_artifacts(kept, path)
    mlflow.set_tags({**kept_tags(run), "kind": "reader", "read_for": run.info.run_id})
    mlflow.log_params({**run.data.params, **{f"reader.{key}": value for key, value in flatten(config).items()}})
    mlflow.log_dict(run_files.read_config(run.info.run_id), run_files.CONFIG_FILE)
    mlflow.log_text(json.dumps(config.model_dump(mode="json"), indent=2), "reader.json")
    section = (
        f"## Reader\n\nPositions of the reports of `{config.data.validation}`: {chosen}, which was chosen on them."
    )
    mlflow.log_text(card_with(run, section, new.info.run_id), run_files.CARD_FILE)
    model = log_model(folder, source.settings)
    metrics = {f"reader/{name}": value for name, value in asdict(chosen).items()}
    mlflow.log_metrics({**metrics, "cost/minutes": minutes}, model_id=model.model_id)
    mlflow.log_metrics(
        {name: value for name, value in run.data.metrics.items() if name.startswith(("test/", "validation/"))}
    )
