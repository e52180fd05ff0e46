"""Which runtime a model folder is loaded with."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError

from serving.errors import StancewiseError
from serving.runtime.base import Runtime, RuntimeName
from serving.runtime.reader import READER_FOLDER, PairReader
from serving.store.folder import INT8_FOLDER, ModelSettings


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
            from serving.runtime.tfidf import TfidfRuntime

            return TfidfRuntime(folder, settings)
        if chosen_runtime(folder, device, runtime) == "openvino":
            from serving.runtime.int8 import OpenVinoRuntime

            return OpenVinoRuntime(folder, settings, threads)
        from serving.runtime.pytorch import TorchRuntime

        return TorchRuntime(folder, settings, device)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise StancewiseError(f"{folder}: the weights cannot be read ({error}); fetch the model again") from None


def load_reader(folder: Path, device: str = "auto") -> PairReader | None:
    """The reader of a model folder; None: it has none.

    Raises:
        StancewiseError: its files cannot be read, or PyTorch is not installed: rules alone would find other positions
            without a word of it.
    """
    if not (folder / READER_FOLDER).is_dir():
        return None
    if not (find_spec("torch") and find_spec("transformers")):
        raise StancewiseError(
            "the model's reader of articles needs PyTorch; install it with: pip install torch transformers"
        )
    return PairReader(folder / READER_FOLDER, device)


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
