"""Texts too alike to stand on both sides of a split."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from scipy.sparse import csr_matrix

from serving.article.text.copies import NEAR_DUPLICATE, ngrams

Pair = tuple[int, int, float]


def similar_texts(texts: Sequence[str], least: float) -> Iterator[Pair]:
    """Pairs (i, j, similarity), i < j, whose character n-grams have a Jaccard similarity above `least`."""
    grams = _grams(texts)
    return (pair for pair in _similar(grams, grams, least, 512) if pair[0] < pair[1])


def similar_pairs(left: Sequence[str], right: Sequence[str], least: float, rows_at_once: int = 512) -> Iterator[Pair]:
    """Pairs (i, j, similarity) of a left and a right text above `least`, in order of the left ones."""
    if not left or not right:
        return iter(())
    grams = _grams([*left, *right])
    return _similar(grams[: len(left)], grams[len(left) :], least, rows_at_once)


class Unlike:
    """Texts that are unlike each other, one added after another."""

    def __init__(self) -> None:
        self._kept: list[set[str]] = []

    def add(self, text: str) -> bool:
        """Keep the text, unless one that was kept before is nearly the same; says whether it was kept."""
        grams = ngrams(text)
        near = any(_are_near(grams, one) for one in self._kept)
        if not near:
            self._kept.append(grams)
        return not near


def _are_near(one: set[str], other: set[str]) -> bool:
    few, many = sorted((len(one), len(other)))
    if few <= NEAR_DUPLICATE * many:
        return False
    common = len(one & other)
    return common > NEAR_DUPLICATE * (few + many - common)


def _grams(texts: Sequence[str]) -> csr_matrix:
    """Which n-grams each text holds, shape (texts, n-grams of all texts), zeros and ones."""
    held = [list(map(hash, ngrams(text))) for text in texts]  # numbers are sorted ten times as fast as words
    ends = np.cumsum([0, *map(len, held)])
    known, columns = np.unique(np.fromiter(chain.from_iterable(held), np.int64, ends[-1]), return_inverse=True)
    return csr_matrix((np.ones(ends[-1], np.int32), columns, ends), shape=(len(texts), max(1, len(known))))


def _similar(left: csr_matrix, right: csr_matrix, least: float, rows_at_once: int) -> Iterator[Pair]:
    sizes, other_sizes = (np.asarray(grams.sum(axis=1)).ravel() for grams in (left, right))
    for start in range(0, left.shape[0], rows_at_once):
        common = (left[start : start + rows_at_once] @ right.T).tocoo()
        rows = common.row + start
        jaccard = common.data / (sizes[rows] + other_sizes[common.col] - common.data)
        keep = jaccard > least
        yield from zip(rows[keep].tolist(), common.col[keep].tolist(), jaccard[keep].tolist(), strict=True)
