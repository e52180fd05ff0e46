"""Local copies of models that a store keeps elsewhere: fetched once, checked by digest, the least used removed.

A copy has a folder of its own: `model` is the copy, `partial` what is being fetched, `used` is locked by the process
that asked for the copy last (and tells by its time when that was), `fetching` by the one that fetches.
"""

import errno
import fcntl
import hashlib
import math
import os
import shutil
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import IO

from serving.errors import StancewiseError
from serving.store.folder import check_files, model_in, read_settings

CACHE_VARIABLE = "STANCEWISE_CACHE"
BOUND_VARIABLE = "STANCEWISE_CACHE_GB"
BOUND = 5.0  # GB of copies
_COPY, _PARTIAL, _USED, _FETCHING = "model", "partial", "used", "fetching"
_FULL = 1 << 16  # bytes free on a disk that is full

_changing = Lock()
_held: IO[bytes] | None = None  # the lock on the copy that this process asked for last


def cache_folder() -> Path:
    """Where copies of models and of encoders are kept."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "stancewise")


def entry(name: str) -> Path:
    """A path in the cache that belongs to a name in the current tracking store: two stores may use the same name."""
    import mlflow

    return cache_folder() / hashlib.sha256(f"{mlflow.get_tracking_uri()}\n{name}".encode()).hexdigest()


def has_copy(location: str) -> bool:
    """Whether there is a copy of what the store keeps at this place."""
    return (entry(location) / _COPY).is_dir()


def local_copy(location: str, uri: str) -> Path:
    """The model folder of a copy, fetched if it is missing or damaged; the oldest copies make room for a new one.

    Nobody removes it before this process asks for another copy, or ends.

    Args:
        location: where the store keeps the files; they never change.
        uri: what the user called it.

    Raises:
        StancewiseError: the model cannot be fetched, its files are damaged, or there is no room for it.
    """
    bound = _bound()
    home = entry(location)
    copy = home / _COPY
    try:
        home.mkdir(parents=True, exist_ok=True)
        _hold(home)
        if _problem(copy):
            with _open(home / _FETCHING) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                problem = _problem(copy)  # unless another process has fetched it meanwhile
                if problem:
                    _replace(copy, location, uri, problem)
            _make_room(home, bound)
    except OSError as error:
        raise StancewiseError(
            f"{uri}: cannot be kept in {home.parent} ({error.strerror or error}); "
            f"make room, or set {CACHE_VARIABLE} to another folder"
        ) from None
    return model_in(copy)


def _bound() -> float:
    """Bytes that all copies together may take."""
    given = os.environ.get(BOUND_VARIABLE) or str(BOUND)
    try:
        bound = float(given)
    except ValueError:
        bound = math.nan
    if not bound >= 0:
        raise StancewiseError(
            f"{BOUND_VARIABLE}: {given!r} is not a size; give the number of GB that copies of models may take"
        )
    return bound * 1e9


def _open(path: Path) -> IO[bytes]:
    """A file to lock."""
    try:
        return path.open("ab")
    except OSError:
        return path.open("rb")  # a cache that this user may only read


def _hold(home: Path) -> None:
    """Note the time, and keep the copy from being removed instead of the one that was held before."""
    global _held
    lock = _open(home / _USED)
    fcntl.flock(lock, fcntl.LOCK_SH)
    with suppress(OSError):
        os.utime(lock.fileno())
    with _changing:
        before, _held = _held, lock
    if before:
        before.close()


def _problem(copy: Path) -> str | None:
    """What is wrong with a copy."""
    try:
        folder = model_in(copy)
        check_files(folder, read_settings(folder))
    except StancewiseError as error:
        return str(error)
    return None


def _replace(copy: Path, location: str, uri: str, problem: str) -> None:
    """Fetch the model beside the copy, check it, and put it in the copy's place."""
    partial = copy.with_name(_PARTIAL)
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was ended
    try:
        found = _download(location, uri, partial)
        if fault := _problem(found):
            raise StancewiseError(f"{uri}: {fault}")
        shutil.rmtree(copy, ignore_errors=True)
        found.replace(copy)
    except StancewiseError as error:
        raise StancewiseError(
            f"{problem}; fetching it again failed: {error}" if copy.is_dir() else str(error)
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _download(location: str, uri: str, into: Path) -> Path:
    import mlflow
    from mlflow.exceptions import MlflowException

    from serving.store.access import refused

    into.mkdir()
    try:
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=location, dst_path=str(into)))
    except (MlflowException, OSError, ValueError) as error:
        if shutil.disk_usage(into).free < _FULL:  # MLflow swallows the cause
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from None
        raise refused(error) or StancewiseError(
            f"{uri}: its files cannot be fetched from {location} in the tracking store {mlflow.get_tracking_uri()} "
            f"({str(error).splitlines()[0]}); check that the store is running and still has the model's artifacts"
        ) from None


def _make_room(kept: Path, bound: float) -> None:
    """Remove copies, those first that were used longest ago, until the rest fits; what is in use stays."""
    used = {}
    for lock in kept.parent.glob(f"*/{_USED}"):
        used[lock.parent] = lock.stat().st_mtime
    sizes = {home: _bytes(home) for home in used}
    total = sum(sizes.values())
    for home in sorted(used, key=used.__getitem__):
        if total <= bound:
            return
        if home != kept and sizes[home] and _remove(home):
            total -= sizes[home]


def _bytes(home: Path) -> int:
    try:
        return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())
    except FileNotFoundError:
        return 0  # being removed by another process


def _remove(home: Path) -> bool:
    """Remove a copy and what was left of fetching it, unless a process is at it; the files to lock stay."""
    with _open(home / _USED) as used, _open(home / _FETCHING) as fetching:
        try:
            for lock in (used, fetching):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(home / _COPY, ignore_errors=True)
        shutil.rmtree(home / _PARTIAL, ignore_errors=True)
    return True
