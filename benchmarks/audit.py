"""How well an audit finds wrong labels: plants some in a copy of data/, cross-validates, looks where they rank.

    python benchmarks/audit.py [--share 0.05] [--seed 1] [--folds 5]

The copy lies in build/audit, the runs in the MLflow store; started again, finished folds are not repeated.
"""

import json
from pathlib import Path
from typing import Annotated

import mlflow
import numpy as np
import typer
from rich.console import Console

from serving.cli import run
from serving.labels import HEADS
from serving.store.run_files import read_predictions
from training.config import TrainConfig, load_config
from training.experiments.audit import ranked_by_doubt
from training.experiments.folds import PART, cross_validate

STATEMENTS, COPY = Path("data/statements"), Path("build/audit")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def plant(share: float, seed: int) -> dict[str, set[str]]:
    """Copy train and validation with a share of each head's labels replaced by another; the ids changed, by head."""
    rng = np.random.default_rng(seed)
    parts = {
        part: [json.loads(line) for line in (STATEMENTS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()]
        for part in ("train", "validation")
    }
    rows = [row for part in parts.values() for row in part]
    planted: dict[str, set[str]] = {}
    for head, labels in HEADS.items():
        labelled = [row for row in rows if row.get(head)]
        chosen = rng.choice(len(labelled), round(share * len(labelled)), replace=False)
        for row in (labelled[i] for i in chosen):
            row[head] = str(rng.choice([label for label in labels if label != row[head]]))
        planted[head] = {labelled[i]["id"] for i in chosen}
    COPY.mkdir(parents=True, exist_ok=True)
    for part, content in parts.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in content]
        (COPY / f"{part}.jsonl").write_text("".join(lines), encoding="utf-8")
    return planted


@app.command()
def main(
    share: Annotated[float, typer.Option(help="Share of each head's labels to make wrong.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of the planted labels and of training.")] = 1,
    folds: Annotated[int, typer.Option(help="Of the cross-validation.")] = 5,
    epochs: Annotated[float, typer.Option(help="Of each fold.")] = 3,
) -> None:
    """Plant, cross-validate, rank; print precision and recall."""
    planted = plant(share, seed)
    data = {part: str(COPY / f"{part}.jsonl") for part in ("train", "validation")}
    overrides = [f"data={json.dumps(data)}", f"epochs={epochs}", f"seeds=[{seed}]", "register=null", "name=audit"]
    config = load_config(Path("configs/quickstart.yaml"), TrainConfig, overrides)
    run_id = cross_validate(config, folds, Console(stderr=True), reuse=True)
    table = read_predictions(mlflow.get_run(run_id), PART)
    print("| head | rows | planted | found among as many first | doubtful | of these planted | planted found |")
    print("|---|---|---|---|---|---|---|")
    for head, ids in planted.items():
        ranked = ranked_by_doubt(table, head)
        first = len(ids & set(ranked["id"][: len(ids)])) / len(ids)
        doubtful = set(ranked.loc[ranked["doubtful"], "id"])
        hits = len(ids & doubtful)
        cells = (
            head,
            f"{len(ranked):,}",
            len(ids),
            f"{first:.0%}",
            len(doubtful),
            f"{hits / max(len(doubtful), 1):.0%}",
        )
        print(f"| {' | '.join(map(str, cells))} | {hits / len(ids):.0%} |")


if __name__ == "__main__":
    run(app)
