"""Sentences with their pairs of mentions, as the reader's model gets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from serving.inputs import Offsets
from serving.labels import HEADS

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

ANSWERS = ("nothing", *HEADS["stance"])  # neutrality: declared, such as an abstention
FEATURES = 15  # numbers of grammar that go with a pair
BEFORE = 300  # characters of the sentence before that are read

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Mention:
    """Where somebody or something stands in a sentence: characters of the whole phrase and of its head word."""

    phrase: Offsets
    head: Offsets


@dataclass(frozen=True)
class Pair:
    """Who may take a position on what."""

    holder: Mention | None  # None: whoever the text around belongs to
    target: Mention
    features: tuple[float, ...]


@dataclass(frozen=True)
class PairedSentence:
    """A sentence, what stands before it, and the pairs in it that are asked about."""

    before: str
    text: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True)
class Located:
    """A sentence as tokens, and its pairs as places among them."""

    ids: list[int]
    places: list[tuple[int, ...]]  # of each pair: first and last token of four spans, as in `SPANS`
    features: list[tuple[float, ...]]
    kept: list[int]  # which of the pairs lie within the tokens


def locate(sentence: PairedSentence, tokenizer: "Tokenizer", max_length: int) -> Located:
    """The tokens of a sentence with the end of the one before it, and where its pairs stand.

    A place is (first, last) of the holder's phrase, the holder's head, the target's phrase, the target's head; the
    author stands at the first token. Pairs beyond `max_length` are left out.
    """
    before = sentence.before[-BEFORE:]
    encoded: Encoding = tokenizer.encode(before, sentence.text)
    own = 1
    if not before or len(encoded.ids) > max_length:  # the sentence itself matters more
        encoded, own = tokenizer.encode(sentence.text), 0
    offsets = [
        (place, span)
        for place, (span, which) in enumerate(zip(encoded.offsets, encoded.sequence_ids, strict=True))
        if which == own and place < max_length
    ]
    found = Located(encoded.ids[:max_length], [], [], [])
    place_of = cache(partial(_place, offsets=offsets))  # a mention stands in many pairs
    for number, pair in enumerate(sentence.pairs):
        holder = place_of(pair.holder) if pair.holder else (0, 0, 0, 0)
        target = place_of(pair.target)
        if holder and target:
            found.places.append(holder + target)
            found.features.append(pair.features)
            found.kept.append(number)
    return found


def _place(mention: Mention, offsets: Sequence[tuple[int, Offsets]]) -> tuple[int, ...] | None:
    found: list[int] = []
    for start, end in (mention.phrase, mention.head):
        inside = [place for place, span in offsets if span[0] < end and start < span[1]]
        if not inside:
            return None
        found += [inside[0], inside[-1]]
    return tuple(found)


def rectangle(located: Sequence[Located], padding: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one pass.

    `input_ids` and `attention_mask` of shape (sentences, longest), `rows` of shape (pairs,), `places` (pairs, 8) and
    `features` (pairs, `FEATURES`).
    """
    longest = max(len(one.ids) for one in located)
    ids = np.full((len(located), longest), padding, dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(located):
        ids[row, : len(one.ids)] = one.ids
        mask[row, : len(one.ids)] = 1
    rows = [row for row, one in enumerate(located) for _ in one.places]
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "rows": np.array(rows, dtype=np.int64),
        "places": np.array([place for one in located for place in one.places], dtype=np.int64).reshape(-1, 8),
        "features": np.array([one for each in located for one in each.features], dtype=np.float32).reshape(
            -1, FEATURES
        ),
    }
