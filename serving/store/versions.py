"""Versions of a registered model, with a local copy of each: a registry that is down does not stop a server."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.errors import StancewiseError
from serving.store.access import refused
from serving.store.folder import SETTINGS_FILE, check_files, find_model, read_settings

CACHE_VARIABLE = "STANCEWISE_CACHE"
_ALIASES = "aliases.json"
_FULL = 1 << 16  # bytes free on a disk that is full


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    number: str
    run_id: str | None

    @property
    def uri(self) -> str:
        """As MLflow names it."""
        return f"models:/{self.name}/{self.number}"


def is_registered(uri: str) -> bool:
    """Whether it is `models:/NAME@ALIAS` or `models:/NAME/VERSION`."""
    rest = uri.removeprefix("models:/")
    return rest != uri and ("@" in rest or rest.count("/") == 1)


def resolve(uri: str) -> Version:
    """The version behind `models:/NAME@ALIAS` or `models:/NAME/VERSION`; an alias is noted for `remembered`.

    Raises:
        StancewiseError: there is none, or the registry refuses this user.
        ConnectionError: the registry does not answer.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    name, alias, _ = split(uri)
    try:
        found = look_up(uri)
    except MlflowException as error:
        if refusal := refused(error):
            raise refusal from None
        cause = str(error).splitlines()[0]
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise StancewiseError(
                f"{uri}: not found in the registry {mlflow.get_tracking_uri()} ({cause}); "
                "set MLFLOW_TRACKING_URI to the store that holds it, or register a model first"
            ) from None
        raise ConnectionError(cause) from None
    except OSError as error:
        raise ConnectionError(str(error).splitlines()[0]) from None
    version = Version(name, str(found.version), found.run_id)
    if alias:
        _remember(uri, version)
    return version


def remembered(uri: str) -> Version | None:
    """The version that the alias pointed to when the registry was last asked, if its copy is here."""
    name, alias, number = split(uri)
    if not alias:
        version = Version(name, number, None)
    else:
        try:
            noted = json.loads((_folder(name) / _ALIASES).read_text(encoding="utf-8"))
            version = Version(**noted[alias])
        except (OSError, ValueError, KeyError, TypeError):
            return None
    return version if (_folder(name) / version.number / SETTINGS_FILE).is_file() else None


def fetch(version: Version) -> Path:
    """The version's model folder: the local copy if its digests hold, else fetched anew.

    Raises:
        StancewiseError: the copy is damaged and cannot be fetched, or there is no room for it.
    """
    folder = _folder(version.name) / version.number
    if (folder / SETTINGS_FILE).is_file():
        try:
            check_files(folder, read_settings(folder))
            return folder
        except StancewiseError as damage:
            try:
                return _fetch(version, folder)
            except StancewiseError as error:
                raise StancewiseError(f"{damage}; and that failed: {error}") from None
    return _fetch(version, folder)


def _fetch(version: Version, folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".partial-") as work:
            # Fetched into the cache's own file system, so that the rename below is one step.
            found = _download(version, Path(work))
            check_files(found, read_settings(found))
            if folder.exists():
                shutil.move(folder, Path(work) / "old")
            found.replace(folder)
    except OSError as error:
        raise StancewiseError(
            f"{version.uri}: cannot be kept in {folder.parent} ({error.strerror or error}); "
            f"make room, or set {CACHE_VARIABLE} to another folder"
        ) from None
    return folder


def _download(version: Version, work: Path) -> Path:
    try:
        return find_model(version.uri, work)
    except StancewiseError:
        if shutil.disk_usage(work).free < _FULL:  # MLflow swallows the cause
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise


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


def _folder(name: str) -> Path:
    """Where copies of a model's versions lie: two stores may both have a version 1 of one name."""
    import mlflow

    base = os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "stancewise"
    store = hashlib.sha256(mlflow.get_tracking_uri().encode()).hexdigest()[:12]
    return Path(base) / store / name


def _remember(uri: str, version: Version) -> None:
    """Note the alias; a cache that cannot be written is not a reason to stop."""
    name, alias, _ = split(uri)
    path = _folder(name) / _ALIASES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        noted = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if noted.get(alias) == asdict(version):
            return
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps({**noted, alias: asdict(version)}), encoding="utf-8")
        temporary.replace(path)
    except (OSError, ValueError):
        return
