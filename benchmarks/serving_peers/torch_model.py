"""The checkpoint as a user of a serving framework writes it: transformers, padding to the batch, one forward pass."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class TorchModel:
    """Logits of rendered texts."""

    def __init__(self, folder: str) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Shape (texts, labels)."""
        with torch.inference_mode():
            return self.model(**self.tokenizer(list(texts), padding=True, return_tensors="pt")).logits.numpy()
