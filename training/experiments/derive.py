"""A new version made of a tracked model, as int8 and a reader are: what all such versions take from it."""

from dataclasses import dataclass
from pathlib import Path

from mlflow.entities import Run

from serving.errors import StancewiseError
from serving.store import run_files
from serving.store.folder import ModelSettings, read_settings
from serving.store.names import alias_name
from serving.store.package import register
from serving.store.versions import find_model, is_registered, split

CHAMPION = "champion"
COPIED = ("template", "dataset_digest")  # tags of the training run, beside the digests of its data


@dataclass(frozen=True)
class Tracked:
    """A tracked encoder."""

    folder: Path
    settings: ModelSettings
    run: Run  # that trained it
    name: str | None  # in the registry


def tracked_encoder(uri: str, alias: str | None, refusal: str, option: str = "--output-alias") -> Tracked:
    """The encoder that a version is to be made of.

    Args:
        uri: `models:/NAME@ALIAS`, `models:/NAME/VERSION` or `runs:/RUN_ID`; what is made of a run's is not registered.
        alias: for the new version.
        refusal: what a model of another kind is told, such as "has nothing to quantise".
        option: the command's name for the alias.

    Raises:
        StancewiseError: the URI names no tracked encoder, or the alias cannot be given.
    """
    name = split(uri)[0] if is_registered(uri) else None
    if alias == CHAMPION:
        raise StancewiseError(f"{option} {alias}: python -m training promote decides that; use another alias")
    if alias:
        try:
            alias_name(alias)
        except ValueError as error:
            raise StancewiseError(f"{option} {alias}: {error}") from None
    if alias and not name:
        raise StancewiseError(f"{option} {alias}: {uri} names no registered model; give models:/NAME@ALIAS")
    if not uri.startswith(("models:/", "runs:/")):
        raise StancewiseError(f"{uri}: a tracked model is needed; give models:/NAME@ALIAS, or train a model first")
    folder = find_model(uri)
    settings = read_settings(folder)
    if settings.kind != "encoder":
        raise StancewiseError(f"{uri}: a {settings.kind} model {refusal}; name a fine-tuned encoder")
    return Tracked(folder, settings, run_files.find_run(settings.run_id or uri), name)


def kept_tags(run: Run) -> dict[str, str]:
    """What the tags of a training run say of its data.

    Not its fingerprint: `train --reuse` would take the new run for a finished training.
    """
    return {name: value for name, value in run.data.tags.items() if name in COPIED or name.startswith("data.")}


def card_with(run: Run, section: str, run_id: str) -> str:
    """The card of a training run with a section after its figures, for the run with this id."""
    old = run.info.run_id
    card = run_files.read_text(old, run_files.CARD_FILE).replace(f"runs:/{old}", f"runs:/{run_id}")
    before, data, after = card.partition("\n## Data\n")
    return f"{before.rstrip()}\n\n{section}\n{data}{after}"


def register_made(run_id: str, name: str | None, alias: str | None) -> str:
    """Register what a run made, if it was made of a registered model; its URI."""
    if name is None:
        return f"runs:/{run_id}"
    made = register(run_id, name)
    if alias:
        register(run_id, name, alias)
    return made
