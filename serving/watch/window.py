"""Counts of the last hours: a fixed number of time slots, the oldest of which is emptied for the next."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.statement import Prediction, Statement
from serving.watch.compare import Counts
from serving.watch.measures import Key, Values, observed
from serving.watch.reference import Reference

SLOTS = 24
PER_SECOND = 20  # statements that are counted at most: it takes up to half a millisecond to look for a name in a text
BURST = 200  # of these at once
_HEAD = 3  # columns of a slot before its counts: its number since 1970, statements, texts


@dataclass(frozen=True)
class Total:
    """What the window holds."""

    statements: int
    texts: int
    counts: dict[Key, Counts]


class Window:
    """Counts of what was asked lately, in the bins of a reference; may be added to from several threads.

    Several processes share a window by a folder: each writes a file of its own there, and the total is that of all
    files with the same reference. What a process counted stays when it is lost.
    """

    def __init__(
        self, reference: Reference, hours: float, folder: Path | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self.reference = reference
        self.hours = hours
        self._clock = clock
        self._seconds = 3600 * hours / SLOTS
        self._places: dict[Key, int] = {}
        width = _HEAD
        for one in reference.histograms:
            self._places[one.key] = width
            width += len(one.counts)
        self._histograms = {one.key: one for one in reference.histograms}
        self._shape = (SLOTS, width)
        self._files: tuple[Path, str] | None = None
        self._slots: npt.NDArray[np.int64] = np.zeros(self._shape, dtype=np.int64)
        if folder:
            mark = hashlib.sha256(reference.model_dump_json().encode()).hexdigest()[:16]
            self._files = folder, f"window-{mark}-*.counts"
            path = folder / f"window-{mark}-{os.getpid()}.counts"
            self._slots = np.memmap(path, np.int64, "r+" if path.exists() else "w+", shape=self._shape)
        self._lock = threading.Lock()
        self._allowed, self._asked = float(BURST), clock()

    def add(self, statements: Sequence[Statement], predictions: Sequence[Prediction]) -> None:
        """Count statements and their answers; of more than PER_SECOND some, evenly spread."""
        most = self._share(len(statements))
        if not most:
            return
        places = range(0, len(statements), -(-len(statements) // most))
        found = [observed(statements[i], predictions[i]) for i in places]
        texts = len({statements[i].text for i in places})
        with self._lock:
            slot = self._slot()
            slot[1] += len(found)
            slot[2] += texts
            for values in found:
                self._count(slot, values)

    def total(self) -> Total:
        """The sum over the slots of the last hours, and over the processes that share the window."""
        oldest = self._now() - SLOTS + 1
        total = np.zeros(self._shape[1], dtype=np.int64)
        for slots in self._every():
            total += slots[slots[:, 0] >= oldest].sum(axis=0)
        counts = {key: total[start : start + len(self._histograms[key].counts)] for key, start in self._places.items()}
        return Total(int(total[1]), int(total[2]), counts)

    def _every(self) -> list[npt.NDArray[np.int64]]:
        if self._files is None:
            return [self._slots]
        folder, pattern = self._files
        read = [np.fromfile(path, dtype=np.int64) for path in folder.glob(pattern)]
        return [one.reshape(self._shape) for one in read if one.size == np.prod(self._shape)]  # else just being made

    def _share(self, wanted: int) -> int:
        """How many of so many statements may be counted now."""
        with self._lock:
            now = self._clock()
            self._allowed = min(BURST, self._allowed + max(0.0, now - self._asked) * PER_SECOND)
            self._asked = now
            most = min(wanted, int(self._allowed))
            self._allowed -= most
            return most

    def _now(self) -> int:
        return int(self._clock() // self._seconds)

    def _slot(self) -> npt.NDArray[np.int64]:
        now = self._now()
        slot: npt.NDArray[np.int64] = self._slots[now % SLOTS]
        if slot[0] != now:
            slot[:] = 0
            slot[0] = now
        return slot

    def _count(self, slot: npt.NDArray[np.int64], values: Values) -> None:
        for key, value in values.items():
            if key in self._places:
                place = self._histograms[key].place(value)
                if place is not None:
                    slot[self._places[key] + place] += 1
