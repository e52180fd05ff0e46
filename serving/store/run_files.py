"""What a finished MLflow run keeps: its config, its card, its predictions."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from serving.errors import StancewiseError
from serving.store.access import refused
from serving.store.versions import look_up

CONFIG_FILE = "config.json"
CARD_FILE = "model_card.md"
METRICS_TABLE = "metrics"  # every figure with its interval; among a run's metrics only macro-F1 has one
TRAIN_ROWS, VALIDATION_ROWS = "optimize/train.jsonl", "optimize/validation.jsonl"  # what `optimize` works with

Item = TypeVar("Item")


def evenly(rows: Sequence[Item], most: int) -> list[Item]:
    """At most so many rows, evenly spread from the first to the last: files are often sorted by story."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return [rows[place] for place in places]


def find_run(name: str) -> Run:
    """The run behind a run id, `runs:/RUN_ID`, `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    Raises:
        StancewiseError: there is none in the tracking store.
    """
    client = mlflow.MlflowClient()
    try:
        if name.startswith("models:/"):
            name = look_up(name).run_id
        return client.get_run(name.removeprefix("runs:/"))
    except MlflowException as error:
        store, cause = mlflow.get_tracking_uri(), str(error).splitlines()[0]
        raise refused(error) or StancewiseError(
            f"{name}: no such run in {store} ({cause}); give a run id, models:/NAME@ALIAS or models:/NAME/VERSION"
        ) from None


def read_config(run_id: str) -> dict[str, Any]:
    """The resolved config that a run was started with.

    Raises:
        StancewiseError: there is no such run, or it is not ours.
    """
    values: dict[str, Any] = json.loads(read_text(run_id, CONFIG_FILE))
    return values


def read_text(run_id: str, path: str) -> str:
    """A text file among the run's artifacts.

    Raises:
        StancewiseError: there is no such run, or it keeps no such file.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=folder)
            return Path(file).read_text(encoding="utf-8")
        except (MlflowException, OSError) as error:
            raise StancewiseError(
                f"run {run_id}: no {path} in {mlflow.get_tracking_uri()} ({str(error).splitlines()[0]}); "
                "see the run's id in the MLflow UI"
            ) from None


def log_tables(tables: dict[str, pd.DataFrame], run_id: str | None = None) -> None:
    """Log tables as MLflow tables (shown in the UI), under `tables/`, to the active run or the one named.

    A table that the run has already is replaced.
    """
    client = mlflow.MlflowClient()
    run_id = run_id or mlflow.active_run().info.run_id
    there = {file.path for file in client.list_artifacts(run_id, "tables")}
    for name, table in tables.items():
        path, shown = f"tables/{name}.json", table.astype(object).where(table.notna(), None)
        if path in there:  # log_table would append to it
            client.log_text(run_id, shown.to_json(orient="split", index=False, date_format="iso"), path)
        else:
            client.log_table(run_id, shown, path)


def read_predictions(run: Run, part: str) -> pd.DataFrame:
    """The table of a run's predictions on a part.

    Raises:
        StancewiseError: the run keeps none.
    """
    path = f"tables/{part}_predictions.json"
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path=path, dst_path=folder)
        except (MlflowException, OSError):
            raise StancewiseError(
                f"run {run.info.run_id} ({run.info.run_name}): no {path}; parts it was given: "
                f"{', '.join(measured_parts(run)) or 'none'}. Predictions are kept of test parts, and of "
                "validation where there is no test part"
            ) from None
        return pd.read_json(file, orient="split", dtype=False, convert_dates=False)


def measured_parts(run: Run) -> list[str]:
    """The parts a run was given beside its training rows."""
    parts = [key.removeprefix("data.").removesuffix(".sha256") for key in run.data.tags if key.startswith("data.")]
    return sorted(part for part in parts if part != "train")
