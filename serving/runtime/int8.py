"""The int8 model on OpenVINO: the fast way on a CPU, with neither torch nor transformers."""

import time
from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any

import numpy as np
import openvino

from serving.inputs import Tokens
from serving.labels import Logits
from serving.runtime.base import Padding, load_inputs
from serving.runtime.cores import usable_cores
from serving.statement import Statement
from serving.store.folder import INT8_FOLDER, ModelSettings

# Operations of a kind that each stream keeps prepared for the shapes it has seen (benchmarks/memory.py). OpenVINO's own
# 5,000 come to gigabytes, 500 still grow after 60,000 statements, and with 200 as many are labelled a second.
PREPARED = 200
LONE = 4  # statements at most in a batch that gets every thread
CROWDED = 1.0  # seconds after two batches at once in which none gets every thread: it would take them from others


class OpenVinoRuntime:
    """A six-logit encoder compiled by OpenVINO."""

    name = "openvino"

    def __init__(self, folder: Path, settings: ModelSettings, threads: int | None = None) -> None:
        self.inputs = load_inputs(folder, settings)
        self.pad = Padding(folder)
        threads = threads or usable_cores()
        try:
            model = openvino.Core().read_model(folder / INT8_FOLDER / "model.xml")
            # A thread of its own for every batch is the fastest in bulk; a lone statement is faster with all of them.
            alone, streams = (compile_model(model, threads, streams=count) for count in (1, threads))
        except RuntimeError as error:
            raise ValueError(str(error).strip().splitlines()[0]) from None
        self.reads = [port.get_any_name() for port in streams.inputs]
        self.streams = threads
        self.alone = alone.create_infer_request()
        self.requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(threads):
            self.requests.put(streams.create_infer_request())
        self.lock = Lock()
        self.running = 0
        self.crowded = -CROWDED  # when two batches last ran at once
        # OpenVINO's Python layer sets itself up in the first call, and two first calls at once may wait for each other
        # for ever: this one is alone.
        self.forward([Tokens([self.pad.token], [0])])

    def encode(self, statements: Sequence[Statement]) -> list[Tokens]:
        """The tokens of every statement."""
        return self.inputs.encode(statements)

    def forward(self, batch: Sequence[Tokens]) -> Logits:
        """Raw logits of one batch, shape (batch, 6)."""
        arrays = self.pad(batch)
        with self.lock:
            if self.running:
                self.crowded = time.monotonic()
            lone = len(batch) <= LONE and time.monotonic() - self.crowded > CROWDED
            self.running += 1
        request = self.alone if lone else self.requests.get()
        try:
            outputs = request.infer([arrays[name] for name in self.reads], share_inputs=True)
            return np.array(outputs[0], dtype=np.float64)
        finally:
            if not lone:
                self.requests.put(request)
            with self.lock:
                self.running -= 1


def compile_model(model: Any, threads: int, streams: int) -> Any:
    """The compiled model; int8 and fp32 models are run alike.

    Raises:
        RuntimeError: OpenVINO cannot compile it.
    """
    # What is not int8 stays in fp32: in bf16, OpenVINO's choice where a CPU has it, answers would differ by machine and
    # from what the model was checked with, and nothing would be gained (measured on 2 cores with AVX-512 BF16).
    how = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams, "INFERENCE_PRECISION_HINT": "f32"}
    return openvino.Core().compile_model(model, "CPU", {**how, "CPU_RUNTIME_CACHE_CAPACITY": PREPARED})
