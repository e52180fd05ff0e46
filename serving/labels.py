"""The labels of both heads and their places among the six logits."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

UNLABELLED = -100  # the label index of a row that its head leaves out

Logits = npt.NDArray[np.float64]  # shape (statements, 6) unless said otherwise

Head = Literal["stance", "sentiment"]

STANCES = ("support", "neutrality", "criticism")
SENTIMENTS = ("positive", "neutral", "negative")

HEADS: dict[str, tuple[str, ...]] = {"stance": STANCES, "sentiment": SENTIMENTS}
LOGITS: dict[str, slice] = {"stance": slice(0, 3), "sentiment": slice(3, 6)}
LOGIT_NAMES = tuple(f"{head}:{label}" for head, labels in HEADS.items() for label in labels)


def label_indices(head: str, labels: Iterable[object]) -> npt.NDArray[np.int64]:
    """The place of every label among its head's, shape (labels,); UNLABELLED for what is none of them."""
    places: dict[object, int] = {label: place for place, label in enumerate(HEADS[head])}
    return np.array([places.get(label, UNLABELLED) for label in labels], dtype=np.int64)
