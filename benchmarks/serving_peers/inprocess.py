"""In process: statements a second in bulk, milliseconds for one, round after round in turn."""

import json
import select
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from serving.labels import Logits
from serving.store.folder import ModelSettings
from serving_peers import answers, environments
from serving_peers.processes import ROOT, PeerError, last_line, pause, running, start, stop
from serving_peers.table import cell, markdown, middle, percentile, ratio

LOAD_SECONDS = 180
SAMPLE = 32
CONTENDERS = {
    "ours:openvino": "ours, int8",
    "ours:torch": "ours, torch",
    "pipeline": "transformers pipeline",
    "infinity:torch": "infinity-emb, torch",
    "infinity:optimum:fp32": "infinity-emb, ONNX fp32",
    "infinity:optimum:int8": "infinity-emb, ONNX int8",
}
BASE = "pipeline"


class Worker:
    """The parent's end of `worker.py`."""

    def __init__(self, name: str, model: Path, texts: Path, work: Path, peers: Path) -> None:
        interpreter, kind = Path(sys.executable), name
        if name.startswith("infinity"):
            interpreter = environments.python(peers, "infinity")
            kind, _, precision = name.rpartition(":") if name.count(":") == 2 else (name, "", "")
            model = environments.onnx(peers, model, precision) if precision else model
        self.log = work / f"{name.replace(':', '-')}.log"
        command = [str(interpreter), str(Path(__file__).with_name("worker.py")), kind, str(model), str(texts)]
        self.process = start(command, self.log, ROOT, {"PYTHONPATH": str(ROOT)}, pipes=True)
        try:
            self._reply(LOAD_SECONDS)
        except PeerError:
            stop(self.process)
            raise
        pause(self.process)

    def ask(self, order: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
        """Have something done; the process is paused before and after.

        Raises:
            PeerError: it died or does not answer.
        """
        assert self.process.stdin
        with running(self.process):
            try:
                self.process.stdin.write(json.dumps(order) + "\n")
                self.process.stdin.flush()
            except OSError:
                raise PeerError(last_line(self.log)) from None
            return self._reply(seconds)

    def sample(self, settings: ModelSettings) -> Logits:
        """Calibrated probabilities of the first statements, shape (SAMPLE, 6)."""
        reply = self.ask({"do": "sample", "count": SAMPLE})
        if reply["calibrated"]:
            return np.array([answers.from_heads(answer) for answer in reply["answers"]])
        return np.array([answers.from_scores(answer, settings) for answer in reply["answers"]])

    def close(self) -> None:
        """Stop the process."""
        stop(self.process)

    def _reply(self, seconds: float) -> dict[str, Any]:
        assert self.process.stdout
        # One reply at a time and flushed whole: no line can hide in the buffer that select does not see.
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            raise PeerError(f"no answer within {seconds:g} seconds")
        line = self.process.stdout.readline()
        if not line:
            raise PeerError(last_line(self.log))
        reply: dict[str, Any] = json.loads(line)
        return reply


def start_worker(stack: ExitStack, name: str, *places: Path) -> Worker | str:
    """The worker, closed with the stack; or why there is none."""
    try:
        worker = Worker(name, *places)
    except PeerError as error:
        return cell(error)
    stack.callback(worker.close)
    return worker


def measure(
    names: Sequence[str],
    settings: ModelSettings,
    places: tuple[Path, Path, Path, Path],
    seconds: float,
    rounds: int,
    say: Callable[[str], None],
) -> str:
    """The table of the contenders; `places` are what a Worker takes after its name."""
    bulk: dict[str, list[float]] = {name: [] for name in names}
    middles: dict[str, list[float]] = {name: [] for name in names}
    tails: dict[str, list[float]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    samples: dict[str, Logits] = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name in names:
            say(f"in process: loading {CONTENDERS[name]}")
            worker = start_worker(stack, name, *places)
            if isinstance(worker, str):
                failed[name] = worker
                continue
            workers[name] = worker
            samples[name] = worker.sample(settings)
        for number in range(rounds):
            for name, worker in list(workers.items()):
                say(f"in process: round {number + 1} of {rounds}, {CONTENDERS[name]}")
                try:
                    order = {"seconds": seconds / rounds / 2}
                    bulk[name].append(worker.ask({"do": "bulk", **order}, 60 + 10 * seconds)["per_second"])
                    times = worker.ask({"do": "single", **order}, 60 + 10 * seconds)["ms"]
                except PeerError as error:
                    failed[name] = cell(error)
                    del workers[name]
                    continue
                middles[name].append(median(times))
                tails[name].append(percentile(times, 0.99))
    reference = samples.get("ours:torch")
    rows = []
    for name in names:
        if name in failed:
            rows.append([CONTENDERS[name], failed[name]])
            continue
        difference = "–" if reference is None else f"{np.abs(samples[name] - reference).max():.3f}"
        rows.append(
            [
                CONTENDERS[name],
                middle(bulk[name], 0),
                f"{max(bulk[name]):,.0f}",
                ratio(bulk[name], bulk.get(BASE, [])),
                middle(middles[name], 2),
                middle(tails[name], 2),
                ratio(middles.get(BASE, []), middles[name]),
                difference,
            ]
        )
    header = ["in process", "statements/s", "best", "× pipeline", "one: p50 ms", "p99 ms", "× faster than pipeline"]
    return markdown([*header, "largest difference of a probability from ours, torch"], rows)
