"""Where each stage saturates: rows, tokeniser, model, memory, artifact store, tracking store.

    python benchmarks/stages.py --model models:/stance@int8 [--store postgresql://USER@HOST/DATABASE]

Nothing else may run beside it. Each stage is driven alone, as hard as it goes; docs/scale.md works out from the figures
which one gives way first. The MLflow server is one of its own on loopback, with one worker, whose database is SQLite or
the one named.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated, Any

import mlflow
import numpy as np
import typer
from mlflow import MlflowClient
from mlflow.entities import Metric
from rich.console import Console
from scale import score, statements, write_rows
from serving_peers.limit import Shapes
from serving_peers.processes import PeerError, start, stop
from serving_peers.servers import HOST, START_SECONDS, free_port, wait_ready
from serving_peers.table import markdown
from transformers import AutoConfig

from serving import StanceClassifier
from serving.cli import run
from serving.errors import StancewiseError
from serving.runtime.base import BATCH_TOKENS, token_batches
from serving.runtime.cores import usable_cores
from serving.store.folder import INT8_FOLDER
from serving.store.versions import find_model

SECONDS = 5.0  # that a stage is driven
COPIED = 256_000_000  # bytes of an array that no cache holds
VALUES = 1000  # metric values in one request; MLflow takes no more
CLIENTS = 8  # that write at once

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="Folder or MLflow URI.")],
    store: Annotated[str | None, typer.Option(help="Database of the tracking server; SQLite if none is named.")] = None,
) -> None:
    """Print what each stage does at most, and what a training run asks of the tracking store."""
    folder = find_model(model)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with console.status("rows without a model"):
            print(f"rows read, compared and written, none of them new: {_rows(folder, work):,.0f} a second\n")
        with console.status("tokeniser and model"):
            print(_cores_table(folder) + "\n")
        with console.status("stores"), _server(work, store or f"sqlite:///{work / 'mlflow.db'}") as address:
            print(_artifacts(folder, work, address) + "\n")
            print(_writes(address))
    print(_asked())


def _rows(folder: Path, work: Path) -> float:
    """Rows a second through the local engine when every one repeats the first: all its work but the model's."""
    seconds = []
    for count in (1, 200_000):
        source = work / f"{count}.jsonl"
        [row] = [s.model_dump(include={"text", "speaker", "target"}) for s in statements(1)]
        write_rows(source, ({**row, "number": number} for number in range(count)))
        seconds.append(score(str(folder), source)[0])
    return (count - 1) / (seconds[1] - seconds[0])


def _cores_table(folder: Path) -> str:
    """Tokeniser, model and memory on one core and on all: each number of cores in a process of its own."""
    cores = sorted({1, usable_cores()})
    spawn = multiprocessing.get_context("spawn")
    lines = []
    for count in cores:
        with ProcessPoolExecutor(1, spawn) as pool:
            figures = pool.submit(_on_cores, folder, count).result()
        with ProcessPoolExecutor(count, spawn) as pool:
            copied = sum(pool.map(_copy, [SECONDS] * count))
        lines.append([str(count), *figures, f"{copied / 1e9:.1f}"])
    header = ["cores", "tokenised, statements/s", "tokens each", "model, statements/s", "Gop/s", "model reads, GB/s"]
    return markdown([*header, "memory copies (read + write), GB/s"], lines)


def _on_cores(folder: Path, count: int) -> list[str]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    given = list(statements(20_000))
    classifier = StanceClassifier.load(folder, "cpu")
    runtime = classifier.runtime
    encoded = runtime.encode(given)
    tokenised = _rate(lambda: len(runtime.encode(given[:4096])))
    lengths = [len(row) for row in encoded]
    batches = token_batches(lengths, BATCH_TOKENS)
    turns = cycle(np.random.default_rng(0).permutation(len(batches)).tolist())
    with ThreadPoolExecutor(runtime.streams) as pool:

        def forward() -> int:
            taken = [batches[turn] for turn in islice(turns, 16)]
            list(pool.map(runtime.forward, [[encoded[i] for i in batch] for batch in taken]))
            return sum(map(len, taken))

        labelled = _rate(forward)
    config = AutoConfig.from_pretrained(folder)
    shapes = Shapes(config.hidden_size, config.intermediate_size, config.num_hidden_layers)
    operations = float(np.mean([shapes.operations(tokens) for tokens in lengths]))
    weights = (
        sum(file.stat().st_size for file in (folder / INT8_FOLDER).glob("*.bin"))
        or (folder / "model.safetensors").stat().st_size
    )
    read = labelled / (len(lengths) / len(batches)) * weights
    figures = (labelled * operations / 1e9, read / 1e9)
    return [f"{tokenised:,.0f}", f"{np.mean(lengths):.0f}", f"{labelled:,.0f}", *(f"{one:,.1f}" for one in figures)]


