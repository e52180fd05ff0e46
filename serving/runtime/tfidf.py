"""TF-IDF + linear model without scikit-learn: the same n-grams at training and at inference.

`ngrams` is the analyzer that training hands to scikit-learn's TfidfVectorizer, so only the weighting
(sublinear counts, inverse document frequency, L2 norm) is computed here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from serving.inputs import HOLDER_MARKS, TARGET_MARKS, mention_span
from serving.labels import Logits
from serving.names.words import divided
from serving.statement import Statement
from serving.store.folder import ModelSettings

WEIGHTS_FILE = "tfidf.safetensors"
VOCABULARY_FILE = "vocabulary.json"

CHARACTERS = range(2, 6)  # lengths of the character n-grams inside a word
NEAR = 60  # characters on either side of a mention whose words are also counted as "near" it
TEXT_CHARACTERS = 20_000  # text beyond this adds cost and little else

_WORD = re.compile(r"\w+")


def ngrams(statement: Statement, template: str) -> Iterator[str]:
    """Words, word pairs, character n-grams, and (unless blind) the words near holder and target and their names."""
    words = _words(statement.text[:TEXT_CHARACTERS])
    yield from (f"w:{word}" for word in words)
    yield from (f"w:{a} {b}" for a, b in pairwise(words))
    for word in words:
        padded = f" {word} "
        for n in CHARACTERS:
            yield from (f"c:{padded[i : i + n]}" for i in range(len(padded) - n + 1))
    if template == "blind":
        return
    one = statement
    yield from _near(HOLDER_MARKS[0], one.text, one.speaker, one.speaker_start, one.speaker_end)
    yield from _near(TARGET_MARKS[0], one.text, one.target, one.target_start, one.target_end)


def _words(text: str) -> list[str]:
    return _WORD.findall(divided(text.lower()))


def _near(mark: str, text: str, name: str | None, start: int | None, end: int | None) -> Iterator[str]:
    """A name's words and those on either side of its mention, wherever in the text it stands."""
    if not name:
        yield f"{mark} none"
        return
    yield from (f"{mark}={word}" for word in _words(name))
    # Found before the text is lower-cased: that makes some characters two, and offsets wrong.
    if span := mention_span(text, name, start, end):
        yield from (f"{mark}<{word}" for word in _words(text[max(0, span[0] - NEAR) : span[0]]))
        yield from (f"{mark}>{word}" for word in _words(text[span[1] : span[1] + NEAR]))


def save_tfidf(folder: Path, vocabulary: Sequence[str], idf: Logits, weights: Logits, bias: Logits) -> None:
    """Write the model: `idf` (n-grams,), `weights` (n-grams, 6), `bias` (6,)."""
    (folder / VOCABULARY_FILE).write_text(json.dumps(list(vocabulary), ensure_ascii=False), encoding="utf-8")
    save_file({"idf": idf, "weights": np.ascontiguousarray(weights), "bias": bias}, folder / WEIGHTS_FILE)


@dataclass(frozen=True, slots=True)
class Counts:
    """The known n-grams of a statement: their places in the vocabulary and how often each occurs."""

    places: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.places)


class TfidfRuntime:
    """Logits of a TF-IDF + logistic regression model."""

    name = "numpy"
    streams = 1

    def __init__(self, folder: Path, settings: ModelSettings) -> None:
        names = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
        tensors = load_file(folder / WEIGHTS_FILE)
        self.template = settings.template
        self.vocabulary = {name: i for i, name in enumerate(names)}
        self.idf, self.weights, self.bias = tensors["idf"], tensors["weights"], tensors["bias"]

    def encode(self, statements: Sequence[Statement]) -> list[Counts]:
        """The n-grams of every statement."""
        return [self._count(statement) for statement in statements]

    def forward(self, batch: Sequence[Counts]) -> Logits:
        """Raw logits, shape (batch, 6)."""
        return np.stack([self._one(row) for row in batch])

    def _count(self, statement: Statement) -> Counts:
        counts = Counter(g for g in ngrams(statement, self.template) if g in self.vocabulary)
        places = np.fromiter((self.vocabulary[g] for g in counts), dtype=np.int64)
        return Counts(places, np.fromiter(counts.values(), dtype=np.float64))

    def _one(self, row: Counts) -> Logits:
        if not len(row):
            return np.asarray(self.bias, dtype=np.float64)
        values = (1 + np.log(row.counts)) * self.idf[row.places]
        logits: Logits = (values / np.linalg.norm(values)) @ self.weights[row.places] + self.bias
        return logits
