"""The `serve` command; its options are the fields of `ServerSettings`."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from serving.server.settings import ServerSettings

KeyFileOption = Annotated[
    Path | None,
    typer.Option(help="A file with the key that clients must send (or set STANCEWISE_API_KEY).", show_default=False),
]


def serve(api_key_file: KeyFileOption = None, **given: Any) -> None:
    """Serve a model over HTTP: a page for articles, /v1, MLflow's /invocations, text-embeddings-inference's /predict.

    When the alias moves, the new version is loaded beside the old one and takes over without a failed request.

    Examples:

        python -m serving serve --model models:/stance@champion
        curl http://127.0.0.1:8000/v1/predict -d '{"text": "Oslo hailed the accord.", "target": "the accord"}'
        STANCEWISE_API_KEY=secret python -m serving serve --model models:/stance@champion --host 0.0.0.0 --workers 4
    """
    from serving.server import process

    process.serve(ServerSettings(**given), api_key_file)


def _option(name: str, field: FieldInfo) -> inspect.Parameter:
    """A command-line option with the field's type, default, bounds and description."""
    bounds = {key: value for one in field.metadata for key, value in _bound(one).items()}
    option = typer.Option(help=field.description, **bounds)
    default = inspect.Parameter.empty if field.is_required() else field.default
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=default, annotation=Annotated[field.annotation, option])


def _bound(constraint: Any) -> dict[str, Any]:
    named = {"ge": "min", "le": "max"}
    return {named[key]: value for key in named if (value := getattr(constraint, key, None)) is not None}


# Typer reads a command's options from its signature.
_key_file = inspect.Parameter("api_key_file", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=KeyFileOption)
serve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*(_option(name, field) for name, field in ServerSettings.model_fields.items()), _key_file]
)
