"""Answers of every contender in one form: six calibrated probabilities, in the order of the model's labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.classifier import softmax
from serving.labels import HEADS, LOGIT_NAMES, LOGITS, Logits
from serving.store.folder import ModelSettings


def from_logits(logits: Logits, settings: ModelSettings) -> Logits:
    """Calibrate raw logits of shape (..., 6).

    Logarithms of scores serve as well: a softmax over all six moves each head's logits by one constant, which the
    softmax over the head takes away again.
    """
    result = np.zeros_like(logits)
    for head in settings.heads:
        result[..., LOGITS[head]] = softmax(logits[..., LOGITS[head]] / settings.temperatures[head])
    return result


def from_scores(scores: list[dict[str, Any]], settings: ModelSettings) -> Logits:
    """Calibrate one answer of a text-classification pipeline."""
    found = {entry["label"]: float(entry["score"]) for entry in scores}
    return from_logits(np.log([found[name] for name in LOGIT_NAMES]), settings)


def from_heads(heads: Mapping[str, Mapping[str, float] | None]) -> Logits:
    """Line up probabilities that are calibrated already; a head that was not trained is zeros."""
    return np.array([(heads.get(head) or {}).get(label, 0.0) for head, labels in HEADS.items() for label in labels])
