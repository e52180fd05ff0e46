"""How scoring grows with rows: time and memory of `python -m serving score`, beside the runtime in process.

    python benchmarks/scale.py --model models:/stance@champion [--rows 1000,10000,30000]

Every row is a statement of its own (those of data/, told apart by a number), so that none is answered from memory.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier, Statement
from serving.__main__ import run

STATEMENTS = Path("data/statements/train.jsonl")
AT_ONCE = 4096  # statements that the runtime gets at once in process

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def scoring(
    model: Annotated[str, typer.Option(help="Folder or MLflow URI.")],
    rows: Annotated[str, typer.Option(help="How many, with commas between.")] = "1000,10000,30000",
) -> None:
    """Print seconds, statements a second and peak memory for each number of rows."""
    classifier = StanceClassifier.load(model, "cpu")
    classifier.predict(list(_statements(1000)))
    table = Table("rows", "seconds", "of these to start", "statements/s", "of in process", "peak MB")
    with tempfile.TemporaryDirectory() as folder:
        start = _score(model, Path(folder), 1)[0]
        for count in map(int, rows.split(",")):
            inside = _inside(classifier, count)
            seconds, peak = _score(model, Path(folder), count)
            rate = count / (seconds - start)
            share = f"{rate / inside:.0%}"
            table.add_row(f"{count:,}", f"{seconds:.1f}", f"{start:.1f}", f"{rate:,.0f}", share, f"{peak:,.0f}")
    Console().print(table)


def _statements(count: int) -> Iterator[Statement]:
    given = [json.loads(line) for line in STATEMENTS.read_text(encoding="utf-8").splitlines()]
    for number in range(count):
        row = given[number % len(given)]
        yield Statement(text=f"{row['text']} ({number})", speaker=row["speaker"], target=row["target"])


def _inside(classifier: StanceClassifier, count: int) -> float:
    """Statements a second in this process."""
    statements = list(_statements(count))
    start = time.perf_counter()
    for place in range(0, count, AT_ONCE):
        classifier.predict(statements[place : place + AT_ONCE])
    return count / (time.perf_counter() - start)


def _score(model: str, folder: Path, count: int) -> tuple[float, float]:
    """Seconds of the command, and the most MB that it held."""
    source, output = folder / f"{count}.jsonl", folder / f"{count}-labelled"
    with source.open("w", encoding="utf-8") as file:
        for statement in _statements(count):
            file.write(statement.model_dump_json(include={"text", "speaker", "target"}) + "\n")
    command = [sys.executable, "-m", "serving", "score", "--model", model, "--device", "cpu"]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--input", str(source), "--output", str(output)], stderr=subprocess.DEVNULL)  # noqa: S603
    peak = [0.0]
    watching = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peak))
    watching.start()
    if process.wait():
        raise typer.Exit(1)
    seconds = time.perf_counter() - start
    watching.join()
    return seconds, peak[0]


def _watch(process: psutil.Process, peak: list[float]) -> None:
    try:
        while True:
            peak[0] = max(peak[0], process.memory_info().rss / 1e6)
            time.sleep(0.1)
    except psutil.NoSuchProcess:
        return


if __name__ == "__main__":
    run(app)
