"""What a few labels are worth: `adapt` from the first model against SetFit, the bare encoder and TF-IDF, same rows.

Run in the project's folder with STANCE_BENCHMARKS set:

    python benchmarks/adapt.py                  # what is missing of all cells; hours on 2 cores, resumed by itself
    python benchmarks/adapt.py --sets gwsd --rows 8 --seeds 1        # one small piece
    python benchmarks/adapt.py --table          # print what is finished

A cell is one set, method, number of rows a class and seed. benchmarks/adapt.jsonl keeps its answers, without texts.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from few_labels import (
    SETS,
    Cells,
    Start,
    answers,
    bare,
    chosen,
    digits,
    indices,
    old_answers,
    ours,
    read,
    setfit,
    tfidf,
)
from few_labels import start as begin
from rich.console import Console

from serving.cli import run
from serving.labels import HEADS, UNLABELLED
from training.benchmark.peers import few
from training.evaluation.metrics import Ints, Metric, difference_macro_f1, mean_macro_f1

CELLS = Path("benchmarks/adapt.jsonl")
METHODS: dict[str, Callable[..., dict[str, Any]]] = {"ours": ours, "SetFit": setfit, "bare": bare, "TF-IDF": tfidf}
FIRST = "first model"  # without a new row
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="The first model.")] = "models:/stance@champion",
    sets: Annotated[str | None, typer.Option(help="These sets only, comma-separated.")] = None,
    methods: Annotated[str | None, typer.Option(help="These methods only, comma-separated.")] = None,
    rows: Annotated[str, typer.Option(help="Rows a class, comma-separated.")] = "8,16,64",
    seeds: Annotated[str, typer.Option(help="Seeds, comma-separated.")] = "1,2,3,4,5",
    epochs: Annotated[int, typer.Option(help="As of adapt.")] = 10,
    learning_rate: Annotated[float | None, typer.Option(help="As of adapt.")] = None,
    replay: Annotated[int, typer.Option(help="As of adapt.")] = 2,
    replay_from: Annotated[str, typer.Option(help="As of adapt.")] = "data",
    output: Annotated[Path, typer.Option(help="The file of the finished cells.")] = CELLS,
    table: Annotated[bool, typer.Option("--table", help="Print what is finished; train nothing.")] = False,
) -> None:
    """Run the cells that are missing, and print the table."""
    console, cells = Console(stderr=True), Cells(output)
    names = chosen(sets, list(SETS), "--sets")
    if not table:
        settings = {"epochs": epochs, "learning_rate": learning_rate, "replay": replay, "replay_from": replay_from}
        begun = begin(model, settings)
        for name in names:
            wanted = [(int(count), int(seed)) for count in rows.split(",") for seed in seeds.split(",")]
            _fill(begun, name, chosen(methods, list(METHODS), "--methods"), wanted, cells, console)
    for line in _table(cells, names):
        print(line)


def _fill(
    begun: Start, name: str, methods: list[str], wanted: list[tuple[int, int]], cells: Cells, console: Console
) -> None:
    head = SETS[name].head
    train, test = read(name)
    key = begun.key(train, test)
    about: dict[str, Any] = {"set": name, "method": FIRST, "rows": 0, "seed": 0, "key": key}
    if not cells.find(**about):
        found = {"predicted": digits(answers(begun.runtime, test, head)), "old": old_answers(begun, begun.runtime)}
        labels = {
            f"{part}/{one}": _truth(corpus.labels(one))
            for part, corpus in begun.first.tests.items()
            for one in begun.source.settings.heads
        }
        groups = {part: corpus.groups().tolist() for part, corpus in begun.first.tests.items()}
        cells.keep(about, {**found, "old_labels": labels, "old_groups": groups})
    for count, seed in wanted:
        own = train.keep(few(train, head, count, seed))
        for method in methods:
            about = {"set": name, "method": method, "rows": count, "seed": seed, "key": key}
            if cells.find(**about):
                continue
            started = time.perf_counter()
            # Standard output is for the table; the peers' libraries print there too.
            with console.status(f"{name}: {method}, {count} rows a class, seed {seed}"), redirect_stdout(sys.stderr):
                found = METHODS[method](begun, own, test, head, seed)
            cells.keep(about, {**found, "minutes": round((time.perf_counter() - started) / 60, 2)})
            console.print(f"{name}: {method}, {count} rows a class, seed {seed}: done", highlight=False)


def _truth(labels: Ints) -> str:
    """Labels as digits, 9 where there is none."""
    return "".join("9" if label == UNLABELLED else str(label) for label in labels)


def _table(cells: Cells, names: list[str]) -> Iterator[str]:
    columns = ["set, head", "method", "rows a class", "seeds", "macro-F1", "ours minus it"]
    columns += [f"old test: {head}, ours minus the first model" for head in HEADS]
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for name in names:
        of_set = [one for one in cells.cells if one["set"] == name]
        if not of_set:
            continue
        head, (_, test) = SETS[name].head, read(name)
        labels, groups = test.labels(head), test.groups()
        counts = sorted({one["rows"] for one in of_set})
        for count in counts:
            of_ours = {one["seed"]: one for one in of_set if one["method"] == "ours" and one["rows"] == count}
            for method in (FIRST, *METHODS):
                some = {one["seed"]: one for one in of_set if one["method"] == method and one["rows"] == count}
                if not some:
                    continue
                runs = [indices(one["predicted"]) for one in some.values()]
                both = sorted(some.keys() & of_ours.keys()) if method != "ours" else []
                pairs = [[indices(side[seed]["predicted"]) for seed in both] for side in (of_ours, some)]
                apart = difference_macro_f1(labels, *pairs, groups).points if both else ""
                old = ["", ""]
                if method == "ours":
                    old = [_old(of_set, list(some.values()), one) for one in HEADS]
                first = [
                    f"{name}, {head}",
                    method,
                    str(count),
                    str(len(runs)),
                    str(mean_macro_f1(labels, runs, groups)),
                ]
                yield f"| {' | '.join([*first, apart, *old])} |"


def _old(of_set: list[dict[str, Any]], some: list[dict[str, Any]], head: str) -> str:
    """The difference on the first old test part, adapted minus first model, in points."""
    first = next((one for one in of_set if one["method"] == FIRST), None)
    names = [name for name in (first or {}).get("old_labels", {}) if name.endswith(f"/{head}")]
    if not first or not names:
        return ""
    truth = indices(first["old_labels"][names[0]])
    known = truth != 9
    groups = np.array(first["old_groups"][names[0].partition("/")[0]])
    after = [indices(one["old"][names[0]])[known] for one in some]
    before = [indices(first["old"][names[0]])[known]]
    difference: Metric = difference_macro_f1(truth[known], after, before, groups[known])
    return difference.points


if __name__ == "__main__":
    run(app)
