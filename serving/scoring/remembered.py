"""Logits of statements already met, on disk: memory stays flat however many there are."""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from serving.labels import Logits
from serving.statement import Statement

_AT_ONCE = 500  # keys in one query


def key(statement: Statement) -> bytes:
    """16 bytes that stand for text, holder, target and offsets."""
    return hashlib.blake2b(statement.model_dump_json().encode(), digest_size=16).digest()


class Remembered:
    """A SQLite file of logits by key; what was added since `commit` is gone after a kill."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)
        self.connection.execute("CREATE TABLE IF NOT EXISTS logits (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Logits]:
        """Those of the keys that are known, with logits of shape (6,)."""
        found: dict[bytes, Logits] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            query = f"SELECT key, value FROM logits WHERE key IN ({','.join('?' * len(some))})"  # noqa: S608
            found |= {key: np.frombuffer(value) for key, value in self.connection.execute(query, some)}
        return found

    def add(self, keys: Iterable[bytes], logits: Logits) -> None:
        """Remember logits, shape (keys, 6)."""
        rows = ((key, row.tobytes()) for key, row in zip(keys, logits, strict=True))
        self.connection.executemany("INSERT INTO logits VALUES (?, ?)", rows)

    def commit(self) -> None:
        """Write to disk what was added."""
        self.connection.commit()

    def __len__(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM logits").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
