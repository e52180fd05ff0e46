"""Files of installed packages that hold encoders: nothing of a package is run, and its files are checked by digest."""

import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

from serving.errors import StancewiseError
from serving.store.cache import cache_folder
from serving.store.folder import digest


def file_of(package: str, name: str) -> Path | None:
    """A file of an installed package, which is found and not imported; None: it is not there."""
    spec = importlib.util.find_spec(package)  # of a package of its own, so that nothing of it runs
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / name
    return path if path.is_file() else None


def check_digest(path: Path, expected: str) -> None:
    """Raise StancewiseError unless the file's SHA-256 is `expected`."""
    found = digest(path)
    if found != expected:
        raise StancewiseError(
            f"{path}: SHA-256 is {found}, not {expected}; the file is damaged or another model: reinstall the package"
        )


def made_once(name: str, write: Callable[[Path], None]) -> Path:
    """The folder of an encoder in the cache, whole or not at all.

    Args:
        name: of the folder.
        write: puts the encoder into an empty folder, where it is not in the cache yet.

    Raises:
        StancewiseError: there is no room for it.
    """
    home = cache_folder() / "encoders" / name
    if home.is_dir():
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix="partial-") as partial:
            made = Path(partial) / "model"
            made.mkdir()
            write(made)
            if not home.is_dir():  # unless another process was faster
                made.replace(home)
    except OSError as error:
        raise StancewiseError(f"encoder: {home} cannot be written ({error.strerror or error}); make room") from None
    return home
