"""The int8 model on OpenVINO: the fast way on a CPU, with neither torch nor transformers."""

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import openvino

from serving.artifact import INT8_FOLDER, ModelSettings
from serving.cores import usable_cores
from serving.inputs import Tokens
from serving.labels import Logits
from serving.runtimes import Padding, load_inputs
from serving.statement import Statement


class OpenVinoRuntime:
    """A six-logit encoder compiled by OpenVINO."""

    name = "openvino"

    def __init__(self, folder: Path, settings: ModelSettings, threads: int | None = None) -> None:
        self.inputs = load_inputs(folder, settings)
        self.pad = Padding(folder)
        try:
            compiled = compile_model(folder / INT8_FOLDER / "model.xml", threads or usable_cores())
        except RuntimeError as error:
            raise ValueError(str(error).strip().splitlines()[0]) from None
        self.reads = [port.get_any_name() for port in compiled.inputs]
        self.streams = int(compiled.get_property("NUM_STREAMS"))
        self.requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            self.requests.put(compiled.create_infer_request())

    def encode(self, statements: Sequence[Statement]) -> list[Tokens]:
        """The tokens of every statement."""
        return self.inputs.encode(statements)

    def forward(self, batch: Sequence[Tokens]) -> Logits:
        """Raw logits of one batch, shape (batch, 6)."""
        arrays = self.pad(batch)
        request = self.requests.get()
        try:
            outputs = request.infer([arrays[name] for name in self.reads], share_inputs=True)
            return np.array(outputs[0], dtype=np.float64)
        finally:
            self.requests.put(request)


def compile_model(path: Path, threads: int) -> Any:
    """The compiled model; int8 and fp32 files are run alike.

    Raises:
        RuntimeError: OpenVINO cannot read the files.
    """
    return openvino.Core().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1})
