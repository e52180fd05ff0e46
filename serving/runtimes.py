"""The two ways to get logits: a transformers checkpoint on PyTorch, a linear model on numpy."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from safetensors import SafetensorError

from serving.artifact import ModelSettings
from serving.errors import StancewiseError
from serving.labels import Logits
from serving.statement import Statement

if TYPE_CHECKING:
    import torch

BATCH_TOKENS = 4096  # padded tokens in one forward pass; measured flat from 2,048 to 8,192 on 2 cores


class Runtime(Protocol):
    """What the classifier needs of a model."""

    def logits(self, statements: Sequence[Statement]) -> Logits:
        """Raw logits, shape (statements, 6), in the order given."""
        ...


class EncoderRuntime:
    """A six-logit `AutoModelForSequenceClassification` on PyTorch."""

    def __init__(self, folder: Path, settings: ModelSettings, device: str) -> None:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        from serving.inputs import InputEncoder

        self.device = _device(device)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(folder, use_safetensors=True, local_files_only=True)
        self.model = model.to(self.device).eval()
        self.inputs = InputEncoder(tokenizer, settings.template, settings.max_length, settings.schemes)

    def logits(self, statements: Sequence[Statement]) -> Logits:
        """Raw logits, shape (statements, 6): batches of like length, counted in padded tokens."""
        import torch

        encoded = self.inputs.encode(statements)
        result = np.empty((len(statements), 6))
        for chosen in token_batches([len(row["input_ids"]) for row in encoded], BATCH_TOKENS):
            batch = self.inputs.tokenizer.pad([encoded[i] for i in chosen], return_tensors="pt")
            with torch.inference_mode():
                output = self.model(**batch.to(self.device)).logits
            result[chosen] = output.double().cpu().numpy()
        return result


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


def token_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Indices in order of length, cut so that rows times the longest row stays within `tokens`."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * lengths[i] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def load_runtime(folder: Path, settings: ModelSettings, device: str) -> Runtime:
    """The runtime for a model folder.

    Raises:
        StancewiseError: the weights cannot be read.
    """
    try:
        if settings.kind == "tfidf":
            from serving.tfidf import TfidfRuntime

            return TfidfRuntime(folder, settings)
        return EncoderRuntime(folder, settings, device)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise StancewiseError(f"{folder}: the weights cannot be read ({error}); fetch the model again") from None
