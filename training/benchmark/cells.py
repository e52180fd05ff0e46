"""Cells of a benchmark: what each contender with each seed answered, in one file a benchmark."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rich.console import Console

from serving.errors import StancewiseError
from training.benchmark.config import BenchmarkConfig, Contender, recipe_config
from training.data.checksums import read_parquet, update_parquet
from training.data.corpus import Corpus
from training.data.parts import read_data
from training.evaluation.metrics import Floats
from training.experiments import track

_SCALE = 10_000  # probabilities are kept as whole ten-thousandths
_SCHEMA = pa.schema(
    {
        **{"contender": pa.string(), "seed": pa.int32(), "key": pa.string(), "run_id": pa.string()},
        **{"minutes": pa.float64(), "threads": pa.int32(), "device": pa.string()},
        **{"part": pa.string(), "head": pa.string(), "temperature": pa.float64(), "rows": pa.string()},
        "probabilities": pa.list_(pa.uint16()),
    }
)


@dataclass(frozen=True)
class Answers:
    """What was answered to the rows of a part, for one head."""

    rows: str  # digest of the row ids, in order
    temperature: float | None  # None: labels without probabilities
    probabilities: Floats  # shape (rows, 3), calibrated, to four decimals


@dataclass(frozen=True)
class Cell:
    """What is kept of a run: enough to compute every figure of the table again, and no row of the data."""

    contender: str
    seed: int
    key: str  # digest of what decides the result
    run_id: str
    minutes: float  # of training
    threads: int  # it trained with: minutes times threads can be compared, however many ran at once
    device: str  # cpu, or the name of the GPU it trained on
    answers: dict[tuple[str, str], Answers]  # by part and head


Cells = dict[tuple[str, int], Cell]  # by contender and seed


def read_cells(path: Path) -> Cells:
    """The finished cells of a benchmark; none where there is no file yet.

    Raises:
        StancewiseError: the file has changed since it was written.
    """
    return _unpacked(read_parquet(path)) if path.is_file() else {}


def keep_cell(path: Path, cell: Cell) -> None:
    """Add a cell to a benchmark's file, or replace it there; the file changes whole or not at all."""
    mine = {(cell.contender, cell.seed): cell}
    change = lambda table: _packed((_unpacked(table) if table else {}) | mine)  # noqa: E731
    update_parquet(path, change, ("probabilities.list.element",))


def _packed(cells: Cells) -> Any:
    rows = []
    for _, cell in sorted(cells.items()):
        about = {name: value for name, value in vars(cell).items() if name != "answers"}
        for (part, head), given in cell.answers.items():
            whole = np.rint(given.probabilities.ravel() * _SCALE).astype(np.uint16)
            rows.append({**about, "part": part, "head": head, **vars(given), "probabilities": whole})
    return pa.Table.from_pylist(rows, _SCHEMA)


def _unpacked(table: Any) -> Cells:
    cells: Cells = {}
    kept = table.column("probabilities")
    for row, whole in zip(table.drop_columns("probabilities").to_pylist(), kept, strict=True):
        part, head = row.pop("part"), row.pop("head")
        probabilities = whole.values.to_numpy().reshape(-1, 3) / _SCALE
        given = Answers(row.pop("rows"), row.pop("temperature"), probabilities)
        cell = cells.setdefault((row["contender"], row["seed"]), Cell(**row, answers={}))
        cell.answers[part, head] = given
    return cells


@dataclass(frozen=True)
class Grid:
    """A benchmark with its data read, and its cells."""

    benchmark: BenchmarkConfig
    corpora: dict[str, Corpus]
    changed: dict[str, dict[str, Corpus]]  # contender -> its corpora, where it learns from other data
    path: Path  # of the cells
    cells: Cells

    def parts(self) -> dict[str, Corpus]:
        """The parts measured: the tests, or validation where the config has none (while tuning)."""
        tests = {part: corpus for part, corpus in self.corpora.items() if part.startswith("test")}
        return tests or {"validation": self.corpora["validation"]}

    def answered(self) -> set[str]:
        """The parts that a contender answers: validation too, to calibrate it."""
        return {"validation", *self.parts()}

    def read_by(self, contender: Contender) -> dict[str, Corpus]:
        """The corpora a contender learns from and is measured on."""
        return self.changed.get(contender.name, self.corpora)

    def key(self, contender: Contender, seed: int) -> str:
        """Digest of contender, seed and data: a kept cell with another one is run anew."""
        if contender.kind == "recipe":
            return track.fingerprint(recipe_config(self.benchmark, contender), seed, self.read_by(contender))
        settings = contender.model_dump(mode="json", exclude={"name", "seeds"}, exclude_defaults=True)
        encoder = self.benchmark.recipe.encoder.model_dump(mode="json", exclude_defaults=True)
        digests = {part: corpus.digest for part, corpus in self.corpora.items()}
        content = json.dumps([settings, encoder, self.benchmark.heads[0], seed, digests], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def finished(self, contender: Contender, seeds: Iterable[int]) -> list[Cell]:
        """The contender's cells of these seeds, without those that were made from other settings or data."""
        found = [self.cells[contender.name, seed] for seed in seeds if (contender.name, seed) in self.cells]
        return [cell for cell in found if cell.key == self.key(contender, cell.seed)]

    def keep(self, cell: Cell) -> None:
        """Write a finished cell."""
        keep_cell(self.path, cell)
        self.cells[cell.contender, cell.seed] = cell


def open_grid(benchmark: BenchmarkConfig, folder: Path, console: Console) -> Grid:
    """Read the benchmark's data, that of contenders with other data, and the cells in `folder`.

    Raises:
        StancewiseError: a mistake in the data, or a contender that would be measured on other rows than the rest.
    """
    corpora = read_data(benchmark.recipe.data, console)
    changed: dict[str, dict[str, Corpus]] = {}
    for one in benchmark.contenders:
        if one.base or any(key.startswith("data.") for key in one.change):
            changed[one.name] = read_data(recipe_config(benchmark, one).data, console)
    path = folder / f"{benchmark.name}.parquet"
    grid = Grid(benchmark, corpora, changed, path, read_cells(path))
    for name, own in changed.items():
        if any(rows_digest(own[part]) != rows_digest(corpus) for part, corpus in grid.parts().items() if part in own):
            raise StancewiseError(f"{benchmark.name}: {name} is measured on other rows; change data.train only")
    return grid


def rows_digest(corpus: Corpus) -> str:
    """SHA-256 of the row ids in order: two cells with the same one answered the same rows."""
    return hashlib.sha256("\n".join(row.id for row in corpus.rows).encode()).hexdigest()
