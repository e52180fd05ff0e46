"""The network of the reader: an encoder, and a scorer of two mentions on what it makes of a sentence."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModel

from serving.runtime.pairs import ANSWERS, FEATURES

WIDTH = 256
DROPOUT = 0.2
SCORER_FILE = "scorer.safetensors"


class PairNet(nn.Module):
    """Scores pairs of mentions by a bilinear and a feed-forward part.

    The bilinear part is that of Dozat and Manning 2017, "Deep Biaffine Attention for Neural Dependency Parsing", which
    Barnes et al. 2021, "Structured Sentiment Analysis as Dependency Graph Parsing", use for holders and targets.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder
        size = 2 * encoder.config.hidden_size  # a phrase and its head
        self.author = nn.Parameter(torch.randn(size) * 0.02)
        self.holder, self.target = (
            nn.Sequential(nn.Linear(size, WIDTH), nn.GELU(), nn.Dropout(DROPOUT)) for _ in range(2)
        )
        self.both = nn.Sequential(
            nn.Linear(4 * WIDTH + FEATURES, WIDTH), nn.GELU(), nn.Dropout(DROPOUT), nn.Linear(WIDTH, len(ANSWERS))
        )
        self.bilinear = nn.Bilinear(WIDTH, WIDTH, len(ANSWERS))

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, rows: Tensor, places: Tensor, features: Tensor
    ) -> Tensor:
        """Logits of `ANSWERS`, shape (pairs, 4); the arguments are those of `rectangle`."""
        words = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        with torch.autocast(words.device.type, enabled=False):
            sums = nn.functional.pad(words.float().cumsum(dim=1), (0, 0, 1, 0))

            def mean(first: int) -> Tensor:
                start, end = places[:, first], places[:, first + 1] + 1
                return (sums[rows, end] - sums[rows, start]) / (end - start)[:, None]

            holder, target = (torch.cat([mean(first), mean(first + 2)], dim=1) for first in (0, 4))
            holder = torch.where((places[:, 3] == 0)[:, None], holder + self.author, holder)
            holder, target = self.holder(holder), self.target(target)
            pair = torch.cat([holder, target, holder * target, (holder - target).abs(), features], dim=1)
            logits: Tensor = self.both(pair) + self.bilinear(holder, target)
        return logits


def save_net(net: PairNet, folder: Path) -> None:
    """Write the encoder as transformers does, and the scorer beside it; safetensors both."""
    net.encoder.save_pretrained(folder)
    scorer = {name: value for name, value in net.state_dict().items() if not name.startswith("encoder.")}
    save_file({name: value.contiguous() for name, value in scorer.items()}, folder / SCORER_FILE)


def load_net(folder: Path) -> PairNet:
    """What `save_net` wrote.

    Raises:
        OSError: a file is missing or damaged.
        RuntimeError: the scorer is of another kind.
    """
    net = PairNet(AutoModel.from_pretrained(folder, use_safetensors=True, local_files_only=True))
    encoder = {f"encoder.{name}": value for name, value in net.encoder.state_dict().items()}
    net.load_state_dict(encoder | load_file(folder / SCORER_FILE))
    return net
