"""The labels of both heads and their places among the six logits."""

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
