"""Batches of rows of like length, the same in every epoch, and what each process takes of them."""

from collections.abc import Iterator, Sequence
from math import ceil

import numpy as np
import numpy.typing as npt
from torch.utils.data import Sampler

from serving.errors import StancewiseError
from training.config import Batch
from training.fitting import processes

MULTIPLE = 8  # tokens: rows are padded to a multiple of this


class LengthBatches(Sampler[list[int]]):
    """Batches of rows of like length, in an order that depends on seed and epoch alone.

    The sorted lengths are the same in every epoch, and so are the places where they are cut: the number of
    batches is fixed, whatever the seed. What changes is which of the equally long rows meet, and the order.
    """

    def __init__(self, lengths: Sequence[int], size: Batch, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.seed = seed
        self.epoch = 0
        self.cuts = list(_cuts(sorted(lengths), size))

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.cuts)

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = np.lexsort((rng.random(len(self.lengths)), self.lengths)).tolist()
        for place in rng.permutation(len(self.cuts)).tolist():
            yield order[slice(*self.cuts[place])]


class ReplayBatches(Sampler[list[int]]):
    """In every epoch the first `new` rows, and beside them the next `drawn` of the rows after them.

    So each new row comes back as often as there are epochs, and an old one once.
    """

    def __init__(self, lengths: Sequence[int], new: int, drawn: int, size: Batch, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.new, self.drawn, self.size, self.seed = new, drawn, size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._batches()[0])

    def __iter__(self) -> Iterator[list[int]]:
        batches, places = self._batches()
        for batch in batches:
            yield places[batch].tolist()

    def _batches(self) -> tuple[LengthBatches, npt.NDArray[np.int64]]:
        start = self.new + self.epoch * self.drawn
        places = np.concatenate([np.arange(self.new), np.arange(start, start + self.drawn)])
        batches = LengthBatches(self.lengths[places].tolist(), self.size, self.seed)
        batches.set_epoch(self.epoch)
        return batches, places


def _cuts(lengths: list[int], size: Batch) -> Iterator[tuple[int, int]]:
    start = 0
    for end in range(1, len(lengths) + 1):
        if size.rows is not None:
            full = end - start == size.rows
        else:
            assert size.tokens is not None
            full = end < len(lengths) and (end + 1 - start) * ceil(lengths[end] / MULTIPLE) * MULTIPLE > size.tokens
        if full or end == len(lengths):
            yield start, end
            start = end


class Pieces(Sampler[list[int]]):
    """What one process takes of every batch, in `accumulation` pieces one after another.

    All processes together see the batches that one process would see, and count the same steps. A batch of fewer rows
    than pieces leaves some empty; they are the row `blank`, which has no label, because no process may miss a step.
    """

    def __init__(
        self, batches: LengthBatches | ReplayBatches, accumulation: int, process: int, count: int, blank: int
    ) -> None:
        self.batches = batches
        self.accumulation = accumulation
        self.process = process
        self.count = count
        self.blank = blank

    def set_epoch(self, epoch: int) -> None:
        """Called by the Trainer at the start of every epoch."""
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches) * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            for turn in range(self.accumulation):
                yield batch[turn * self.count + self.process :: self.count * self.accumulation] or [self.blank]


def pieces_of(batch: Batch) -> int:
    """Into how many pieces a batch is cut: processes times accumulation.

    Raises:
        StancewiseError: its rows cannot be shared out evenly.
    """
    pieces = processes.count() * batch.accumulation
    if batch.rows is not None and batch.rows % pieces:
        raise StancewiseError(
            f"batch.rows: {batch.rows} rows cannot be shared out evenly over {processes.count()} processes with "
            f"batch.accumulation {batch.accumulation}; use a multiple of {pieces}"
        )
    return pieces
