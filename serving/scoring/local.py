"""Scoring on one machine, shard by shard: whatever ends the process, the next run goes on with the next shard."""

import fcntl
import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.labels import Logits
from serving.language.detect import foreign_note
from serving.rows.check import statement_of
from serving.rows.read import Row
from serving.runtime.base import BATCH_TOKENS, CHUNK, Runtime, RuntimeName, token_batches
from serving.scoring.manifest import (
    BAD_ROWS,
    MANIFEST_FILE,
    Manifest,
    Shard,
    Work,
    model_digest,
    parse_manifest,
    write_manifest,
)
from serving.scoring.remembered import Remembered, key
from serving.scoring.source import all_rows, files_fingerprint, find_files, passed_on, survey, to_table
from serving.statement import Statement
from serving.tables import whole
from serving.terminal import say

BAD_ROWS_FILE = f"{BAD_ROWS}.jsonl"
_LOCK, _REMEMBERED = "_lock", "_remembered.sqlite"
_LEFTOVER = re.compile(r"\..*\.partial")  # of a file that was to appear whole


@dataclass(frozen=True)
class Piece:
    """A shard's rows, read and tokenised: each row with its statement's key or with what is wrong with it."""

    rows: list[tuple[str, Row]]
    keys: list[bytes | str]
    statements: dict[bytes, Statement]
    tokens: dict[bytes, Any]


def score(
    model: str,
    input: Path,
    output: Path,
    shard_rows: int,
    device: str,
    runtime: RuntimeName,
    errors: Console,
    any_language: bool = False,
) -> int:
    """Score every row of `input` into a folder of Parquet files; returns how many rows could not be.

    Args:
        model: a folder or an MLflow URI whose alias is resolved already.
        input: a table or a folder of tables.
        output: the folder to make; until it is whole, the work is in `OUTPUT.partial`, where a next run goes on.
        shard_rows: rows of the input in one shard; a run that is ended loses at most so much work.
        device: `auto`, `cpu` or a torch device.
        runtime: as for `StanceClassifier.load`.
        errors: for progress and the summary.
        any_language: as for `StanceClassifier.load`.

    Raises:
        StancewiseError: no such input or model, a folder of other work, another run at work on it, no room.
    """
    files = find_files(input)
    folder, digest = model_digest(model)
    fingerprint = files_fingerprint(files)
    work = Work(input=str(input), fingerprint=fingerprint, model=model, digest=digest, any_language=any_language)
    if output.exists():
        return _already(work, output, errors)
    if not output.absolute().parent.is_dir():
        raise StancewiseError(f"--output {output}: the folder {output.parent} does not exist")
    classifier = StanceClassifier.from_folder(folder, device, runtime, any_language=any_language)
    partial = output.with_name(f"{output.name}.partial")
    try:
        with claimed(partial, "name another --output"):
            columns, manifest = _begin(work, partial, files, shard_rows, classifier.runtime.name, errors)
            manifest = _score_shards(classifier, files, partial, columns, manifest, errors)
            if files_fingerprint(files) != work.fingerprint:
                raise StancewiseError(f"{input}: changed while it was read; remove {partial} and start again")
            partial.replace(output)
            (output / _LOCK).unlink()
    except (OSError, sqlite3.Error) as error:
        raise StancewiseError(
            f"{partial}: {error}; fix this and run the same command again: finished shards are kept"
        ) from None
    shards, scored = f"{len(manifest.shards):,} shards", f"{manifest.distinct:,} statements scored"
    _tell(f"{output}: {manifest.rows:,} rows labelled in {shards}, {scored}", manifest, output, errors)
    return manifest.bad


def _already(work: Work, output: Path, errors: Console) -> int:
    if not (output / MANIFEST_FILE).is_file():
        raise StancewiseError(f"--output {output}: exists and holds no {MANIFEST_FILE}; name a new folder")
    manifest = parse_manifest((output / MANIFEST_FILE).read_text(encoding="utf-8"), str(output))
    work.refuse_other(manifest.work, str(output), "name another --output, or remove it")
    _tell(f"{output}: {manifest.finished}", manifest, output, errors)
    return manifest.bad


