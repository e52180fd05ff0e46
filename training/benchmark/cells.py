"""Cells of a benchmark: one contender with one seed, run once, kept as a small file, tracked in MLflow."""

import hashlib
import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import torch
from pydantic import BaseModel
from rich.console import Console

from serving.classifier import softmax
from serving.errors import StancewiseError
from serving.labels import UNLABELLED
from training.benchmark.config import BenchmarkConfig, Contender, recipe_config, tfidf_config
from training.benchmark.peers import Answers, Peer, Task, lexicon, run_classification, setfit
from training.data.corpus import Corpus
from training.data.parts import read_data
from training.evaluation.calibrate import fit_temperature
from training.evaluation.metrics import Floats, macro_f1
from training.experiments import track
from training.experiments.run import Finished, baseline_run, fine_tune


class Cell(BaseModel):
    """What is kept of a run: enough to compute every figure of the table again, and no row of the data."""

    key: str  # digest of what decides the result
    run_id: str
    minutes: float  # of training
    threads: int  # it trained with: minutes times threads can be compared, however many ran at once
    device: str = "cpu"  # or the name of the GPU it trained on
    temperatures: dict[str, float]  # empty: the contender gives labels without probabilities
    rows: dict[str, str]  # part -> digest of its row ids
    probabilities: dict[str, dict[str, list[tuple[float, float, float]]]]  # part -> calibrated, in order of the rows


@dataclass(frozen=True)
class Grid:
    """A benchmark with its data read, and the folder that keeps its cells."""

    benchmark: BenchmarkConfig
    corpora: dict[str, Corpus]
    folder: Path
    changed: dict[str, dict[str, Corpus]]  # contender -> its corpora, where its change is of the data

    def path(self, contender: Contender, seed: int) -> Path:
        """Where a cell is kept."""
        return self.folder / self.benchmark.name / f"{contender.name}-{seed}.json"

    def parts(self) -> dict[str, Corpus]:
        """The parts measured: the tests, or validation where the config has none (while tuning)."""
        tests = {part: corpus for part, corpus in self.corpora.items() if part.startswith("test")}
        return tests or {"validation": self.corpora["validation"]}

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

    def read(self, contender: Contender, seed: int) -> Cell | None:
        """The kept cell, unless there is none or it was made from other settings or data."""
        path = self.path(contender, seed)
        if not path.is_file():
            return None
        try:
            cell = Cell.model_validate_json(path.read_text(encoding="utf-8"))
        except ValueError:
            raise StancewiseError(f"{path}: not a cell; delete it, and it will be made again") from None
        return cell if cell.key == self.key(contender, seed) else None


def open_grid(benchmark: BenchmarkConfig, folder: Path, console: Console) -> Grid:
    """Read the benchmark's data, and that of contenders with other data.

    Raises:
        StancewiseError: a mistake in the data, or a contender that would be measured on other rows than the rest.
    """
    corpora = read_data(benchmark.data, console)
    changed: dict[str, dict[str, Corpus]] = {}
    for one in benchmark.contenders:
        if any(key.startswith("data.") for key in one.change):
            changed[one.name] = read_data(recipe_config(benchmark, one).data, console)
    grid = Grid(benchmark, corpora, folder, changed)
    for name, own in changed.items():
        if any(rows_digest(own[part]) != rows_digest(corpus) for part, corpus in grid.parts().items() if part in own):
            raise StancewiseError(f"{benchmark.name}: {name} is measured on other rows; change data.train only")
    return grid


def run_cells(grid: Grid, contenders: list[Contender], seeds: set[int] | None, console: Console) -> None:
    """Run what is missing, each cell an MLflow run under the benchmark's parent run.

    Raises:
        StancewiseError: the store does not answer, or a peer cannot run.
    """
    cells = [(one, seed) for one in contenders for seed in one.seeds if seeds is None or seed in seeds]
    missing = [(one, seed) for one, seed in cells if grid.read(one, seed) is None]
    console.print(f"{grid.benchmark.name}: {len(cells) - len(missing)} of {len(cells)} cells are done")
    if not missing:
        return
    track.open_experiment("benchmarks")
    with mlflow.start_run(run_id=_parent(grid.benchmark.name), run_name=grid.benchmark.name):
        mlflow.set_tag("benchmark", grid.benchmark.name)
        for one, seed in missing:
            _write(grid.path(one, seed), _run(grid, one, seed, console))
            console.print(f"{grid.benchmark.name}: {one.name}, seed {seed}: done")