def _rate(work: Callable[[], int]) -> float:
    """What `work` counts a second, over some seconds, after once for warmth."""
    work()
    done, begun = 0, time.perf_counter()
    while time.perf_counter() < begun + SECONDS:
        done += work()
    return done / (time.perf_counter() - begun)


def _copy(seconds: float) -> float:
    """Bytes read and written a second by copying an array."""
    one = np.ones(COPIED // 8)
    other = np.empty_like(one)
    return _rate(lambda: np.copyto(other, one) or 2 * COPIED)


@contextmanager
def _server(work: Path, store: str) -> Iterator[str]:
    """An MLflow server that passes artifacts on; gives its address."""
    port = free_port()
    address = f"http://{HOST}:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(work / "artifacts")]
    log = work / "server.log"
    process = start(command, log, work, {})
    try:
        wait_ready(process, log, port, "/health", START_SECONDS)
        yield address
    except PeerError as error:
        raise StancewiseError(f"the MLflow server: {error}") from None
    finally:
        stop(process)


def _artifacts(folder: Path, work: Path, address: str) -> str:
    """How fast the server takes the model, and gives it to one and to several at once."""
    mlflow.set_tracking_uri(address)
    client = MlflowClient(address)
    run_id = client.create_run(client.create_experiment("artifacts")).info.run_id
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    begun = time.perf_counter()
    client.log_artifacts(run_id, str(folder), "model")
    rates = [size / (time.perf_counter() - begun)]
    for count in (1, CLIENTS):
        places = [work / f"fetched-{count}-{i}" for i in range(count)]
        for place in places:
            place.mkdir()
        begun = time.perf_counter()
        with ThreadPoolExecutor(count) as pool:
            list(pool.map(partial(_fetch, client, run_id), places))
        rates.append(count * size / (time.perf_counter() - begun))
    header = ["model, MB", "sent, MB/s", "fetched by one, MB/s", f"by {CLIENTS} at once, MB/s together"]
    return markdown(header, [[f"{size:.0f}", *(f"{rate:,.0f}" for rate in rates)]])


def _fetch(client: MlflowClient, run_id: str, place: Path) -> None:
    client.download_artifacts(run_id, "model", str(place))


def _writes(address: str) -> str:
    """Metric values a second that the tracking store takes, one a request and many a request."""
    client = MlflowClient(address)
    experiment = client.create_experiment("writes")
    lines = []
    for values in (1, VALUES):
        rates = [_written(address, experiment, values, count) for count in (1, CLIENTS)]
        lines.append([str(values), *(f"{rate:,.0f}" for rate in rates)])
    return markdown(["values in a request", "values/s, one client", f"{CLIENTS} clients together"], lines)


def _written(address: str, experiment: str, values: int, clients: int) -> float:
    with ProcessPoolExecutor(clients, multiprocessing.get_context("spawn")) as pool:
        return sum(pool.map(partial(_write, address, experiment), [values] * clients))


def _write(address: str, experiment: str, values: int) -> float:
    client = MlflowClient(address)
    run_id = client.create_run(experiment).info.run_id
    steps = iter(range(1_000_000_000))

    def request() -> int:
        now = time.time_ns() // 1_000_000
        client.log_batch(run_id, [Metric("loss", 1.0, now, step) for step in islice(steps, values)])
        return values

    return _rate(request)


def _asked() -> str:
    """What the newest fine-tuning of the store in MLFLOW_TRACKING_URI has written there."""
    mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
    found: Sequence[Any] = mlflow.search_runs(
        filter_string="attributes.status = 'FINISHED'", search_all_experiments=True, output_format="list"
    )
    for one in found:
        if "cost/minutes" in one.data.metrics and "seed" in one.data.params:
            client = MlflowClient()
            values = sum(len(client.get_metric_history(one.info.run_id, key)) for key in one.data.metrics)
            minutes = (one.info.end_time - one.info.start_time) / 60_000
            rate = values / minutes / 60
            return f"\n{one.info.run_name} wrote {values:,} values in {minutes:.1f} minutes: {rate:.1f} a second"
    return "\nno finished training in the tracking store: what one asks of it is not counted"


if __name__ == "__main__":
    run(app)
