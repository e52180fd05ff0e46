"""Doubtful labels: rows whose label the out-of-fold probabilities speak against, for a reader to look at again."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.store.run_files import find_run, log_tables, read_predictions
from serving.tables import whole
from training.evaluation.metrics import Ints
from training.experiments.folds import PART

DOUBT_COLUMNS = ("id", "head", "label", "suggested", "corrected", "reason", "text", "speaker", "target")


def audit(run_id: str) -> pd.DataFrame:
    """The doubtful rows of a cross-validation, most doubtful first, with the columns of DOUBT_COLUMNS.

    `corrected` is empty, for a reader to fill: the file is then a corrections file.

    Raises:
        StancewiseError: there is no such run, or it is not a finished cross-validation.
    """
    run = find_run(run_id)
    if run.data.tags.get("kind") != "folds" or run.info.status != "FINISHED":
        raise StancewiseError(
            f"run {run.info.run_id} ({run.info.run_name}) is no finished cross-validation, which an audit needs; "
            "make one: python -m training train CONFIG --folds 5"
        )
    table = read_predictions(run, PART)
    heads = [head for head in HEADS if f"{head}_true" in table and table[f"{head}_true"].notna().any()]
    ranked = [ranked_by_doubt(table, head) for head in heads]
    found = pd.concat([one[one["doubtful"]] for one in ranked])
    found = found.sort_values("quality", kind="stable").reset_index(drop=True)
    return found[list(DOUBT_COLUMNS)]


def ranked_by_doubt(table: pd.DataFrame, head: str) -> pd.DataFrame:
    """Every labelled row, its label least likely first, with `quality` (0 to 1) and whether it is `doubtful`.

    Doubtful is what confident learning would remove: as many rows as the classes' confusion says are mislabelled.

    Source: Northcutt et al. 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels".
    """
    names = np.array(HEADS[head])
    rows = table[table[f"{head}_true"].notna()].reset_index(drop=True)
    labels: Ints = np.array([HEADS[head].index(label) for label in rows[f"{head}_true"]], dtype=np.int64)
    shares = rows[[f"{head}_p_{label}" for label in names]].to_numpy(dtype=np.float64)
    shares = shares / shares.sum(axis=1, keepdims=True)
    best = shares.argmax(axis=1)
    ranked = rows[["id", "text", "speaker", "target"]].assign(
        head=head,
        label=names[labels],
        suggested=names[best],
        corrected="",
        quality=get_label_quality_scores(labels, shares),
        doubtful=find_label_issues(labels, shares, n_jobs=1),
        reason=[
            f"{names[label]} has {p[label]:.0%}, {names[other]} {p[other]:.0%}"
            for label, other, p in zip(labels, best, shares, strict=True)
        ],
    )
    return ranked.sort_values("quality", kind="stable").reset_index(drop=True)


def write(doubts: pd.DataFrame, path: Path) -> None:
    """Write the CSV, whole or not at all.

    Raises:
        StancewiseError: the folder does not exist.
    """
    with whole(path) as temporary:
        doubts.to_csv(temporary, index=False)


def log(run_id: str, doubts: pd.DataFrame) -> None:
    """Keep the table with the run, where the UI shows it."""
    run_id = find_run(run_id).info.run_id
    log_tables({"doubtful_labels": doubts}, run_id)
    mlflow.log_metric("audit/doubtful_labels", len(doubts), run_id=run_id)
