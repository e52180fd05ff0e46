"""A vocabulary cut to some scripts: a multilingual encoder is mostly words, and most of them are never needed."""

import json
import unicodedata
from typing import Any

import torch
from tokenizers import Tokenizer

from serving.errors import StancewiseError
from training.config import Script

# How the Unicode names of a script's letters begin, where that is not the script's own name.
_UNICODE = {"Han": ("CJK",), "Kana": ("HIRAGANA", "KATAKANA")}


def trim(tokenizer: Any, model: Any, scripts: tuple[Script, ...]) -> None:
    """Drop the pieces that have a letter of another script, from the tokenizer and from the word embeddings.

    Digits, marks and special tokens stay. What was written with a dropped piece becomes smaller pieces or unknown.

    Args:
        tokenizer: of transformers; its pieces get new ids.
        model: loses the rows of the dropped pieces.
        scripts: whose letters stay.

    Raises:
        StancewiseError: the tokenizer has no list of pieces with scores (Unigram), as those of XLM-R and E5 have.
    """
    packed = json.loads(tokenizer.backend_tokenizer.to_str())
    if packed["model"]["type"] != "Unigram":
        raise StancewiseError("encoder.trim: this tokenizer cannot be cut, only one of XLM-R's kind; leave the key out")
    wanted = tuple(name for script in scripts for name in _UNICODE.get(script, (script.upper(),)))
    pieces, special = packed["model"]["vocab"], {token["content"] for token in packed["added_tokens"]}
    kept = [i for i, (piece, _) in enumerate(pieces) if piece in special or all(_fits(c, wanted) for c in piece)]
    beyond = [token for token in packed["added_tokens"] if token["id"] >= len(pieces)]  # marks of a model of ours
    rows = kept + [token["id"] for token in beyond]
    ids = {pieces[old][0]: new for new, old in enumerate(kept)}
    ids |= {token["content"]: len(kept) + i for i, token in enumerate(beyond)}
    packed["model"]["vocab"] = [pieces[old] for old in kept]
    packed["model"]["unk_id"] = kept.index(packed["model"]["unk_id"])
    for token in packed["added_tokens"]:
        token["id"] = ids[token["content"]]
    for token in (packed["post_processor"] or {}).get("special_tokens", {}).values():
        token["ids"] = [ids[content] for content in token["tokens"]]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(packed))
    table, padding = model.get_input_embeddings(), ids.get(tokenizer.pad_token)
    weight = table.weight.detach()[rows].clone()
    model.set_input_embeddings(torch.nn.Embedding(len(weight), weight.shape[1], padding, _weight=weight))
    model.config.vocab_size, model.config.pad_token_id = len(weight), padding


def _fits(character: str, names: tuple[str, ...]) -> bool:
    return not character.isalpha() or unicodedata.name(character, "").removeprefix("FULLWIDTH ").startswith(names)
