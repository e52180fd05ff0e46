"""How a model folder becomes an MLflow model, and a run's model a registered version."""

import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema
from mlflow.types.schema import AnyType, Object, Property

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.statement import QUESTION_COLUMNS
from serving.store.folder import INT8_FOLDER, ModelSettings
from serving.store.run_files import CARD_FILE, read_text

SERVING = Path(__file__).parents[1]
_DESCRIPTION = 5000  # characters of a description in MLflow's tables

NAME_DESCRIPTION = (
    "Labels statements by stance (support, neutrality, criticism) of a holder toward a target, and by sentiment "
    "(positive, neutral, negative) of the text toward it, with calibrated probabilities and abstention. Each version's "
    "description is its model card."
)

_ALWAYS = ("mlflow", "numpy", "pandas", "py3langid", "pydantic", "rjieba", "safetensors", "snowballstemmer")
# Exact versions of these go into the model's requirements; the rest follows from them.
REQUIREMENTS = {
    "encoder": (*_ALWAYS, "tokenizers", "torch", "transformers"),
    "tfidf": _ALWAYS,
}
INT8_REQUIREMENTS = ("openvino",)  # beside the others: the safetensors stay in the folder

EXAMPLE = pd.DataFrame(
    {
        "text": ["The mayor hailed the tram plan, which shopkeepers called a waste."] * 2,
        "speaker": ["The mayor", "shopkeepers"],
        "target": ["the tram plan", "the tram plan"],
    }
)


def signature() -> ModelSignature:
    """Columns in and out of the MLflow model."""
    # Of any type: pandas has floats where a column is empty, and MLflow would refuse these and categories, with the
    # texts in its message. The model checks what it gets.
    inputs = [ColSpec(AnyType(), name, required=name == "text") for name in QUESTION_COLUMNS]
    outputs = []
    for head, labels in HEADS.items():
        probabilities = Object([Property(label, DataType.double) for label in labels])
        outputs.append(ColSpec(DataType.string, head, required=False))
        outputs.append(ColSpec(probabilities, f"{head}_probabilities", required=False))
    outputs.append(ColSpec(DataType.boolean, "abstained"))
    outputs.append(ColSpec(DataType.string, "language"))
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))


def log_model(folder: Path, settings: ModelSettings) -> Any:
    """Log the model folder as a LoggedModel made from code: no pickle, its own serving code beside it."""
    wanted = REQUIREMENTS[settings.kind] + (INT8_REQUIREMENTS if (folder / INT8_FOLDER).is_dir() else ())
    pinned = [f"{name}=={version(name).partition('+')[0]}" for name in wanted]
    previous = os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION")
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"  # the check at logging runs as strictly as a server
    try:
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(SERVING / "pyfunc.py"),
            artifacts={"model": str(folder)},
            code_paths=[str(SERVING)],
            signature=signature(),
            input_example=EXAMPLE,
            pip_requirements=pinned,
            model_config={"any_language": False},  # only a key that stands here can be given at load
            metadata={
                "kind": settings.kind,
                "heads": list(settings.heads),
                "template": settings.template,
                "languages": list(settings.languages),
            },
        )
    finally:
        if previous is None:
            del os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"]
        else:
            os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = previous


def register(run_id: str, name: str, alias: str | None = None, move_alias: bool = True) -> str:
    """Register the run's model (once) and set the alias; returns `models:/NAME@ALIAS` or `models:/NAME/VERSION`.

    With `move_alias=False` an alias that points somewhere already is left there.

    Raises:
        StancewiseError: the run has no model.
    """
    client = mlflow.MlflowClient()
    # Not by name: a quotation mark in it would end the filter's string.
    versions = [one for one in client.search_model_versions(f"run_id = '{run_id}'") if one.name == name]
    number = versions[0].version if versions else _new_version(run_id, name)
    if not versions:
        client.update_registered_model(name, NAME_DESCRIPTION)
        with suppress(StancewiseError):  # a run of an earlier stancewise has no card
            client.update_model_version(name, number, _shortened(read_text(run_id, CARD_FILE)))
    if alias is None:
        return f"models:/{name}/{number}"
    if move_alias or alias not in client.get_registered_model(name).aliases:
        client.set_registered_model_alias(name, alias, number)
    return f"models:/{name}@{alias}"


def _shortened(card: str) -> str:
    """The card within what a registry keeps as a description; the whole of it is among the run's artifacts."""
    if len(card) <= _DESCRIPTION:
        return card
    end = f"\n\n(the rest: `{CARD_FILE}` of the run)\n"
    return card[: card.rindex("\n", 0, _DESCRIPTION - len(end))] + end


def _new_version(run_id: str, name: str) -> str:
    models = mlflow.search_logged_models(
        experiment_ids=[mlflow.get_run(run_id).info.experiment_id],
        filter_string=f"source_run_id = '{run_id}'",
        output_format="list",
    )
    if not models:
        raise StancewiseError(f"run {run_id}: it has no model to register; did it finish?")
    return str(mlflow.register_model(models[0].model_uri, name).version)
