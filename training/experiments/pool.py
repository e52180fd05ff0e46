"""Statements that could be labelled: a bounded number of a table's rows, however long the table is."""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from serving.article.text.copies import NEAR_DUPLICATE
from serving.rows.check import statement_of
from serving.rows.read import Row
from serving.statement import Statement
from training.data.similar import similar_pairs

MOST = 20_000  # rows in the pool, drawn at random
MOST_TARGETS = 2_000  # of these, the first met, OF_A_TARGET rows each are kept beside, so that rare ones are there
OF_A_TARGET = 8

Key = tuple[str, str, str]


@dataclass(frozen=True, order=True)
class Candidate:
    """A row that could be labelled, and the random number by which it stays in the pool or leaves it."""

    rank: float
    row: Row = field(compare=False)
    statement: Statement = field(compare=False)

    @property
    def target(self) -> str:
        """The target as targets are counted."""
        return plain(self.statement.target)


@dataclass
class Pool:
    """What is left of a table."""

    candidates: list[Candidate]  # in the order of the table
    rows: int  # of the table
    targets: int  # of the table, those already labelled aside
    labelled: int  # rows left out because they were labelled


def plain(name: str | None) -> str:
    """A name or text without case and white space, as it is compared."""
    return " ".join((name or "").casefold().split())


def key(statement: Statement) -> Key:
    """What makes two statements one."""
    return plain(statement.text), plain(statement.speaker), plain(statement.target)


def read_pool(
    rows: Iterable[Row],
    labelled: Iterable[Row],
    seed: int,
    on_bad: Callable[[int, str], None],
    most: int = MOST,
) -> Pool:
    """At most `most` rows of a table, drawn at random, and some of every target, in one pass (a reservoir).

    Args:
        rows: of the table.
        labelled: rows that were labelled already: the same statements are left out, and those with nearly the same text
            and the same target.
        seed: of the draw.
        on_bad: told the line of a row that is no statement, and why.
        most: rows drawn.

    Source: Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir" (here all weights are one).
    """
    known = [statement for row in labelled if isinstance(statement := statement_of(row), Statement)]
    known_keys = set(map(key, known))
    rng = np.random.default_rng(seed)
    drawn: list[Candidate] = []
    of_target: dict[str, list[Candidate]] = {}
    seen: set[int] = set()  # hashes of targets: a number for each, whatever its length
    pool = Pool([], 0, 0, 0)
    for row in rows:
        pool.rows += 1
        statement = statement_of(row)
        if isinstance(statement, str):
            on_bad(row.line, statement)
            continue
        if key(statement) in known_keys:
            pool.labelled += 1
            continue
        one = Candidate(float(rng.random()), row, statement)
        _keep(drawn, one, most)
        seen.add(hash(one.target))
        if one.target in of_target or len(of_target) < MOST_TARGETS:
            _keep(of_target.setdefault(one.target, []), one, OF_A_TARGET)
    pool.targets = len(seen)
    every = {one.row.line: one for one in (*drawn, *(one for some in of_target.values() for one in some))}
    candidates = [one for _, one in sorted(every.items())]
    near = _near(candidates, known)
    pool.labelled += len(near)
    pool.candidates = [one for i, one in enumerate(candidates) if i not in near]
    return pool


def _keep(heap: list[Candidate], one: Candidate, most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, one)
    else:
        heapq.heappushpop(heap, one)


def _near(candidates: list[Candidate], known: list[Statement]) -> set[int]:
    pairs: Iterator[tuple[int, int, float]] = similar_pairs(
        [one.statement.text for one in candidates], [one.text for one in known], NEAR_DUPLICATE
    )
    return {i for i, j, _ in pairs if candidates[i].target == plain(known[j].target)}