def _tell(text: str, manifest: Manifest, output: Path, errors: Console) -> None:
    bad = f"; {manifest.bad:,} could not be: see {output / BAD_ROWS_FILE}" if manifest.bad else ""
    say(text + bad, errors)
    if note := foreign_note(manifest.foreign):
        say(f"rows {note}", errors)


@contextmanager
def claimed(partial: Path, remedy: str) -> Iterator[None]:
    """Hold the folder against a second run; the lock ends with the process, however it ends.

    A folder that has no manifest at the end is removed if it was made for this.

    Args:
        partial: the folder, which is made if there is none.
        remedy: what the user can do if it is somebody else's.

    Raises:
        StancewiseError: it holds something else, or another run is at work on it.
    """
    partial.mkdir(exist_ok=True)
    # A run that ended before its manifest leaves a lock, and what was to become the manifest.
    foreign = [path for path in partial.iterdir() if path.name != _LOCK and not _LEFTOVER.fullmatch(path.name)]
    if foreign and not (partial / MANIFEST_FILE).exists():
        raise StancewiseError(f"{partial}: exists and holds no {MANIFEST_FILE}; {remedy}")
    with (partial / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StancewiseError(f"{partial}: another run is writing to it; wait for it, or stop it") from None
        try:
            yield
        finally:
            if partial.exists() and not (partial / MANIFEST_FILE).exists():
                (partial / _LOCK).unlink()
                remove_leftovers(partial)
                with suppress(OSError):  # whatever else is in it is not ours
                    partial.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Remove what a run that was killed had not finished writing."""
    for leftover in folder.glob(".*.partial"):
        leftover.unlink()


def _begin(
    work: Work, partial: Path, files: Sequence[Path], shard_rows: int, runtime: str, errors: Console
) -> tuple[pa.Schema, Manifest]:
    """The columns that are passed on, and the manifest: of the work that was begun here, or a new one."""
    remove_leftovers(partial)
    if not (partial / MANIFEST_FILE).exists():
        found = survey(files)
        if found.lacking:
            say(f"--input: {found.lacking}", errors)
        manifest = Manifest(work=work, runtime=runtime, shard_rows=shard_rows, total=found.rows)
        write_manifest(partial, manifest)
        return found.columns, manifest
    manifest = parse_manifest((partial / MANIFEST_FILE).read_text(encoding="utf-8"), str(partial))
    remedy = f"remove {partial}, or name another --output"
    work.refuse_other(manifest.work, str(partial), remedy)
    for name, begun, now in (("runtime", manifest.runtime, runtime), ("shard-rows", manifest.shard_rows, shard_rows)):
        if begun != now:
            raise StancewiseError(
                f"{partial}: was started with --{name} {begun}, not {now}; use --{name} {begun}, or {remedy}"
            )
    _tell(f"{partial}: resumed after {len(manifest.shards):,} finished shards", manifest, partial, errors)
    return (passed_on(_shard(partial, 0)) if manifest.shards else survey(files).columns), manifest


def _shard(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05d}.parquet"


def _score_shards(
    classifier: StanceClassifier,
    files: Sequence[Path],
    partial: Path,
    columns: pa.Schema,
    manifest: Manifest,
    errors: Console,
) -> Manifest:
    """Score what is missing."""
    remembered_file = partial / _REMEMBERED
    bar_columns = (TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with (
        closing(Remembered(remembered_file)) as remembered,
        (partial / BAD_ROWS_FILE).open("ab") as bad_rows,
        Progress(*bar_columns, console=errors, disable=not errors.is_terminal, speed_estimate_period=600) as bar,
    ):
        bad_rows.truncate(manifest.bad_bytes)
        task = bar.add_task("", total=manifest.total, completed=manifest.rows + manifest.bad)
        for piece in _ahead(_pieces(classifier.runtime, files, manifest)):
            known = _answer(classifier.runtime, piece, remembered)
            good = [(row, k) for (_, row), k in zip(piece.rows, piece.keys, strict=True) if isinstance(k, bytes)]
            statements = [piece.statements[k] for _, k in good]
            logits = np.stack([known[k] for _, k in good]) if good else np.empty((0, 6))
            answers = classifier.answers(statements, logits)
            table = to_table([row.values for row, _ in good], answers, columns)
            with whole(_shard(partial, len(manifest.shards))) as temporary:
                pq.write_table(table, temporary)
            for (file, row), problem in zip(piece.rows, piece.keys, strict=True):
                if isinstance(problem, str):
                    line = json.dumps({"file": file, "line": row.line, "reason": problem}, ensure_ascii=False)
                    bad_rows.write(line.encode() + b"\n")
            bad_rows.flush()
            # In this order: a statement of a shard that must be done again is answered from what is remembered.
            remembered.commit()
            others = Counter(answer.language for answer in answers if answer.foreign)
            shard = Shard(rows=len(good), bad=len(piece.rows) - len(good), foreign=others)
            changes = {"shards": [*manifest.shards, shard], "bad_bytes": os.fstat(bad_rows.fileno()).st_size}
            manifest = manifest.model_copy(update=changes)
            write_manifest(partial, manifest)
            bar.advance(task, len(piece.rows))
        if not manifest.distinct:
            manifest = manifest.model_copy(update={"distinct": len(remembered)})
            write_manifest(partial, manifest)
    remembered_file.unlink()
    if not manifest.bad:
        (partial / BAD_ROWS_FILE).unlink()
    return manifest


def _answer(runtime: Runtime, piece: Piece, remembered: Remembered) -> dict[bytes, Logits]:
    """Logits of shape (6,) by key: remembered ones, and the others from the model, which are remembered too."""
    known = remembered.find(list(piece.tokens))
    new = [k for k in piece.tokens if k not in known]
    logits = _forward(runtime, [piece.tokens[k] for k in new])
    remembered.add(new, logits)
    return known | dict(zip(new, logits, strict=True))


def _forward(runtime: Runtime, encoded: Sequence[Any]) -> Logits:
    """Raw logits, shape (encoded, 6), in batches of like length over the whole shard."""
    result = np.empty((len(encoded), 6))
    batches = token_batches([len(row) for row in encoded], BATCH_TOKENS)
    with ThreadPoolExecutor(runtime.streams) as pool:
        answers = pool.map(lambda chosen: runtime.forward([encoded[i] for i in chosen]), batches)
        for chosen, logits in zip(batches, answers, strict=True):
            result[chosen] = logits
    return result


def _pieces(runtime: Runtime, files: Sequence[Path], manifest: Manifest) -> Iterator[Piece]:
    """The shards that are still to be scored; an empty input is one empty shard."""
    done = manifest.rows + manifest.bad
    rows = islice(all_rows(files), done, None)
    number = len(manifest.shards)
    while (some := list(islice(rows, manifest.shard_rows))) or number == 0:
        number += 1
        yield _piece(runtime, some)


def _piece(runtime: Runtime, rows: list[tuple[str, Row]]) -> Piece:
    statements: dict[bytes, Statement] = {}
    keys: list[bytes | str] = []
    for _, row in rows:
        result = statement_of(row)
        if isinstance(result, Statement):
            keys.append(k := key(result))
            statements[k] = result
        else:
            keys.append(result)
    encoded = dict(zip(statements, _encode(runtime, list(statements.values())), strict=True))
    problems = {k: str(found) for k, found in encoded.items() if isinstance(found, StancewiseError)}
    tokens = {k: found for k, found in encoded.items() if k not in problems}
    keys = [problems.get(k, k) if isinstance(k, bytes) else k for k in keys]
    return Piece(rows, keys, statements, tokens)


def _encode(runtime: Runtime, statements: Sequence[Statement]) -> list[Any]:
    """What `forward` reads, or the error, one per statement."""
    encoded: list[Any] = []
    for start in range(0, len(statements), CHUNK):
        some = statements[start : start + CHUNK]
        try:
            encoded += runtime.encode(some)
        except StancewiseError:
            encoded += [_encode_one(runtime, statement) for statement in some]
    return encoded


def _encode_one(runtime: Runtime, statement: Statement) -> Any:
    try:
        return runtime.encode([statement])[0]
    except StancewiseError as error:
        return error


def _ahead(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """The same pieces; the next one is read and tokenised while the one before is in the model."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece


class _Rate(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f} rows/s")
