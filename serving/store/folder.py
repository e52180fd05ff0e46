"""The model folder: weights in safetensors, a tokenizer, and `stancewise.json` that says how to use them."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import StancewiseError, describe
from serving.inputs import Template
from serving.labels import Head
from serving.tables import whole

SETTINGS_FILE = "stancewise.json"
INT8_FOLDER = "int8"  # in the model folder: the same model for OpenVINO
_PLACES = (".", "artifacts/model")  # the folder itself, an MLflow model

Kind = TypeVar("Kind", bound=BaseModel)


class ModelSettings(BaseModel):
    """The content of `stancewise.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    kind: Literal["encoder", "tfidf"]
    heads: tuple[Head, ...] = Field(description="the heads the model was trained for")
    temperatures: dict[Head, Annotated[float, Field(gt=0)]] = Field(description="logits are divided by these")
    abstain_below: dict[Head, Annotated[float, Field(ge=0, le=1)]] = Field(description="least probability of a label")
    template: Template
    max_length: int = Field(gt=0, description="tokens the model reads")
    languages: tuple[str, ...] = Field(default=("en",), min_length=1, description="ISO 639 codes of those it reads")
    schemes: tuple[str, ...] = Field(default=(), description="annotation schemes it tells apart; the first is default")
    run_id: str | None = Field(default=None, description="the MLflow run that trained the model")
    files: dict[str, str] = Field(default={}, description="SHA-256 of every other file of the folder")


def write_settings(folder: Path, settings: ModelSettings) -> None:
    """Write `stancewise.json` into `folder`, with the digests of what lies there, whole or not at all."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SETTINGS_FILE)
    settings = settings.model_copy(update={"files": {str(p.relative_to(folder)): digest(p) for p in files}})
    with whole(folder / SETTINGS_FILE) as temporary:
        temporary.write_text(settings.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> ModelSettings:
    """Read `stancewise.json`.

    Raises:
        StancewiseError: the file is missing, is no JSON or has wrong fields.
    """
    try:
        return read_as(ModelSettings, folder / SETTINGS_FILE)
    except FileNotFoundError:
        raise StancewiseError(f"{folder}: no {SETTINGS_FILE}; this is not a stancewise model folder") from None


def read_as(kind: type[Kind], path: Path) -> Kind:
    """Read a JSON file of a model folder.

    Args:
        kind: what it holds.
        path: of the file.

    Raises:
        FileNotFoundError: there is none.
        StancewiseError: it is no JSON or has wrong fields.
    """
    try:
        return kind.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise StancewiseError(f"{path}:{error.lineno}: not JSON ({error.msg}); fetch the model again") from None
    except ValidationError as error:
        raise StancewiseError(
            f"{path}: {describe(error)}; the model may have been made by a newer version of stancewise"
        ) from None


def check_files(folder: Path, settings: ModelSettings) -> None:
    """Compare every file with the digest taken when the model was written.

    Raises:
        StancewiseError: a file is missing or is not what was written.
    """
    for name, expected in settings.files.items():
        path = folder / name
        if not path.is_file():
            raise StancewiseError(f"{path}: missing; fetch the model again")
        if (found := digest(path)) != expected:
            raise StancewiseError(f"{path}: damaged, its SHA-256 is {found}, not {expected}; fetch the model again")


def digest(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def model_in(folder: Path) -> Path:
    """Where `stancewise.json` lies: in the folder itself, or inside an MLflow model.

    Raises:
        StancewiseError: there is no such folder, or it holds no stancewise model.
    """
    if not folder.is_dir():
        raise StancewiseError(
            f"{folder}: no such folder; give a model folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID"
        )
    for place in _PLACES:
        if (folder / place / SETTINGS_FILE).is_file():
            return folder / place
    raise StancewiseError(f"{folder}: found, but without {SETTINGS_FILE}; this is not a stancewise model")
