"""How cost grows: training with rows and with length, scoring with rows, a sweep with workers; and the plots of it.

    python benchmarks/scale.py rows
    python benchmarks/scale.py lengths
    python benchmarks/scale.py workers
    python benchmarks/scale.py scoring --model models:/stance@int8
    python benchmarks/scale.py draw

Nothing else may run beside it. What is measured are the commands that users type, each in a process of its own, with an
MLflow store of its own. Rows are the statements of data/, told apart by a number, so that none is answered from memory.
Each command keeps its figures in benchmarks/growth/; `draw` makes docs/images/scale.png of them.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import matplotlib.pyplot as plt
import mlflow
import numpy as np
import psutil
import typer
import yaml
from rich.console import Console
from rich.progress import track
from serving_peers.table import markdown

from serving import StanceClassifier, Statement
from serving.cli import run
from serving.errors import StancewiseError
from serving.runtime.cores import usable_cores
from serving.tables import whole
from training.config import TrainConfig, load_config

STATEMENTS = Path("data/statements/train.jsonl").resolve()
RECIPE = Path("configs/quickstart.yaml").resolve()
FIGURES = Path("benchmarks/growth")
PICTURE = Path("docs/images/scale.png")
PARTS = ("train", "validation")
VALIDATION = 200  # rows; so few that training is what is timed
AT_ONCE = 4096  # statements that the runtime gets at once in process
CORES = usable_cores()
Point = dict[str, float]
Numbers = Annotated[str, typer.Option(help="Where to measure, with commas between.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.command()
def rows(at: Numbers = "1000,2000,4000,8000,12000") -> None:
    """One epoch of `train` on more and more rows."""
    points = []
    for count in _numbers(at):
        with tempfile.TemporaryDirectory() as folder:
            points.append({"rows": count, **_train(Path(folder), count, 128)})
    _keep("rows", points)


@app.command()
def lengths(
    at: Numbers = "16,32,64,128,256", count: Annotated[int, typer.Option("--rows", help="Trained on.")] = 1000
) -> None:
    """One epoch of `train` on longer and longer texts, all cut to the length measured; names would need room of it."""
    points = []
    for tokens in _numbers(at):
        with tempfile.TemporaryDirectory() as folder:
            points.append({"tokens": tokens, **_train(Path(folder), count, tokens, template="blind", times=12)})
    _keep("lengths", points)


@app.command()
def workers(
    at: Numbers = "1,2,4",
    trials: Annotated[int, typer.Option(help="Of the sweep.")] = 8,
    count: Annotated[int, typer.Option("--rows", help="Each trial is trained on.")] = 1000,
) -> None:
    """The same sweep by more and more processes, which share the cores."""
    points = []
    for processes in _numbers(at):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "train.yaml").write_text(yaml.safe_dump(_config(folder, count, 128)), encoding="utf-8")
            space = {"optimiser.learning_rate": {"low": 1e-5, "high": 1e-3, "log": True}}
            sweep = {"name": "growth", "base": "train.yaml", "trials": trials, "unpruned": trials, "space": space}
            (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep), encoding="utf-8")
            command = [sys.executable, "-m", "training", "sweep", "sweep.yaml"]
            seconds, peak = _time([command] * processes, folder, threads=max(1, CORES // processes))
            points.append({"workers": processes, "seconds": seconds, "peak_mb": peak})
    _keep("workers", points)


@app.command()
def scoring(
    model: Annotated[str, typer.Option(help="Folder or MLflow URI.")],
    at: Numbers = "1000,10000,100000,1000000",
) -> None:
    """`score --engine local` on more and more rows, beside the same runtime in process on as many as 20,000 of them."""
    classifier = StanceClassifier.load(model, "cpu")
    classifier.predict(list(statements(1000)))
    points = []
    with tempfile.TemporaryDirectory() as folder:
        start = _score(model, Path(folder), 1)[0]
        for count in _numbers(at):
            inside = _inside(classifier, min(count, 20_000))
            seconds, peak = _score(model, Path(folder), count)
            inside_share = count / (seconds - start) / inside
            points.append({"rows": count, "seconds": seconds, "peak_mb": peak, "of_in_process": inside_share})
            console.print(points[-1])
    _keep("scoring", points)


@app.command()
def draw() -> None:
    """Draw what is kept, with the line that the points without the last foretell."""
    figure, panels = plt.subplots(2, 2, figsize=(10, 7), layout="constrained")
    _panel(panels[0, 0], "rows", "rows", "rows trained on, one epoch")
    _panel(panels[0, 1], "lengths", "tokens", "tokens in each of 1,000 rows, one epoch")
    _panel(panels[1, 0], "scoring", "rows", "rows scored")
    panels[1, 0].set(xscale="log", yscale="log")
    memory = panels[1, 0].twinx()
    points = _kept("scoring")
    memory.plot([p["rows"] for p in points], [p["peak_mb"] for p in points], "s--", color="tab:orange")
    memory.set_ylim(bottom=0)
    memory.set_ylabel("peak MB (squares)", color="tab:orange")
    _panel(panels[1, 1], "workers", "workers", f"processes that share a sweep on {CORES} cores")
    panels[1, 1].set_ylim(bottom=0)
    with whole(PICTURE) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    console.print(f"{PICTURE} drawn")


def foretell(points: Sequence[Point], by: str) -> tuple[float, float]:
    """Seconds to start, and seconds for each more, from all points but the last; every point weighs the same."""
    at = [point[by] for point in points[:-1]]
    seconds = np.array([point["seconds"] for point in points[:-1]])
    slope, start = np.polyfit(at, seconds, 1, w=1 / seconds)
    return float(start), float(slope)


def _panel(axes: Any, measure: str, by: str, title: str) -> None:
    points = _kept(measure)
    at = np.array([point[by] for point in points])
    axes.plot(at, [point["seconds"] for point in points], "o-" if by == "workers" else "o")
    if by != "workers":
        start, slope = foretell(points, by)
        line = np.geomspace(at[0], at[-1], 100)
        axes.plot(line, start + slope * line, color="grey", label="foretold by all but the last")
        axes.legend()
    else:
        axes.set_xticks(at)
    axes.set_xlabel(title)
    axes.set_ylabel("seconds")


def _keep(measure: str, points: list[Point]) -> None:
    """Print a measure's table and write its figures."""
    by = next(iter(points[0]))
    header = [name.replace("_", " ") for name in points[0]]
    print(markdown(header, [[f"{value:,.5g}" for value in point.values()] for point in points]))
    if by != "workers" and len(points) > 2:
        start, slope = foretell(points, by)
        last = points[-1]
        told = start + slope * last[by]
        print(
            f"\nall but the last: {start:.1f} s and {1000 * slope:.3g} ms for each of the {by}; they foretell "
            f"{told:,.0f} s for {last[by]:,}, measured {last['seconds']:,.0f} s ({last['seconds'] / told - 1:+.1%})"
        )
    FIGURES.mkdir(parents=True, exist_ok=True)
    with whole(FIGURES / f"{measure}.json") as temporary:
        temporary.write_text(json.dumps({"cores": CORES, "points": points}, indent=1) + "\n", encoding="utf-8")


