"""The loss: masked cross-entropies of both heads, and the masses they aim at."""

from typing import Any

import numpy as np
import torch

from serving.labels import HEADS, LOGITS, UNLABELLED, Head
from training.config import Loss
from training.data.corpus import Corpus
from training.evaluation.metrics import Floats, Ints


class MaskedLoss:
    """Sum of the heads' cross-entropies; a row without a label for a head does not count for that head."""

    def __init__(self, heads: tuple[Head, ...], train: Corpus, loss: Loss, device: torch.device) -> None:
        self.heads = heads
        self.class_weights = {
            head: torch.tensor(balanced_weights(train.labels(head)), dtype=torch.float32, device=device)
            for head in heads
            if loss.class_weights == "balanced"
        }

    def __call__(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Loss of a batch: logits of shape (rows, 6), labels the target masses of `target_masses`, of the same shape.

        Divided by the rows labelled, not by their weights: a light row stays light in a batch of light rows. Of a piece
        of a batch, `num_items_in_batch` are the rows labelled in the whole batch, shape (heads,).
        """
        counts = self.labelled(labels) if num_items_in_batch is None else num_items_in_batch
        total = outputs.logits.new_zeros(())
        for head, known in zip(self.heads, counts, strict=True):
            mass = labels[:, LOGITS[head]]
            if head in self.class_weights:
                mass = mass * self.class_weights[head]
            crossed = (mass * outputs.logits[:, LOGITS[head]].float().log_softmax(dim=1)).sum()
            total = total - crossed / (known + (known == 0))
        return total

    def labelled(self, labels: torch.Tensor) -> torch.Tensor:
        """Rows with a label for each head, shape (heads,)."""
        return torch.stack([(labels[:, LOGITS[head]].sum(dim=1) > 0).sum() for head in self.heads])


def target_masses(corpus: Corpus, heads: tuple[Head, ...], loss: Loss) -> Floats:
    """What the loss aims at, shape (rows, 6): the row's weight on its label, zeros for a head without one.

    With `votes`, a row with annotators' votes spreads its weight over their shares (Peterson et al. 2019, "Human
    uncertainty makes classification more robust"). Where a teacher gave probabilities, they take `teacher_share` of the
    weight, and all of it where there is no label (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network").
    """
    masses = np.zeros((len(corpus.rows), 6))
    for head in heads:
        labels = corpus.labels(head)
        known = np.flatnonzero(labels != UNLABELLED)
        masses[known, LOGITS[head].start + labels[known]] = 1
    for i, row in enumerate(corpus.rows):
        if loss.votes and row.stance_votes and "stance" in heads:
            counts = [row.stance_votes.count(label) for label in HEADS["stance"]]
            masses[i, LOGITS["stance"]] = np.array(counts) / len(row.stance_votes)
        for head in heads:
            if row.taught and head in row.taught:
                own = masses[i, LOGITS[head]]
                share = loss.teacher_share if own.any() else 1.0
                masses[i, LOGITS[head]] = (1 - share) * own + share * np.array(row.taught[head])
    return masses * corpus.weights()[:, None]


def balanced_weights(labels: Ints) -> Floats:
    """Weight of each class, inverse to its frequency; the mean over the labelled rows is 1, absent classes get 0."""
    counts = np.bincount(labels[labels != UNLABELLED], minlength=3).astype(np.float64)
    present = (counts > 0).sum()
    return np.divide(counts.sum(), counts * max(present, 1), out=np.zeros(3), where=counts > 0)
