"""Runs the cells of a benchmark that are missing, each an MLflow run."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

import mlflow
import numpy as np
import torch
from rich.console import Console

from serving.classifier import softmax
from serving.labels import UNLABELLED
from training.benchmark.cells import Answers, Cell, Grid, rows_digest
from training.benchmark.config import Contender, recipe_config, tfidf_config
from training.benchmark.peers import Given, Peer, lexicon, run_classification, setfit
from training.evaluation.calibrate import fit_temperature
from training.evaluation.metrics import Floats, macro_f1_score
from training.experiments import track
from training.experiments.before import check_labels
from training.experiments.run import Finished, baseline_run, fine_tune


def run_cells(
    grid: Grid, contenders: list[Contender], seeds: set[int] | None, console: Console, again: bool = False
) -> None:
    """Run what is missing, or with `again` all of it, each cell an MLflow run under the benchmark's parent run.

    Raises:
        StancewiseError: the store does not answer, or a peer cannot run.
    """
    cells = [(one, seed) for one in contenders for seed in one.seeds if seeds is None or seed in seeds]
    missing = [(one, seed) for one, seed in cells if again or not grid.finished(one, [seed])]
    console.print(f"{grid.benchmark.name}: {len(cells) - len(missing)} of {len(cells)} cells are done")
    if not missing:
        return
    track.open_experiment("benchmarks")
    with mlflow.start_run(run_id=_parent(grid.benchmark.name), run_name=grid.benchmark.name):
        mlflow.set_tag("benchmark", grid.benchmark.name)
        for one, seed in missing:
            grid.keep(_run(grid, one, seed, console))
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
        check_labels(config, corpora, console)
        return _ours(grid, contender, seed, fine_tune(config, seed, corpora, console, True, keep_model=False))
    if contender.kind == "tfidf":
        baseline = tfidf_config(grid.benchmark, contender)
        return _ours(grid, contender, seed, baseline_run(baseline, grid.corpora, console, True, keep_model=False))
    peer: Peer = {"run_classification": run_classification, "setfit": setfit, "vader": lexicon}[contender.kind]
    with mlflow.start_run(run_name=f"{grid.benchmark.name}/{contender.name}-{seed}", nested=True) as run:
        mlflow.log_params({"contender": contender.name, "kind": contender.kind, "seed": seed})
        # Standard output is for the tables; the peers' libraries print there too.
        with console.status(f"{contender.name}, seed {seed}"), redirect_stdout(sys.stderr):
            given = peer(grid, contender, seed)
        cell = _peers(grid, contender, seed, run.info.run_id, given)
        mlflow.log_metrics(_scores(grid, cell))
        mlflow.log_metric("cost/minutes", cell.minutes)
    return cell


def _ours(grid: Grid, contender: Contender, seed: int, finished: Finished) -> Cell:
    answered = {
        (part, head): result.probabilities
        for part, evaluation in (finished.evaluations or {}).items()
        if part in grid.parts()
        for head, result in evaluation.heads.items()
    }
    return _cell(
        grid,
        contender,
        seed,
        finished.run_id,
        finished.minutes,
        answered,
        {str(head): value for head, value in finished.temperatures.items()},
    )


def _peers(grid: Grid, contender: Contender, seed: int, run_id: str, given: Given) -> Cell:
    head = grid.benchmark.heads[0]
    probabilities = given.probabilities
    temperatures: dict[str, float] = {}
    if not given.hard:
        logits = {part: np.log(values + 1e-9) for part, values in probabilities.items()}
        temperatures[head] = fit_temperature(logits["validation"], grid.corpora["validation"].labels(head))
        probabilities = {part: softmax(values / temperatures[head]) for part, values in logits.items()}
    answered = {(part, str(head)): probabilities[part] for part in grid.parts()}
    return _cell(grid, contender, seed, run_id, given.minutes, answered, temperatures)


def _cell(
    grid: Grid,
    contender: Contender,
    seed: int,
    run_id: str,
    minutes: float,
    answered: dict[tuple[str, str], Floats],
    temperatures: Mapping[str, float],
) -> Cell:
    on_gpu = contender.kind in ("recipe", "run_classification", "setfit") and torch.cuda.is_available()
    return Cell(
        contender=contender.name,
        seed=seed,
        key=grid.key(contender, seed),
        run_id=run_id,
        minutes=round(minutes, 2),
        threads=torch.get_num_threads(),
        device=torch.cuda.get_device_name() if on_gpu else "cpu",
        answers={
            (part, head): Answers(rows_digest(grid.corpora[part]), temperatures.get(head), values.round(4))
            for (part, head), values in answered.items()
        },
    )


def _scores(grid: Grid, cell: Cell) -> dict[str, float]:
    scores = {}
    for (part, head), given in cell.answers.items():
        labels = grid.corpora[part].labels(head)
        known = labels != UNLABELLED
        predicted = given.probabilities.argmax(axis=1)[known]
        scores[f"{part}/{head}/macro_f1"] = macro_f1_score(labels[known], predicted)
    return scores