def _kept(measure: str) -> list[Point]:
    path = FIGURES / f"{measure}.json"
    if not path.is_file():
        raise StancewiseError(f"{path} is missing; measure it first: python benchmarks/scale.py {measure}")
    points: list[Point] = json.loads(path.read_text(encoding="utf-8"))["points"]
    return points


def _numbers(at: str) -> list[int]:
    return [int(number) for number in at.split(",")]


def _rows(count: int, times: int = 1) -> Iterator[dict[str, Any]]:
    """Labelled rows; `times` puts so many texts into one."""
    given = [json.loads(line) for line in STATEMENTS.read_text(encoding="utf-8").splitlines()]
    for number in range(count):
        row = given[number % len(given)]
        others = [given[(number + further) % len(given)]["text"] for further in range(1, times)]
        text = " ".join([f"{row['text']} ({number})", *others])
        names = {key: row[key] for key in ("speaker", "target", "stance", "sentiment")}
        yield {"id": str(number), "text": text, "group": str(number), **names}


def statements(count: int) -> Iterator[Statement]:
    """Statements of data/, each with a number of its own."""
    for row in _rows(count):
        yield Statement(text=row["text"], speaker=row["speaker"], target=row["target"])


def write_rows(path: Path, lines: Iterator[dict[str, Any]]) -> None:
    """JSON Lines."""
    with path.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line) + "\n")


