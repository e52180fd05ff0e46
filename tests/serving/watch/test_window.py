"""Counts of the last hours."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from serving import Statement
from serving.statement import Prediction
from serving.watch.measures import histograms, observed
from serving.watch.reference import Reference
from serving.watch.window import BURST, PER_SECOND, SLOTS, Window
from tests.serving.watch.test_measures import answer

HOURS = 24


class Clock:
    """Seconds that a test moves on."""

    def __init__(self, now: float = 1_800_000_000) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def statements(count: int, text: str = "The mayor hailed the tram plan.") -> tuple[list[Statement], list[Prediction]]:
    return [Statement(text=text, speaker="The mayor", target="the tram plan")] * count, [answer()] * count


@pytest.fixture(scope="module")
def reference() -> Reference:
    rows = [observed(*pair) for pair in zip(*statements(50), strict=True)]
    return Reference(rows=50, texts=50, histograms=histograms(rows, {}))


def test_what_was_asked_is_counted_and_forgotten_after_the_last_hours(reference):
    clock = Clock()
    window = Window(reference, HOURS, clock=clock)
    window.add(*statements(3))
    clock.now += 3600 * (HOURS - 2)
    window.add(*statements(4))
    total = window.total()
    assert (total.statements, total.texts) == (7, 2)
    assert total.counts["", "holder"].tolist() == [7, 0, 0]
    assert total.counts["stance", "label"].tolist() == [7, 0, 0]
    clock.now += 3600 * 3
    assert window.total().statements == 4
    clock.now += 3600 * HOURS
    assert window.total().statements == 0
    window.add(*statements(1))
    assert window.total().statements == 1, "a slot is emptied before it is used again"


def test_its_memory_is_that_of_the_slots(reference):
    clock = Clock()
    window = Window(reference, HOURS, clock=clock)
    size = window._slots.nbytes
    for _ in range(5 * SLOTS):
        clock.now += 3600
        window.add(*statements(2))
    assert window._slots.nbytes == size < 20_000
    assert window.total().statements == 2 * SLOTS


def test_of_many_statements_some_are_counted(reference):
    clock = Clock()
    window = Window(reference, HOURS, clock=clock)
    given, predictions = statements(10 * BURST)
    given[BURST * 5 :] = statements(5 * BURST, "Something else was said of the plan in question.")[0]
    window.add(given, predictions)
    first = window.total()
    assert 0.5 * BURST <= first.statements <= BURST
    assert first.texts == 2, "some from the beginning to the end"
    window.add(given, predictions)
    assert window.total().statements <= BURST
    clock.now += 1
    window.add(given, predictions)
    assert window.total().statements <= BURST + PER_SECOND


def test_several_threads_lose_nothing(reference):
    window = Window(reference, HOURS)
    threads = [threading.Thread(target=lambda: [window.add(*statements(1)) for _ in range(40)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = window.total()
    assert total.statements == 160
    assert total.counts["", "target"].tolist() == [160, 0, 0]


def test_processes_share_a_window_by_a_folder_and_a_lost_one_stays_counted(reference, tmp_path):
    mine = Window(reference, HOURS, tmp_path)
    mine.add(*statements(5))
    child = os.fork()
    if not child:
        Window(reference, HOURS, tmp_path).add(*statements(7))
        os._exit(0)
    os.waitpid(child, 0)
    assert mine.total().statements == 12
    other = reference.model_copy(update={"texts": 49})
    assert Window(other, HOURS, tmp_path).total().statements == 0, "another model's window is another one"
    again = Window(reference, HOURS, tmp_path)
    again.add(*statements(1))
    assert mine.total().statements == 13


def test_a_file_that_is_just_being_made_is_passed_over(reference, tmp_path):
    window = Window(reference, HOURS, tmp_path)
    window.add(*statements(2))
    [path] = tmp_path.iterdir()
    Path(str(path).replace(str(os.getpid()), "1")).write_bytes(np.zeros(3, dtype=np.int64).tobytes())
    assert window.total().statements == 2
