"""What a model URI names in MLflow, and a folder on this machine that holds it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from serving.errors import StancewiseError
from serving.store.access import refused
from serving.store.cache import entry, has_copy, local_copy
from serving.store.folder import check_files, model_in, read_settings
from serving.tables import whole

_UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # how MLflow says that something is not there


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    run_id: str | None
    location: str  # where the store keeps its files

    @property
    def uri(self) -> str:
        """As MLflow names it."""
        return f"models:/{self.name}/{self.number}"


def find_model(uri: str | Path) -> Path:
    """The local folder with `stancewise.json` behind a folder or an MLflow URI; its files have the right digests.

    What the store keeps on this machine is used where it is, everything else is copied into the cache, once.

    Args:
        uri: a folder, `models:/NAME@ALIAS`, `models:/NAME/VERSION`, `models:/MODEL_ID` or `runs:/RUN_ID`.

    Raises:
        StancewiseError: there is no such folder, run, version or alias, it holds no stancewise model, its files are
            damaged, or the store does not answer.
    """
    text = str(uri)
    if ":/" not in text:
        return _checked(Path(text))
    try:
        location = _location(text)
    except ConnectionError as error:
        raise no_answer(text, error) from None
    here = _on_this_machine(location)
    return _checked(here) if here else local_copy(location, text)


def fetch(version: Version) -> Path:
    """The model folder of the version's copy in the cache, also where the store is on this machine.

    Raises:
        StancewiseError: the copy is missing or damaged and cannot be fetched, or there is no room for it.
    """
    return local_copy(version.location, version.uri)


def is_registered(uri: str) -> bool:
    """Whether it is `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""
    rest = uri.removeprefix("models:/")
    return rest != uri and ("@" in rest or rest.count("/") == 1)


def resolve(uri: str) -> Version:
    """The version behind `models:/NAME@ALIAS` or `models:/NAME/VERSION`; it is noted for `remembered`.

    Raises:
        StancewiseError: there is none, or the registry refuses this user.
        ConnectionError: the registry does not answer.
    """
    import mlflow

    name, _, _ = split(uri)
    with _asking(uri):
        found = look_up(uri)
        location = mlflow.MlflowClient().get_model_version_download_uri(name, str(found.version))
    version = Version(name, str(found.version), found.run_id, location)
    _remember(uri, version)
    return version


def remembered(uri: str) -> Version | None:
    """The version that the URI named when the registry was last asked, if its copy is here."""
    try:
        version = Version(**json.loads(_note(uri).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return version if has_copy(version.location) else None


def no_answer(uri: str, error: ConnectionError) -> StancewiseError:
    """What a user is told when the registry does not answer."""
    return StancewiseError(
        f"{uri}: the registry does not answer ({error}); start it, set MLFLOW_TRACKING_URI, or name a model folder"
    )


def look_up(uri: str) -> Any:
    """MLflow's entity behind `models:/NAME@ALIAS` or `models:/NAME/VERSION`; its own exceptions are let through."""
    import mlflow

    name, alias, number = split(uri)
    client = mlflow.MlflowClient()
    return client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, number)


def split(uri: str) -> tuple[str, str, str]:
    """Name, alias and number of a URI that `is_registered`; one of the last two is empty."""
    rest = uri.removeprefix("models:/")
    if "@" in rest:
        name, _, alias = rest.partition("@")
        return name, alias, ""
    name, _, number = rest.partition("/")
    return name, "", number


def _location(uri: str) -> str:
    """Where the store keeps the files of any model that it knows.

    Raises:
        StancewiseError: there is no such model, or the store refuses this user.
        ConnectionError: the store does not answer.
    """
    import mlflow

    if is_registered(uri):
        return resolve(uri).location
    with _asking(uri):
        if uri.startswith("models:/"):
            return str(mlflow.MlflowClient().get_logged_model(uri.removeprefix("models:/")).artifact_location)
        if uri.startswith("runs:/"):
            return _of_run(*uri.removeprefix("runs:/").partition("/")[::2])
    raise StancewiseError(
        f"{uri}: unknown kind of URI; give a model folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID"
    )


def _of_run(run_id: str, path: str) -> str:
    """Where a run's model lies: MLflow 3 keeps it beside the run, MLflow 2 kept it among the run's artifacts."""
    import mlflow

    client, name = mlflow.MlflowClient(), path or "model"
    run = client.get_run(run_id)
    models = client.search_logged_models(
        experiment_ids=[run.info.experiment_id], filter_string=f"source_run_id = '{run_id}' AND name = '{name}'"
    )
    return str(models[0].artifact_location) if models else f"{run.info.artifact_uri}/{name}"


def _on_this_machine(location: str) -> Path | None:
    """The folder, if the store keeps the files where this machine can read them."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if urlparse(location).scheme not in ("", "file"):
        return None
    folder = Path(local_file_uri_to_path(location))
    return folder if folder.is_dir() else None


def _checked(place: Path) -> Path:
    folder = model_in(place)
    check_files(folder, read_settings(folder))
    return folder


@contextmanager
def _asking(uri: str) -> Iterator[None]:
    """Turns what MLflow raises into what `resolve` says that it raises."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if refusal := refused(error):
            raise refusal from None
        cause = str(error).splitlines()[0]
        if error.error_code not in _UNKNOWN:
            raise ConnectionError(cause) from None
        raise StancewiseError(
            f"{uri}: not found in the tracking store {mlflow.get_tracking_uri()} ({cause}); "
            "set MLFLOW_TRACKING_URI to the store that holds it, or train a model first"
        ) from None
    except OSError as error:
        raise ConnectionError(str(error).splitlines()[0]) from None


def _note(uri: str) -> Path:
    return entry(uri).with_suffix(".json")


def _remember(uri: str, version: Version) -> None:
    """Note what the URI names; a cache that cannot be written is not a reason to stop."""
    path, text = _note(uri), json.dumps(asdict(version))
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            return
        with whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
