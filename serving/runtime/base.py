"""What every runtime is and shares: the protocol, batches counted in tokens, padding, the input encoder."""

import json
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from serving.inputs import InputEncoder, Tokens
from serving.labels import Logits
from serving.statement import Statement
from serving.store.folder import ModelSettings

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
    """Indices in order of length, cut so that rows times the longest row, padded, stays within `tokens`."""
    batches: list[list[int]] = []
    padded = [_padded(length) for length in lengths]
    for i in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batches and (len(batches[-1]) + 1) * padded[i] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _padded(length: int) -> int:
    return -(-length // MULTIPLE) * MULTIPLE


class Padding:
    """Makes a rectangle of rows of different length."""

    def __init__(self, folder: Path) -> None:
        # Not any number will do: RoBERTa and its kin count positions by the padding token.
        self.token = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("pad_token_id") or 0

    def __call__(self, batch: Sequence[Tokens]) -> dict[str, npt.NDArray[np.int64]]:
        """Token ids, types and attention mask, each of shape (batch, longest or a little more)."""
        longest = max(map(len, batch))
        if len(batch) > 1:
            longest = _padded(longest)
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
