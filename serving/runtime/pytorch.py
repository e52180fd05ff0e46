"""A transformers checkpoint on PyTorch."""

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import StancewiseError
from serving.inputs import Tokens
from serving.labels import Logits
from serving.runtime.base import Padding, load_inputs
from serving.runtime.first_token import first_token_only
from serving.statement import Statement
from serving.store.folder import ModelSettings

if TYPE_CHECKING:
    import torch


class TorchRuntime:
    """A six-logit `AutoModelForSequenceClassification` on PyTorch."""

    name = "torch"
    streams = 1  # one pass uses every core

    def __init__(self, folder: Path, settings: ModelSettings, device: str) -> None:
        from transformers import AutoModelForSequenceClassification

        self.device = torch_device(device)
        model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        first_token_only(model)
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


def torch_device(name: str) -> "torch.device":
    """A device by its name; `auto` is a GPU where there is one.

    Raises:
        StancewiseError: there is no such device here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise StancewiseError(f"device: {name!r} is not a device; use auto, cpu or cuda") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise StancewiseError(f"device: {name} was asked for, but torch finds no GPU; use auto or cpu")
    return device
