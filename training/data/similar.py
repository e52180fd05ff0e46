"""Texts too alike to stand on both sides of a split."""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

NEAR_DUPLICATE = 0.6  # Jaccard similarity of character 5-grams above which two texts are one

Pair = tuple[int, int, float]


def similar_texts(texts: Sequence[str], least: float) -> Iterator[Pair]:
    """Pairs (i, j, similarity), i < j, whose character 5-grams have a Jaccard similarity above `least`."""
    return (pair for pair in similar_pairs(texts, texts, least) if pair[0] < pair[1])


def similar_pairs(left: Sequence[str], right: Sequence[str], least: float, rows_at_once: int = 512) -> Iterator[Pair]:
    """Pairs (i, j, similarity) of a left and a right text above `least`, in order of the left ones."""
    if not any(len(text) >= 5 for text in (*left, *right)):
        return
    counter = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, dtype=np.int32).fit([*left, *right])
    ours, theirs = csr_matrix(counter.transform(left)), csr_matrix(counter.transform(right))
    sizes, other_sizes = (np.asarray(grams.sum(axis=1)).ravel() for grams in (ours, theirs))
    for start in range(0, len(left), rows_at_once):
        common = (ours[start : start + rows_at_once] @ theirs.T).tocoo()
        rows = common.row + start
        jaccard = common.data / (sizes[rows] + other_sizes[common.col] - common.data)
        keep = jaccard > least
        yield from zip(rows[keep].tolist(), common.col[keep].tolist(), jaccard[keep].tolist(), strict=True)
