"""From statements to logits: a transformers checkpoint on PyTorch or OpenVINO, a linear model on numpy."""

import inspect
import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from serving.artifact import INT8_FOLDER, ModelSettings
from serving.errors import StancewiseError
from serving.inputs import InputEncoder, Tokens
from serving.labels import Logits
from serving.statement import Statement

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 2048  # padded tokens in one forward pass; on 2 cores int8 is fastest with it, PyTorch no slower
MULTIPLE = 8  # lengths are rounded up to it: OpenVINO prepares (and keeps) code for every shape it meets
CHUNK = 512  # statements tokenised at once while earlier ones are in the model

RuntimeName = Literal["auto", "torch", "openvino"]


class Runtime(Protocol):
    """What the classifier and the server need of a model."""

    name: str
    streams: int  # forward passes that are worth running at once

    def encode(self, statements: Sequence[Statement]) -> Sequence[Any]:
        """What `forward` reads, one item per statement; its `len` is its cost in tokens.

        Raises:
            StancewiseError: a target is too long for the model.
        """
        ...

    def forward(self, batch: Sequence[Any]) -> Logits:
        """Raw logits of one batch, shape (batch, 6); may be called from several threads."""
        ...


def all_logits(runtime: Runtime, statements: Sequence[Statement]) -> Logits:
    """Raw logits, shape (statements, 6), in the order given: batches of like length, counted in padded tokens.

    Later statements are tokenised while earlier ones are in the model.

    Raises:
        StancewiseError: a target is too long for the model.
    """
    if len(statements) == 1:
        return runtime.forward(runtime.encode(statements))
    result = np.empty((len(statements), 6))
    waiting: list[tuple[npt.NDArray[np.int64], Future[Logits]]] = []
    with ThreadPoolExecutor(runtime.streams) as pool:
        for start in range(0, len(statements), CHUNK):
            encoded = runtime.encode(statements[start : start + CHUNK])
            for chosen in token_batches([len(row) for row in encoded], BATCH_TOKENS):
                batch = [encoded[i] for i in chosen]
                waiting.append((np.array(chosen) + start, pool.submit(runtime.forward, batch)))
        for places, logits in waiting:
            result[places] = logits.result()
    return result


def token_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices in order of length, cut so that rows times the longest row stays within `tokens`."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


class Padding:
    """Makes a rectangle of rows of different length."""

    def __init__(self, folder: Path) -> None:
        # Not any number will do: RoBERTa and its kin count positions by the padding token.
        self.token = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("pad_token_id") or 0

    def __call__(self, batch: Sequence[Tokens]) -> dict[str, npt.NDArray[np.int64]]:
        """Token ids, types and attention mask, each of shape (batch, longest or a little more)."""
        longest = max(map(len, batch))
        if len(batch) > 1:
            longest = -(-longest // MULTIPLE) * MULTIPLE
        shape = (len(batch), longest)
        ids = np.full(shape, self.token, dtype=np.int64)
        types, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        for i, row in enumerate(batch):
            ids[i, : len(row)] = row.ids
            types[i, : len(row)] = row.types
            mask[i, : len(row)] = 1
        return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask}


def load_inputs(folder: Path, settings: ModelSettings) -> InputEncoder:
    """The input encoder of a model folder, without transformers."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return InputEncoder(tokenizer, settings.template, settings.max_length, settings.schemes)


class TorchRuntime:
    """A six-logit `AutoModelForSequenceClassification` on PyTorch."""

    name = "torch"
    streams = 1  # one pass uses every core

    def __init__(self, folder: Path, settings: ModelSettings, device: str) -> None:
        from transformers import AutoModelForSequenceClassification

        self.device = _device(device)
        model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        self.model = model.to(self.device).eval()
        self.inputs = load_inputs(folder, settings)
        self.pad = Padding(folder)
        self.reads = inspect.signature(self.model.forward).parameters.keys()

    def encode(self, statements: Sequence[Statement]) -> list[Tokens]:
        """The tokens of every statement."""
        return self.inputs.encode(statements)

    def forward(self, batch: Sequence[Tokens]) -> Logits:
        """Raw logits of one batch, shape (batch, 6)."""
        import torch

        arrays = {name: array for name, array in self.pad(batch).items() if name in self.reads}
        with torch.inference_mode():
            output = self.model(**{k: torch.from_numpy(a).to(self.device) for k, a in arrays.items()}).logits
        logits: Logits = output.double().cpu().numpy()
        return logits


def _device(name: str) -> "torch.device":
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise StancewiseError(f"device: {name!r} is none; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise StancewiseError(f"device: {name} asked for, but torch sees no GPU; use auto or cpu")
    return device


def load_runtime(
    folder: Path,
    settings: ModelSettings,
    device: str = "auto",
    runtime: RuntimeName = "auto",
    threads: int | None = None,
) -> Runtime:
    """The runtime for a model folder.

    Args:
        folder: of the model.
        settings: what is written in its `stancewise.json`.
        device: `auto`, `cpu` or a torch device such as `cuda:0`.
        runtime: `auto` takes int8 on a CPU where the folder holds it, else PyTorch.
        threads: for int8 (default: the cores that this process may use).

    Raises:
        StancewiseError: the weights cannot be read, or the folder does not hold what is asked for.
    """
    try:
        if settings.kind == "tfidf":
            from serving.tfidf import TfidfRuntime

            return TfidfRuntime(folder, settings)
        if chosen_runtime(folder, device, runtime) == "openvino":
            from serving.int8 import OpenVinoRuntime

            return OpenVinoRuntime(folder, settings, threads)
        return TorchRuntime(folder, settings, device)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise StancewiseError(f"{folder}: the weights cannot be read ({error}); fetch the model again") from None


def chosen_runtime(folder: Path, device: str, runtime: RuntimeName) -> Literal["torch", "openvino"]:
    """Which runtime a folder is loaded with.

    Raises:
        StancewiseError: openvino is asked for where it cannot be.
    """
    held = (folder / INT8_FOLDER).is_dir()
    if runtime == "openvino":
        if not held:
            raise StancewiseError(
                f"{folder}: holds no int8 model; make one with: python -m serving optimize --model ..., "
                "or load it with runtime torch"
            )
        if device not in ("auto", "cpu"):
            raise StancewiseError(f"device: int8 runs on the CPU, not on {device}; use device cpu, or runtime torch")
        return "openvino"
    if runtime == "torch" or not held or not find_spec("openvino"):
        return "torch"
    if device == "cpu" or not (folder / "model.safetensors").is_file() or not find_spec("torch"):
        return "openvino"
    import torch

    return "torch" if device != "auto" or torch.cuda.is_available() else "openvino"
