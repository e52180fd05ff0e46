"""What picking is worth: the first model adapted with picked statements, and with random ones, as many labels each.

The training parts of NewsMTSC and GWSD are the pools; their labels are read when a row is chosen. Run in the project's
folder with STANCE_BENCHMARKS set:

    python benchmarks/pick.py                   # what is missing of all cells; hours on 2 cores, resumed by itself
    python benchmarks/pick.py --sets gwsd --labels 50 --seeds 1      # one small piece
    python benchmarks/pick.py --table           # print what is finished

benchmarks/pick.jsonl keeps the answers of every cell (set, way, number of labels, seed), without texts.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from few_labels import SETS, Cells, Start, chosen, indices, ours, read
from few_labels import start as begin
from rich.console import Console

from serving.cli import run
from serving.rows.read import Row
from serving.runtime.pytorch import TorchRuntime
from training.data.corpus import Corpus
from training.evaluation.metrics import Ints, difference_macro_f1, mean_macro_f1
from training.experiments.pick import choose, embed, gradients
from training.experiments.pool import Candidate

CELLS = Path("benchmarks/pick.jsonl")
POOLS = ("newsmtsc", "gwsd")
WAYS = ("picked", "random")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="The first model.")] = "models:/stance@champion",
    sets: Annotated[str | None, typer.Option(help="These pools only, comma-separated.")] = None,
    labels: Annotated[str, typer.Option(help="Numbers of labels, comma-separated.")] = "50,100,200,400",
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "1,2,3,4,5",
    replay_from: Annotated[str, typer.Option(help="As of adapt.")] = "data",
    output: Annotated[Path, typer.Option(help="The file of the finished cells.")] = CELLS,
    table: Annotated[bool, typer.Option("--table", help="Print what is finished; train nothing.")] = False,
) -> None:
    """Run the cells that are missing, and print the table."""
    console, cells = Console(stderr=True), Cells(output)
    names = chosen(sets, POOLS, "--sets")
    if not table:
        begun = begin(model, {"replay_from": replay_from})
        for name in names:
            wanted = [(int(count), int(seed)) for count in labels.split(",") for seed in seeds.split(",")]
            _fill(begun, name, wanted, cells, console)
    for line in _table(cells, names):
        print(line)


def _fill(begun: Start, name: str, wanted: list[tuple[int, int]], cells: Cells, console: Console) -> None:
    head = SETS[name].head
    train, test = read(name)
    key = begun.key(train, test)
    missing = [
        {"set": name, "way": way, "labels": count, "seed": seed, "key": key} for count, seed in wanted for way in WAYS
    ]
    missing = [about for about in missing if not cells.find(**about)]
    picker = _Picker(begun, train) if any(about["way"] == "picked" for about in missing) else None
    for about in missing:
        started = time.perf_counter()
        count, seed = about["labels"], about["seed"]
        with console.status(f"{name}: {about['way']}, {count} labels, seed {seed}"):
            if about["way"] == "picked":
                assert picker
                places = picker.pick(count, seed)
            else:
                places = np.random.default_rng(seed).permutation(len(train.rows))[:count].tolist()
            found = ours(begun, train.keep(places), test, head, seed)
        cells.keep(about, {**found, "minutes": round((time.perf_counter() - started) / 60, 2)})
        console.print(f"{name}: {about['way']}, {count} labels, seed {seed}: done", highlight=False)


class _Picker:
    """Picks from a pool that the model was asked about once."""

    def __init__(self, begun: Start, train: Corpus) -> None:
        assert isinstance(begun.runtime, TorchRuntime)
        statements = train.statements()
        logits, hidden = embed(begun.runtime, statements, lambda _: None)
        self.points = gradients(begun.source.settings, logits, hidden)
        self.candidates = [Candidate(0.0, Row(i, {}), one) for i, one in enumerate(statements)]

    def pick(self, rows: int, seed: int) -> list[int]:
        """Places of the rows."""
        return choose(self.points, self.candidates, rows, seed)


def _table(cells: Cells, names: list[str]) -> Iterator[str]:
    columns = ["pool, head", "labels", "seeds", "picked", "random", "picked minus random", "minus random at twice"]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for name in names:
        of_set = [one for one in cells.cells if one["set"] == name]
        if not of_set:
            continue
        head, (_, test) = SETS[name].head, read(name)
        truth, groups = test.labels(head), test.groups()

        for count in sorted({one["labels"] for one in of_set}):
            sides = [list(_runs(of_set, way, count).values()) for way in WAYS]
            cells_of_row = [f"{name}, {head}", str(count), str(len(sides[0]))]
            cells_of_row += [str(mean_macro_f1(truth, side, groups)) if side else "" for side in sides]
            for other in (count, 2 * count):
                one, two = _runs(of_set, "picked", count), _runs(of_set, "random", other)
                both = sorted(one.keys() & two.keys())
                pairs = [[side[seed] for seed in both] for side in (one, two)]
                cells_of_row.append(difference_macro_f1(truth, *pairs, groups).points if both else "")
            yield f"| {' | '.join(cells_of_row)} |"


def _runs(of_set: list[dict[str, Any]], way: str, count: int) -> dict[int, Ints]:
    """Seed -> label indices."""
    some = [one for one in of_set if one["way"] == way and one["labels"] == count]
    return {one["seed"]: indices(one["predicted"]) for one in some}


if __name__ == "__main__":
    run(app)
