"""What an output folder says of itself: which input, which model, how far."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.errors import StancewiseError
from serving.store.folder import SETTINGS_FILE, digest
from serving.store.versions import find_model, is_registered, no_answer, resolve
from serving.tables import whole

# Names that begin with an underscore are passed over by Spark, pandas and Arrow when they read the folder.
MANIFEST_FILE = "_manifest.json"
BAD_ROWS = "_bad_rows"  # a file with a suffix, or Spark's folder


class Labeller(BaseModel):
    """The model that labels, and what it was told."""

    model_config = ConfigDict(frozen=True)

    model: str
    digest: str
    any_language: bool = False

    def refuse_other_labeller(self, found: "Labeller", place: str, remedy: str) -> None:
        """Compare with what a folder says it was labelled by.

        Args:
            found: that labeller.
            place: the folder.
            remedy: what the user can do.

        Raises:
            StancewiseError: it is another model, or one that was to answer to other languages.
        """
        if found.digest != self.digest:
            raise StancewiseError(f"{place}: holds answers of {found.model}, not of {self.model}; {remedy}")
        if found.any_language != self.any_language:
            with_it = "with" if found.any_language else "without"
            raise StancewiseError(f"{place}: holds answers {with_it} --any-language; {remedy}")


class Work(Labeller):
    """What is scored with what; two runs of the same work have the same output."""

    input: str
    fingerprint: str

    def refuse_other(self, found: "Work", place: str, remedy: str) -> None:
        """Compare with the work that a folder says it holds; the rest as for `refuse_other_labeller`.

        Raises:
            StancewiseError: it is another input, or another labeller.
        """
        if found.fingerprint != self.fingerprint:
            whose = f"another input ({found.input})" if found.input != self.input else f"{self.input} as it was before"
            raise StancewiseError(f"{place}: holds answers for {whose}; {remedy}")
        self.refuse_other_labeller(found, place, remedy)


class Shard(BaseModel):
    """A finished shard: rows labelled, rows that could not be."""

    model_config = ConfigDict(frozen=True)

    rows: int
    bad: int
    foreign: dict[str, int] = {}  # of the rows labelled, those that the model does not read, by language


class Manifest(BaseModel):
    """The content of `_manifest.json`; Spark's output is one shard."""

    work: Work
    runtime: str
    shard_rows: int | None
    total: int
    shards: list[Shard] = []
    distinct: int = 0  # statements scored; known at the end
    bad_bytes: int = 0  # of the list of bad rows, as long as it was after the last finished shard

    @property
    def rows(self) -> int:
        """Rows labelled."""
        return sum(shard.rows for shard in self.shards)

    @property
    def bad(self) -> int:
        """Rows that could not be labelled."""
        return sum(shard.bad for shard in self.shards)

    @property
    def foreign(self) -> dict[str, int]:
        """Rows in languages that the model does not read, by language."""
        return dict(sum((Counter(shard.foreign) for shard in self.shards), Counter()))

    @property
    def finished(self) -> str:
        """What is said instead of doing the work again."""
        return f"finished already with this input and {self.work.model}, {self.rows:,} rows; nothing to do"


def parse_manifest(text: str, place: str) -> Manifest:
    """Read the text of a manifest.

    Raises:
        StancewiseError: it is none.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError:
        raise StancewiseError(f"{place}: its {MANIFEST_FILE} cannot be read; remove the folder") from None


def write_manifest(folder: Path, manifest: BaseModel) -> None:
    """Write a folder's manifest, whole or not at all."""
    with whole(folder / MANIFEST_FILE) as temporary:
        temporary.write_text(manifest.model_dump_json() + "\n", encoding="utf-8")


def fingerprint(files: Iterable[tuple[str, int, int]]) -> str:
    """What tells one input from another: SHA-256 of names, sizes in bytes and times of change."""
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()


def with_version(uri: str) -> str:
    """The URI with an alias replaced by the version it points to now.

    Raises:
        StancewiseError: there is none, or the registry does not answer.
    """
    if not is_registered(uri):
        return uri
    try:
        return resolve(uri).uri
    except ConnectionError as error:
        raise no_answer(uri, error) from None


def model_digest(uri: str) -> tuple[Path, str]:
    """The local model folder behind a URI, and the digest that stands for every file in it.

    Raises:
        StancewiseError: there is no such model.
    """
    folder = find_model(uri)
    return folder, digest(folder / SETTINGS_FILE)
