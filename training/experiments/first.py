"""What a tracked model learned from first, and what it was measured on: read again from its run."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import Run
from pydantic import ValidationError
from rich.console import Console

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.read import read_json_lines
from serving.store import run_files
from training.config import AdaptConfig, TrainConfig
from training.data.corpus import Corpus, LabelledStatement, join
from training.data.parts import read_data
from training.experiments.run import CALIBRATION_ROWS

ADAPTED_ROWS = "adapt/rows.jsonl"  # of a run that went on from another one: what it learned from, labels included
_NOTHING = Corpus(Path("nothing"), [])


@dataclass(frozen=True)
class First:
    """A model's first training."""

    recipe: TrainConfig
    rows: Corpus  # that it learned from, as far as they can be read; labels where it had them
    later: Corpus  # that it learned from when it was adapted before; may be none
    tests: dict[str, Corpus]  # the parts whose predictions its run keeps: its test parts, else validation
    validation: Corpus  # rows that its run keeps; may be none


def read_first(run: Run, config: AdaptConfig) -> First:
    """Read recipe, training rows and measured rows of a run.

    Raises:
        StancewiseError: the run is of another kind; its files are gone or have changed, with what can be done.
    """
    values = run_files.read_config(run.info.run_id)
    kind = values.pop("kind")
    try:
        if kind != TrainConfig.__name__:
            raise StancewiseError(f"run {run.info.run_id} is no fine-tuning; name a fine-tuned model")
        recipe = TrainConfig.model_validate(values)
    except ValidationError:
        raise StancewiseError(
            f"run {run.info.run_id}: its config is of another version of stancewise; train again with this one"
        ) from None
    rows = _kept(run, run_files.TRAIN_ROWS) if config.replay_from == "run" or not config.replay else _again(run, recipe)
    return First(recipe, rows, _later(run), _tests(run), _kept(run, run_files.VALIDATION_ROWS))


def _again(run: Run, recipe: TrainConfig) -> Corpus:
    """The rows of data.train, the very ones that the run had."""
    choice = (
        "put the files back as they were, or replay the statements that the run keeps with --replay-from run "
        f"(at most {CALIBRATION_ROWS}, so more is forgotten), or replay nothing with --replay 0"
    )
    try:
        train = read_data(recipe.data, Console(quiet=True))["train"]
    except StancewiseError as error:
        cause = str(error).splitlines()[0]
        raise StancewiseError(f"the rows of the first training cannot be read again: {cause}; {choice}") from None
    if run.data.tags.get("data.train.sha256") != train.digest:
        raise StancewiseError(f"{train.path}: the rows have changed since the first training; {choice}")
    return train


def _kept(run: Run, path: str) -> Corpus:
    """Statements that the run keeps for int8, those of validation with labels; nothing where it is too old for them."""
    try:
        return _corpus(run, path)
    except StancewiseError:
        return _NOTHING


def _later(run: Run) -> Corpus:
    return _corpus(run, ADAPTED_ROWS) if run.data.tags.get("kind") == "adapt" else _NOTHING


def _corpus(run: Run, path: str) -> Corpus:
    lines = run_files.read_text(run.info.run_id, path).split("\n")
    rows = [
        LabelledStatement.model_validate({"id": f"{path}:{one.line}", **one.values}) for one in read_json_lines(lines)
    ]
    return Corpus(Path(path), rows)


def log_rows(first: First, rows: Corpus) -> None:
    """Keep with the active run what a later adaptation will find as `later`."""
    every = [*first.later.rows, *rows.rows]
    lines = [json.dumps(row.model_dump(mode="json", exclude_none=True), ensure_ascii=False) for row in every]
    mlflow.log_text("".join(f"{line}\n" for line in lines), ADAPTED_ROWS)


def _tests(run: Run) -> dict[str, Corpus]:
    end = "_predictions.json"
    files = [Path(file.path).name for file in mlflow.MlflowClient().list_artifacts(run.info.run_id, "tables")]
    parts = sorted(name.removesuffix(end) for name in files if name.endswith(end))
    chosen = [part for part in parts if part.startswith("test")] or [part for part in parts if part == "validation"]
    return {part: _labelled(part, run_files.read_predictions(run, part)) for part in chosen}


def _labelled(part: str, table: pd.DataFrame) -> Corpus:
    """The rows of a table of predictions, with their labels."""
    fields = [name for name in LabelledStatement.model_fields if name in table]
    values = table[fields].astype(object).where(table[fields].notna(), None)
    for head in HEADS:
        if f"{head}_true" in table:
            labels = table[f"{head}_true"].astype(object)
            values[head] = labels.where(labels.notna(), None)
    rows = [LabelledStatement.model_validate(row) for row in values.to_dict("records")]
    return Corpus(Path(part), rows)


def without_groups(corpora: Iterable[Corpus]) -> Corpus:
    """Several sets as one whose texts alone are compared: another set's group may have the same name by chance."""
    joined = join(list(corpora))
    return replace(joined, rows=[row.model_copy(update={"group": None}) for row in joined.rows], members=())