def _config(folder: Path, count: int, max_length: int, template: str = "marked", times: int = 1) -> dict[str, Any]:
    """Write the rows into the folder; the quickstart's recipe on them, one epoch."""
    for part, rows_in_it in zip(PARTS, (count, VALIDATION), strict=True):
        write_rows(folder / f"{part}.jsonl", _rows(rows_in_it, times))
    # As tables: files of our own format must not hold rows that are nearly the same.
    data = {**{part: {"source": "table", "path": f"{part}.jsonl"} for part in PARTS}, "leaks": "allow"}
    recipe = load_config(RECIPE, TrainConfig).model_dump(mode="json", exclude={"register_as"})
    return {**recipe, "name": "growth", "data": data, "template": template, "max_length": max_length, "epochs": 1}


def _train(folder: Path, count: int, max_length: int, template: str = "marked", times: int = 1) -> Point:
    """Seconds of the whole command, those of training alone, and the most MB held."""
    config = _config(folder, count, max_length, template, times)
    (folder / "train.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    seconds, peak = _time([[sys.executable, "-m", "training", "train", "train.yaml"]], folder)
    mlflow.set_tracking_uri(_store(folder))
    [one] = mlflow.search_runs(search_all_experiments=True, output_format="list")
    training = 60 * one.data.metrics["cost/minutes"]
    return {"seconds": training, "command_seconds": seconds, "peak_mb": peak}


def _inside(classifier: StanceClassifier, count: int) -> float:
    """Statements a second in this process."""
    given = list(statements(count))
    start = time.perf_counter()
    for place in range(0, count, AT_ONCE):
        classifier.predict(given[place : place + AT_ONCE])
    return count / (time.perf_counter() - start)


def _score(model: str, folder: Path, count: int) -> tuple[float, float]:
    """As `score`, on so many rows."""
    source = folder / f"{count}.jsonl"
    keys = ("text", "speaker", "target")
    write_rows(source, ({key: row[key] for key in keys} for row in _rows(count)))
    return score(model, source)


def score(model: str, source: Path) -> tuple[float, float]:
    """Seconds of `score` on a file, and the most MB that it held; the output stands beside the file."""
    command = [sys.executable, "-m", "serving", "score", "--model", model, "--device", "cpu"]
    return _time([[*command, "--input", str(source), "--output", str(source.with_suffix(""))]])


def _store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def _time(commands: list[list[str]], folder: Path | None = None, threads: int = CORES) -> tuple[float, float]:
    """Seconds until all commands have ended, and the most MB that they held together.

    With a folder they work there, with an MLflow store of their own.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if folder is not None:
        environment["MLFLOW_TRACKING_URI"] = _store(folder)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        output = {"stdout": log, "stderr": log}
        started = [subprocess.Popen(c, cwd=folder, env=environment, **output) for c in commands]  # noqa: S603
        peak = [0.0]
        watching = threading.Thread(target=_watch, args=([psutil.Process(p.pid) for p in started], peak))
        watching.start()
        for process in track(started, " ".join(commands[0][2:4]), console=console):
            process.wait()
        seconds = time.perf_counter() - start
        watching.join()
        if any(process.returncode for process in started):
            log.seek(0)
            raise StancewiseError(f"{' '.join(commands[0])} failed: {log.read()[-1000:].decode(errors='replace')}")
    return seconds, peak[0]


def _watch(processes: list[psutil.Process], peak: list[float]) -> None:
    while held := [size for process in processes if (size := _held(process))]:
        peak[0] = max(peak[0], sum(held) / 1e6)
        time.sleep(0.1)


def _held(process: psutil.Process) -> int:
    """Resident bytes; 0 when it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


if __name__ == "__main__":
    run(app)
