"""Cross-validation: every row is answered once, by a model that saw neither it nor its story."""

from collections.abc import Iterator

import mlflow
import numpy as np
from rich.console import Console
from sklearn.model_selection import StratifiedGroupKFold

from serving.errors import StancewiseError
from serving.labels import HEADS, UNLABELLED
from serving.store.run_files import METRICS_TABLE, log_tables, read_predictions
from training.config import TrainConfig
from training.data.corpus import Corpus, join
from training.evaluation import plots
from training.evaluation.evaluate import Evaluation, HeadResult, report
from training.evaluation.metrics import Floats, Ints, figures_table, head_metrics, mlflow_metrics
from training.experiments import track
from training.experiments.before import check_recipe, read_experiment
from training.experiments.run import WORK, fine_tune

HELD_OUT = "held_out"  # what a fold calls the rows it is measured on
PART = "out_of_fold"  # what the parent calls all of them together
_VALIDATION = 10  # one story in so many of the rest chooses the checkpoint and calibrates


def cross_validate(config: TrainConfig, folds: int, console: Console, reuse: bool = False) -> str:
    """Fine-tune once per fold on the rest of train and validation together; returns the parent run's id.

    The parent holds the figures over all rows, each predicted out of fold, and their table. With `reuse`, folds that
    are finished already (same config, same data) are not run again, so a killed cross-validation goes on.

    Raises:
        StancewiseError: a mistake in the data, fewer stories than folds, several seeds, or a silent store.
    """
    if len(config.seeds) > 1:
        raise StancewiseError(f"--folds: one seed at a time; add --set seeds=[{config.seeds[0]}]")
    [seed] = config.seeds
    corpora = read_experiment(config, console)
    check_recipe(config, WORK)
    sets = [one for part in ("train", "validation") for one in (corpora[part].members or (corpora[part],))]
    pool = join(sets)
    if len({row.id for row in pool.rows}) < len(pool.rows):
        raise StancewiseError("--folds: two rows have the same id; rename one, so that predictions can be told apart")
    parts = list(split(sets, folds, seed))
    with mlflow.start_run(run_name=f"{config.name}, {folds} folds", tags={"kind": "folds"}) as parent:
        track.log_setup(config, seed, {"train": pool}, track.fingerprint(config, seed, {"train": pool}))
        mlflow.log_param("folds", folds)
        run_ids = []
        for number, part in enumerate(parts, start=1):
            console.print(f"[bold]fold {number} of {folds}[/]")
            done = track.find_finished(config.experiment, track.fingerprint(config, seed, part)) if reuse else None
            if done:
                console.print(f"nothing to do, run {done} has this config and data", soft_wrap=True)
            else:
                named = config.model_copy(update={"name": f"{config.name}, fold {number}"})
                done = fine_tune(named, seed, part, console, nested=True, keep_model=False).run_id
            run_ids.append(done)
        evaluation = _together(config, pool, run_ids)
        _log(evaluation, run_ids)
    console.print(report(evaluation, f"{config.name}: {len(pool.rows):,} statements, each out of fold"))
    console.print(f"doubtful labels: python -m training audit {parent.info.run_id}", soft_wrap=True)
    return str(parent.info.run_id)


def split(sets: list[Corpus], folds: int, seed: int) -> Iterator[dict[str, Corpus]]:
    """Train, validation and held-out rows of every fold, in whole stories, with like shares of the labels.

    Raises:
        StancewiseError: there are fewer stories than folds.
    """
    pool = join(sets)
    groups, labels = pool.groups(), strata(pool)
    if folds < 2 or folds > groups.max() + 1:
        raise StancewiseError(f"--folds {folds}: give a number from 2 to {groups.max() + 1}, the stories there are")
    outer = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for rest, held_out in outer.split(labels, labels, groups):
        inner = StratifiedGroupKFold(
            min(_VALIDATION, len(np.unique(groups[rest]))), shuffle=True, random_state=seed
        ).split(rest, labels[rest], groups[rest])
        train, validation = next(inner)
        chosen = {"train": rest[train], "validation": rest[validation], HELD_OUT: held_out}
        yield {part: _rows(sets, places) for part, places in chosen.items()}


def strata(corpus: Corpus) -> Ints:
    """A number for each row, the same for rows with the same labels in both heads, shape (rows,)."""
    both = np.stack([corpus.labels(head) for head in HEADS], axis=1)
    return np.unique(both, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _rows(sets: list[Corpus], places: Ints) -> Corpus:
    """Rows of the joined sets, still in their sets, so that weights and origins stay."""
    kept, start = [], 0
    for one in sets:
        inside = places[(places >= start) & (places < start + len(one.rows))] - start
        start += len(one.rows)
        if len(inside):
            kept.append(one.keep(inside.tolist()))
    return join(kept)


def _together(config: TrainConfig, pool: Corpus, run_ids: list[str]) -> Evaluation:
    tables = [read_predictions(mlflow.get_run(run_id), HELD_OUT).set_index("id") for run_id in run_ids]
    heads: dict[str, HeadResult] = {}
    for head in config.heads:
        labels = pool.labels(head)
        if (labels == UNLABELLED).all():
            continue
        answers: dict[str, Floats] = {}
        abstained: dict[str, bool] = {}
        for table in tables:
            shares = table[[f"{head}_p_{label}" for label in HEADS[head]]].to_numpy(dtype=np.float64)
            answers |= dict(zip(table.index, shares, strict=True))
            abstained |= dict(zip(table.index, table[f"{head}_abstained"], strict=True))
        probabilities = np.array([answers[row.id] for row in pool.rows])
        metrics = head_metrics(head, labels, probabilities, pool.groups())
        unsure = np.array([abstained[row.id] for row in pool.rows], dtype=np.int64)
        heads[head] = HeadResult(labels, probabilities, unsure, metrics)
    return Evaluation(pool, heads, 0.0)


def _log(evaluation: Evaluation, run_ids: list[str]) -> None:
    """The figures of all rows together; those of single folds spread more, and their spread is logged beside."""
    figures = evaluation.figures(PART)
    metrics = mlflow_metrics(figures)
    members = [mlflow.get_run(run_id).data.metrics for run_id in run_ids]
    for head in evaluation.heads:
        scores = [one[f"{HELD_OUT}/{head}/macro_f1"] for one in members]
        metrics[f"{PART}/{head}/macro_f1_mean_of_folds"] = float(np.mean(scores))
        metrics[f"{PART}/{head}/macro_f1_spread_of_folds"] = float(np.std(scores, ddof=1))
    metrics["cost/minutes"] = sum(one["cost/minutes"] for one in members)
    mlflow.log_metrics(metrics)
    mlflow.log_figure(plots.confusion_matrices(evaluation), "plots/confusion_matrices.png")
    mlflow.log_figure(plots.reliability_diagram(evaluation), "plots/reliability.png")
    tables = {f"{PART}_predictions": evaluation.table(), f"{PART}_worst_errors": evaluation.worst_errors()}
    log_tables({**tables, METRICS_TABLE: figures_table(figures)})
