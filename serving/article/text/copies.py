"""Texts that are one: the same words, or agency copy in which an outlet has changed a few."""

import datetime
import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serving.article.text.front import without_front_matter
from serving.names.words import UNSPACED

NEAR_DUPLICATE = 0.6  # Jaccard similarity of character n-grams above which two texts are one
COPIED_WITHIN = datetime.timedelta(days=7)  # beyond it, a text that is nearly another one is news of its own

# Characters of an n-gram, about a word: fewer where words are written with one letter or two and without blanks.
_LENGTH, _UNSPACED_LENGTH = 5, 2
_LEAST_NGRAMS = 200  # about three sentences: of shorter texts a few words are too much to be passed over
_HASHES = 256  # the estimate of a similarity has a standard error of at most 0.031
_AT_ONCE = 2048  # n-grams; a text of millions of characters would fill the memory

_UNSPACED = re.compile(f"[{UNSPACED}]")
_random = np.random.default_rng(20260314)  # the same texts are copies on every machine
_FACTORS = _random.integers(0, 2**63, _HASHES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_TERMS = _random.integers(0, 2**63, _HASHES, dtype=np.uint64)


@dataclass(frozen=True)
class Outline:
    """What is remembered of a text to know its copies by."""

    digest: bytes  # of its words, without front matter, white space and case
    hashes: npt.NDArray[np.uint32] | None  # MinHash, shape (_HASHES,); None: too short to be nearly another text


def ngrams(text: str) -> set[str]:
    """The character n-grams of a text, without regard to white space and case."""
    plain = " ".join(text.lower().split())
    length = _UNSPACED_LENGTH if 2 * len(_UNSPACED.findall(plain)) > len(plain) else _LENGTH
    return {plain[i : i + length] for i in range(len(plain) - length + 1)}


def outline(text: str) -> Outline:
    """What two texts are compared by: for near ones MinHash (Broder 1997) of their n-grams."""
    plain = " ".join(without_front_matter(text).split()).casefold()
    grams = ngrams(plain)
    digest = hashlib.blake2b(plain.encode(), digest_size=16).digest()
    if len(grams) < _LEAST_NGRAMS:
        return Outline(digest, None)
    hashed = np.fromiter((zlib.crc32(gram.encode()) for gram in grams), np.uint64, len(grams))
    least = np.full(_HASHES, np.iinfo(np.uint64).max, np.uint64)
    for start in range(0, len(hashed), _AT_ONCE):
        some = hashed[start : start + _AT_ONCE, None] * _FACTORS + _TERMS
        least = np.minimum(least, some.min(axis=0))
    return Outline(digest, (least >> np.uint64(32)).astype(np.uint32))


def find_copies(outlines: Sequence[Outline], days: Sequence[datetime.date | None]) -> dict[int, int]:
    """Which texts are copies, and of which earlier one each: place -> place.

    The same words are a copy whenever they are printed, and of copies the first by day is the one that counts; of
    texts without a day the first. Texts that are nearly the same are copies if their days are at most COPIED_WITHIN
    apart. Every text within that time is compared with every other.

    Args:
        outlines: of the texts.
        days: of the texts; without one nothing is nearly the same.
    """
    order = sorted(range(len(days)), key=lambda place: (days[place] or datetime.date.max, place))
    first: dict[bytes, int] = {}
    copies: dict[int, int] = {}
    originals: list[int] = []  # that may have near copies, by day
    for place in order:
        if (other := first.setdefault(outlines[place].digest, place)) != place:
            copies[place] = other
        elif days[place] and outlines[place].hashes is not None:
            originals.append(place)
    if not originals:
        return copies
    hashes = np.stack([one for place in originals if (one := outlines[place].hashes) is not None])
    ordinals = np.array([day.toordinal() for place in originals if (day := days[place])])
    counts = np.ones(len(originals), dtype=bool)
    for later, place in enumerate(originals):
        begin = int(np.searchsorted(ordinals, ordinals[later] - COPIED_WITHIN.days))
        earlier = begin + np.flatnonzero(counts[begin:later])
        alike = (hashes[earlier] == hashes[later]).mean(axis=1)
        if len(alike) and alike.max() > NEAR_DUPLICATE:
            copies[place] = originals[earlier[alike.argmax()]]
            counts[later] = False
    # A copy of what is itself a near copy is one of its original.
    return {place: copies.get(other, other) for place, other in copies.items()}
