"""Parquet files that are kept in the project, each with its SHA-256 in `SHA256SUMS` beside it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from serving.errors import StancewiseError
from serving.store.folder import digest
from serving.tables import whole

SUMS = "SHA256SUMS"  # lines of "digest  name", as `sha256sum --check SHA256SUMS` reads them


def read_parquet(path: Path) -> Any:
    """A file as a `pyarrow.Table`.

    Raises:
        StancewiseError: the file is not the one that SHA256SUMS lists, or it is not a Parquet file.
    """
    check(path)
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise StancewiseError(f"{path}: not a Parquet file ({error}); take it from version control again") from None


def check(path: Path) -> None:
    """Compare a file with the digest in SHA256SUMS beside it; a file that is not listed there passes.

    Raises:
        StancewiseError: the digest is another one.
    """
    wanted = _listed(path.parent).get(path.name)
    if wanted and path.is_file() and digest(path) not in wanted:
        fix = "take both from version control again; or delete it, if it can be made again"
        raise StancewiseError(f"{path}: its SHA-256 is not the one in {path.parent / SUMS}: one of them changed; {fix}")


def update_parquet(path: Path, change: Callable[[Any], Any], numbers: tuple[str, ...]) -> None:
    """Replace a file and its line in SHA256SUMS; processes that do so at once wait for each other.

    Args:
        path: the file; its folder is made.
        change: the new `pyarrow.Table`, given the present one (None where there is no file yet).
        numbers: the paths of its columns of numbers, whose bytes are sorted by place before they are compressed.

    Raises:
        StancewiseError: the present file is damaged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / ".lock"):
        table = change(read_parquet(path) if path.is_file() else None)
        sums = _listed(path.parent)
        with whole(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="zstd",
                compression_level=19,
                use_dictionary=False,
                column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
                store_decimal_as_integer=True,
            )
            new = digest(temporary)
            # The old digest stays listed until the file is replaced: a kill in between leaves no file that is refused.
            _list(path.parent, {**sums, path.name: [*sums.get(path.name, []), new]})
        _list(path.parent, {**sums, path.name: [new]})


def _listed(folder: Path) -> dict[str, list[str]]:
    """File name -> its digests."""
    path = folder / SUMS
    listed: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        one, _, name = line.partition("  ")
        listed.setdefault(name, []).append(one)
    return listed


def _list(folder: Path, sums: dict[str, list[str]]) -> None:
    lines = [f"{one}  {name}\n" for name, digests in sorted(sums.items()) for one in digests]
    with whole(folder / SUMS) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
