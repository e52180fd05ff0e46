"""`python -m serving optimize`: the int8 version of a tracked model, measured beside it, logged, registered."""

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run
from rich.console import Console
from rich.table import Table

from serving.errors import StancewiseError
from serving.runtime.int8 import OpenVinoRuntime
from serving.runtime.pytorch import TorchRuntime
from serving.statement import Statement
from serving.store import run_files
from serving.store.folder import INT8_FOLDER, write_settings
from serving.store.package import log_model
from training.evaluation.metrics import figures_table
from training.experiments import track
from training.experiments.derive import Tracked, card_with, kept_tags, register_made, tracked_encoder
from training.int8.measure import Report, costs, labelled_rows, machine, measure
from training.int8.quantise import Rows, quantise


@dataclass(frozen=True)
class Source(Tracked):
    """The model that is optimised, and the rows its training run keeps for that."""

    calibration: list[Statement]
    validation: Rows


def optimize(uri: str, alias: str | None, console: Console) -> None:
    """Make the int8 version of a tracked model, log it as a run of its own, register it; prints figures and URI.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID`; a run's is not registered.
        alias: for the new version.
        console: where progress is shown.

    Raises:
        StancewiseError: the URI names no encoder in full precision, or its run lacks what is needed.
    """
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as work, console.status("fetching the model") as status:
        source = _read_source(uri, alias)
        folder = Path(work) / "model"
        shutil.copytree(source.folder, folder)
        torch = TorchRuntime(folder, source.settings, "cpu")
        quantised = quantise(torch, source.settings, source.calibration, source.validation, folder, status.update)
        write_settings(folder, source.settings)
        int8 = OpenVinoRuntime(folder, source.settings)
        status.update("measuring both on the same rows")
        tables = {part: run_files.read_predictions(source.run, part) for part in _parts(source.run)}
        parts = [measure(part, table, source.settings, torch, int8) for part, table in tables.items()]
        status.update("timing both")
        both = costs(folder, torch, int8, parts[0].statements)
        report = Report(quantised, parts, *both, (time.perf_counter() - start) / 60)
        status.update("logging the model and its figures to MLflow")
        run_id = _log(source, report, folder)
    _show(source, report)
    made = register_made(run_id, source.name, alias)
    if source.name:
        mlflow.MlflowClient().set_model_version_tag(source.name, made.rpartition("/")[2], "runtime", "openvino")
    print(f"made {made}; to propose it as champion: python -m training promote {made}")


def _read_source(uri: str, alias: str | None) -> Source:
    tracked = tracked_encoder(uri, alias, "has nothing to quantise")
    if (tracked.folder / INT8_FOLDER).is_dir():
        raise StancewiseError(f"{uri}: holds an int8 model already; name the version that it was made from")
    run = tracked.run
    track.refuse_deleted(run, "or train again")  # the new run stands beside it
    calibration = [Statement.model_validate(row) for row in _read_rows(run, run_files.TRAIN_ROWS)]
    validation = labelled_rows(pd.DataFrame(_read_rows(run, run_files.VALIDATION_ROWS)), tracked.settings.heads, "{}")
    return Source(tracked.folder, tracked.settings, run, tracked.name, calibration, validation)


def _read_rows(run: Run, path: str) -> list[dict[str, Any]]:
    try:
        lines = run_files.read_text(run.info.run_id, path).split("\n")
    except StancewiseError:
        raise StancewiseError(
            f"run {run.info.run_id} ({run.info.run_name}) keeps no {path}: rows that int8 is fitted to and checked on; "
            "train again with this version"
        ) from None
    return [json.loads(line) for line in lines if line]


def _parts(run: Run) -> list[str]:
    """The parts whose predictions the training run keeps, test parts first."""
    end = "_predictions.json"
    paths = [file.path for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, "tables")]
    parts = [Path(path).name.removesuffix(end) for path in paths if path.endswith(end)]
    if not parts:
        raise StancewiseError(f"run {run.info.run_id} ({run.info.run_name}) keeps no predictions; train again")
    return sorted(parts, key=lambda part: (not part.startswith("test"), part))


def _log(source: Source, report: Report, folder: Path) -> str:
    """The new run: what the training run says of rows and settings, with int8's figures, answers, card and model."""
    run, client = source.run, mlflow.MlflowClient()
    tags = {**kept_tags(run), "kind": "optimize", "optimized_from": run.info.run_id}
    name = f"{run.info.run_name}-int8"
    with mlflow.start_run(experiment_id=run.info.experiment_id, run_name=name, tags=tags) as new:
        client.log_inputs(new.info.run_id, datasets=run.inputs.dataset_inputs)
        mlflow.log_params({**run.data.params, "runtime": "openvino int8"})
        mlflow.log_dict(run_files.read_config(run.info.run_id), run_files.CONFIG_FILE)
        mlflow.log_text(_card(source, report, new.info.run_id), run_files.CARD_FILE)
        predictions = {f"{part.name}_predictions": part.table for part in report.parts}
        run_files.log_tables({**predictions, run_files.METRICS_TABLE: figures_table(report.figures())})
        model = log_model(folder, source.settings)
        size = {name: run.data.metrics[name] for name in ("cost/parameters",) if name in run.data.metrics}
        mlflow.log_metrics({**report.metrics(), **size}, model_id=model.model_id)
    return str(new.info.run_id)


def _card(source: Source, report: Report, run_id: str) -> str:
    """The training run's card with a section on int8 after its figures."""
    old = source.run.info.run_id
    lines = ["| | PyTorch | int8 | |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in report.rows())]
    section = "\n\n".join(
        [
            "## Int8",
            f"Made from run `{old}`, whose figures stand above, by quantisation after training, fitted to "
            f"{len(source.calibration)} training rows. The last column is int8 against PyTorch: macro-F1 in points "
            f"with the paired 95 % interval, size, speed. Timed on {machine()}.",
            "\n".join(lines),
            str(report.quantised),
        ]
    )
    return card_with(source.run, section, run_id)


def _show(source: Source, report: Report) -> None:
    table = Table(title=f"{source.run.info.run_name} on {machine()}", title_justify="left")
    for title in ("", "PyTorch", "int8", "int8 against PyTorch"):
        table.add_column(title, justify="right" if title else "left")
    for row in report.rows():
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(str(report.quantised), soft_wrap=True, highlight=False)
