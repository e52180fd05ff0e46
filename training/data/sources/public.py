"""Public sets: from STANCE_BENCHMARKS, from the authors' own files, or from the Hugging Face Hub."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from serving.errors import StancewiseError
from training.config import DataSet
from training.data.corpus import Corpus, LabelledStatement, Provenance
from training.data.sources.lines import Record, json_lines, labelled

VARIABLE = "STANCE_BENCHMARKS"

Found = tuple[int, LabelledStatement]  # a row and its line


@dataclass(frozen=True)
class Piece:
    """One file of a part, or one split on the Hub."""

    key: str  # in the ids, and what tells it from other pieces
    file: str
    split: str
    config: str | None = None  # the Hub's name for a subset
    unique: bool = False  # a text and pair that come again are left out
    apart: str | None = None  # rows whose text stands in this file, if it lies beside, are left out and counted
    opened: Callable[[Iterator[Record]], Iterator[Record]] | None = None  # the rows that the authors' records hold
    settled: Callable[[list[Found]], list[Found]] | None = None  # what the part keeps of the rows, and adds to them
    converted: str | None = None  # its file in STANCE_BENCHMARKS, where the name is not the part's


Parts = dict[str, tuple[Piece, ...]]


class PublicSet(Protocol):
    """What the module of a set has."""

    PROVENANCE: Provenance
    FOLDER: str  # where the files stand in the authors' repository
    PARTS: Parts

    def records(self, path: Path) -> Iterator[Record]:
        """The rows of one of the authors' files."""
        ...

    def statement(self, record: Record, piece: Piece) -> LabelledStatement | None:
        """A row of the authors (file or Hub) as ours; None: it is not of this piece, or names nobody."""
        ...

    def benchmark(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """The fields of a STANCE_BENCHMARKS row that are not used as they stand; None: the row is left out."""
        ...


def read_public(wanted: DataSet, source: PublicSet) -> Corpus:
    """The labelled rows of one part.

    Raises:
        StancewiseError: a part that is not there, a file or row that cannot be read.
    """
    if wanted.path is None and wanted.hub is None:
        pieces = source.PARTS.get(wanted.part, ())
        path = benchmark_file(wanted, pieces)
        return _corpus(path, _settled(list(_benchmark_rows(path, source)), pieces), source)
    if wanted.part not in source.PARTS:
        parts = ", ".join(source.PARTS)
        raise StancewiseError(f"{wanted.source} has no part {wanted.part!r}; its parts: {parts}")
    pieces = source.PARTS[wanted.part]
    found = []
    shared = 0
    if wanted.path is not None:
        files = [_authors_file(wanted.path, piece, source, len(pieces)) for piece in pieces]
        path = files[0] if len(pieces) == 1 else wanted.path
        for piece, file in zip(pieces, files, strict=True):
            rows = list(_rows(source.records(file), piece, source))
            others = _texts_beside(file, piece, source)
            found += [(line, row) for line, row in rows if row.text not in others]
            shared += sum(row.text in others for _, row in rows)
    else:
        path = Path(f"{wanted.hub}/{wanted.part}")
        for piece in pieces:
            found += _rows(_hub_records(wanted, piece), piece, source)
    # Lines of several files would be read as lines of one.
    corpus = _corpus(path, _settled(found, pieces), source, with_lines=len(pieces) == 1)
    return replace(corpus, shared=shared)


def _settled(found: list[Found], pieces: tuple[Piece, ...]) -> list[Found]:
    for piece in pieces:
        found = piece.settled(found) if piece.settled else found
    return found


def _texts_beside(file: Path, piece: Piece, source: PublicSet) -> set[str]:
    """The texts of the part that this one shares none with."""
    other = file.with_name(piece.apart) if piece.apart else None
    return {row.text for _, row in _rows(source.records(other), piece, source)} if other and other.is_file() else set()


def _corpus(path: Path, found: list[Found], source: PublicSet, with_lines: bool = True) -> Corpus:
    labelled_rows = [(line, row) for line, row in found if row.stance or row.sentiment]
    if not labelled_rows:
        raise StancewiseError(f"{path}: no labelled rows in it; check path and part in the config")
    lines = [line for line, _ in labelled_rows] if with_lines else []
    return Corpus(path, [row for _, row in labelled_rows], lines, provenance=source.PROVENANCE)


def benchmark_file(wanted: DataSet, pieces: tuple[Piece, ...] = ()) -> Path:
    """The file of a part under STANCE_BENCHMARKS.

    Raises:
        StancewiseError: the variable is not set, or there is no such part.
    """
    root = os.environ.get(VARIABLE)
    if not root:
        fix = f"set {VARIABLE} to the folder of the benchmarks, or give the set's path or hub"
        raise StancewiseError(f"{wanted.source}: {VARIABLE} is not set; {fix}")
    name = next((piece.converted for piece in pieces if piece.converted), wanted.part)
    path = Path(root) / wanted.source / f"{name}.jsonl"
    if not path.is_file():
        parts = ", ".join(sorted(file.stem for file in path.parent.glob("*.jsonl")))
        known = f"its parts: {parts}" if parts else f"set {VARIABLE} to the folder that holds {wanted.source}/"
        raise StancewiseError(f"{path}: no such file; {known}")
    return path


def _benchmark_rows(path: Path, source: PublicSet) -> Iterator[Found]:
    for record in json_lines(path):
        own = source.benchmark(dict(record.values))
        if own is not None:
            known = {name: value for name, value in record.values.items() if name in LabelledStatement.model_fields}
            yield record.line, labelled(record, {**known, "group": None, **own})


def _authors_file(path: Path, piece: Piece, source: PublicSet, pieces: int) -> Path:
    if path.is_file() and pieces == 1:
        return path
    for folder in (path / source.FOLDER, path):
        if (folder / piece.file).is_file():
            return folder / piece.file
    url = source.PROVENANCE.url
    fix = f"give the folder that holds {piece.file}, or a clone of {url}"
    raise StancewiseError(f"{path}: no such file, or no {piece.file} in it; {fix}")


def _rows(records: Iterator[Record], piece: Piece, source: PublicSet) -> Iterator[Found]:
    seen = set()
    for record in piece.opened(records) if piece.opened else records:
        row = source.statement(record, piece)
        if row is None:
            continue
        pair = (row.text, frozenset((row.speaker, row.target)))
        if piece.unique and pair in seen:
            continue
        seen.add(pair)
        yield record.line, row


def _hub_records(wanted: DataSet, piece: Piece) -> Iterator[Record]:
    import datasets

    try:
        rows = datasets.load_dataset(str(wanted.hub), piece.config, revision=wanted.revision, split=piece.split)
        for number, values in enumerate(rows):
            yield Record(f"{wanted.hub} ({piece.split})", number + 1, number, values)
    except Exception as error:  # whatever the file systems and parsers below raise
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        fix = "check hub, revision and the connection, or download the authors' files and give their path"
        raise StancewiseError(f"{wanted.hub}: {piece.split} cannot be loaded ({cause}); {fix}") from None
