"""Word embeddings that stay as they are, beside the few of our marks that learn.

Most weights of a multilingual encoder are words, and a small set of rows touches few of them. Without their gradients
and moments a step takes half the time and a fraction of the memory, and words of languages without training rows stay
in line with the others.
"""

from typing import Any

import torch

from serving.inputs import MARKS


class FrozenWords(torch.nn.Module):
    """A table of embeddings in which only the last rows, those of the marks, learn."""

    def __init__(self, table: torch.nn.Embedding, marks: int) -> None:
        super().__init__()
        words = table.num_embeddings - marks
        self.padding_idx = table.padding_idx
        self.words = torch.nn.Parameter(table.weight[:words].detach().clone(), requires_grad=False)
        self.marks = torch.nn.Parameter(table.weight[words:].detach().clone())

    @property
    def weight(self) -> torch.Tensor:
        """The whole table, shape (words and marks, hidden)."""
        return torch.cat([self.words, self.marks])

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Embeddings of shape (*ids.shape, hidden)."""
        marks = ids - len(self.words)
        found = torch.nn.functional.embedding(ids.clamp(max=len(self.words) - 1), self.words)
        marked = torch.nn.functional.embedding(marks.clamp(min=0), self.marks)
        return torch.where((marks >= 0)[..., None], marked, found)


def freeze_words(model: Any, tokenizer: Any) -> None:
    """Let only the marks of the model's word embeddings learn; a template without marks has none that do."""
    table = model.get_input_embeddings()
    marks = sum(token in tokenizer.get_added_vocab() for token in MARKS)
    if marks:
        model.set_input_embeddings(FrozenWords(table, marks))
    else:
        table.weight.requires_grad = False


def thaw_words(model: Any) -> None:
    """Put an ordinary table, as transformers saves and loads it, in the place of the frozen one."""
    frozen = model.get_input_embeddings()
    if isinstance(frozen, FrozenWords):
        rows, width = frozen.weight.shape
        table = torch.nn.Embedding(rows, width, frozen.padding_idx, _weight=frozen.weight.detach().clone())
        model.set_input_embeddings(table)