def _parent(name: str) -> str | None:
    """The parent run of an earlier call, so that all cells of a benchmark stand under one."""
    found = mlflow.search_runs(
        experiment_names=["benchmarks"],
        filter_string=f"tags.benchmark = '{name}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
        output_format="list",
    )
    return found[0].info.run_id if found else None


def _run(grid: Grid, contender: Contender, seed: int, console: Console) -> Cell:
    if contender.kind == "recipe":
        config, corpora = recipe_config(grid.benchmark, contender), grid.read_by(contender)
        return _kept(grid, contender, seed, fine_tune(config, seed, corpora, console, True, keep_model=False))
    if contender.kind == "tfidf":
        baseline = tfidf_config(grid.benchmark, contender)
        return _kept(grid, contender, seed, baseline_run(baseline, grid.corpora, console, True, keep_model=False))
    peer: Peer = {"run_classification": run_classification, "setfit": setfit, "vader": lexicon}[contender.kind]
    task = Task(grid.benchmark, contender, seed, grid.corpora, ("validation", *grid.parts()))
    with mlflow.start_run(run_name=f"{grid.benchmark.name}/{contender.name}-{seed}", nested=True) as run:
        mlflow.log_params({"contender": contender.name, "kind": contender.kind, "seed": seed})
        # Standard output is for the tables; the peers' libraries print there too.
        with console.status(f"{contender.name}, seed {seed}"), redirect_stdout(sys.stderr):
            answers = peer(task)
        cell = _peer_cell(grid, contender, seed, run.info.run_id, answers)
        mlflow.log_metrics(_scores(grid, cell))
        mlflow.log_metric("cost/minutes", cell.minutes)
    return cell


def _kept(grid: Grid, contender: Contender, seed: int, finished: Finished) -> Cell:
    evaluations = finished.evaluations or {}
    return Cell(
        key=grid.key(contender, seed),
        run_id=finished.run_id,
        minutes=round(finished.minutes, 2),
        threads=torch.get_num_threads(),
        device=_device(contender),
        temperatures={str(head): value for head, value in finished.temperatures.items()},
        rows=_row_digests(grid),
        probabilities={
            part: {head: _rounded(result.probabilities) for head, result in evaluations[part].heads.items()}
            for part in grid.parts()
            if part in evaluations
        },
    )


def _peer_cell(grid: Grid, contender: Contender, seed: int, run_id: str, answers: Answers) -> Cell:
    head = grid.benchmark.heads[0]
    probabilities = answers.probabilities
    temperatures: dict[str, float] = {}
    if not answers.hard:
        logits = {part: np.log(values + 1e-9) for part, values in probabilities.items()}
        temperatures[head] = fit_temperature(logits["validation"], grid.corpora["validation"].labels(head))
        probabilities = {part: softmax(values / temperatures[head]) for part, values in logits.items()}
    return Cell(
        key=grid.key(contender, seed),
        run_id=run_id,
        minutes=round(answers.minutes, 2),
        threads=torch.get_num_threads(),
        device=_device(contender),
        temperatures=temperatures,
        rows=_row_digests(grid),
        probabilities={part: {head: _rounded(probabilities[part])} for part in grid.parts()},
    )


def _device(contender: Contender) -> str:
    on_gpu = contender.kind in ("recipe", "run_classification", "setfit") and torch.cuda.is_available()
    return torch.cuda.get_device_name() if on_gpu else "cpu"


def _rounded(probabilities: Floats) -> list[tuple[float, float, float]]:
    return probabilities.round(4).tolist()


def _row_digests(grid: Grid) -> dict[str, str]:
    return {part: rows_digest(corpus) for part, corpus in grid.parts().items()}


def rows_digest(corpus: Corpus) -> str:
    """SHA-256 of the row ids in order: two cells with the same one answered the same rows."""
    return hashlib.sha256("\n".join(row.id for row in corpus.rows).encode()).hexdigest()


def _scores(grid: Grid, cell: Cell) -> dict[str, float]:
    scores = {}
    for part, heads in cell.probabilities.items():
        for head, probabilities in heads.items():
            labels = grid.corpora[part].labels(head)
            known = labels != UNLABELLED
            predicted = np.array(probabilities).argmax(axis=1)[known]
            scores[f"{part}/{head}/macro_f1"] = float(macro_f1(labels[known], predicted, np.ones((1, known.sum())))[0])
    return scores


def _write(path: Path, cell: Cell) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(cell.model_dump_json() + "\n", encoding="utf-8")
    temporary.replace(path)
