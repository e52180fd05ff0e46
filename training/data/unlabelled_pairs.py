"""Names that only stand together: pairs of a text that no label relates, taught as neutrality.

People label the pairs that say something, so a model trained on their labels finds a position between any two names.
Relation extraction samples such pairs for the same reason (Mintz et al. 2009, "Distant supervision for relation
extraction without labeled data").
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from training.data.corpus import Corpus, LabelledStatement, join

_WORD = re.compile(r"\w[\w-]*")
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n][\"”’)]*\s+)[\"“‘(]*(?=\w)")


def with_unrelated(corpus: Corpus, share: float, seed: int) -> Corpus:
    """The corpus and, for `share` of its texts with a stance, one row more: neutrality between two unrelated names.

    The holder of such a row is nobody who takes a side in the text, and the pair has no label there. A text without
    such a pair gets no row. The rows have no sentiment.
    """
    rng = np.random.default_rng(seed)
    sets = corpus.members or (corpus,)
    added = [replace(one, rows=list(_drawn(one.rows, share, rng)), lines=[]) for one in sets]
    return join([*sets, *(one for one in added if one.rows)])


def _drawn(rows: list[LabelledStatement], share: float, rng: np.random.Generator) -> Iterator[LabelledStatement]:
    texts: dict[tuple[str, str | None], list[LabelledStatement]] = defaultdict(list)
    for row in rows:
        if row.stance:
            texts[row.text, row.scheme].append(row)
    for same in texts.values():
        pairs = _pairs(same) if rng.random() < share else []
        if pairs:
            holder, target = pairs[rng.integers(len(pairs))]
            values = {"id": f"{same[0].id}/unrelated", "speaker": holder, "target": target, "stance": "neutrality"}
            kept = same[0].model_dump(include={"text", "scheme", "domain", "group"})
            yield LabelledStatement.model_validate({**kept, **values})


def _pairs(rows: list[LabelledStatement]) -> list[tuple[str, str]]:
    """(holder, target) of one text that nobody labelled, where the holder takes no side."""
    text = rows[0].text
    labelled = {(row.speaker, row.target) for row in rows}
    partial = [row.speaker for row in rows if row.speaker and row.stance != "neutrality"]
    named = {name for row in rows for name in (row.speaker, row.target) if name and name in text}
    names = sorted(named | set(capitalised(text)))
    return [
        (holder, target)
        for holder, target in permutations(names, 2)
        if not overlap(holder, target)
        and (holder, target) not in labelled
        and not any(overlap(holder, one) for one in partial)
    ]


def overlap(one: str, other: str) -> bool:
    """Whether one name is part of the other."""
    return one in other or other in one


def capitalised(text: str) -> list[str]:
    """Runs of capitalised words, but for a sentence's first word."""
    names: list[str] = []
    starts = {found.end() for found in _SENTENCE_START.finditer(text)}
    end = -1
    for word in _WORD.finditer(text):
        if not word[0][0].isupper() or word.start() in starts:
            continue
        if word.start() == end + 1 and text[end] == " ":
            names[-1] += f" {word[0]}"
        else:
            names.append(word[0])
        end = word.end()
    return names
