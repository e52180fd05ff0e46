"""Neutral pairs of texts in which only support and criticism are labelled: names that no opinion joins.

They are drawn, not annotated: a pair may be more than neutral where two names are one person's.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from training.data.corpus import LabelledStatement
from training.data.sources.public import Found

NOTE = "drawn"
_WORD = re.compile(r"\w{2,}")
_STEM = 4  # letters that the forms of a Russian name share

Pair = tuple[str | None, str]  # holder (None: the author) and target


def with_drawn(found: list[Found]) -> list[Found]:
    """The rows, and after a labelled one at most one more of the same text: neutrality, with the note `drawn`.

    It is the pair the other way round, or its holder toward another name of the text's rows; a hash chooses. Left out
    are pairs that a row joins, also under other forms of their names, and a name toward a form of itself.
    """
    texts: dict[str, list[LabelledStatement]] = defaultdict(list)
    for _, row in found:
        texts[row.text].append(row)
    drawn = {row.id: one for same in texts.values() for row, one in _drawn(same)}
    rows: list[Found] = []
    for line, row in found:
        rows.append((line, row))
        if one := drawn.get(row.id):
            rows.append((line, one))
    return rows


def _drawn(rows: list[LabelledStatement]) -> Iterator[tuple[LabelledStatement, LabelledStatement]]:
    """Pairs of a labelled row and the one drawn for it."""
    places: dict[str, tuple[int | None, int | None]] = {}
    for row in rows:
        for name, start, end in (
            (row.speaker, row.speaker_start, row.speaker_end),
            (row.target, row.target_start, row.target_end),
        ):
            if name:
                places.setdefault(name, (start, end))
    joined: list[Pair] = [(row.speaker, row.target) for row in rows if row.target]
    for row in rows:
        swapped: list[Pair] = [(row.target, row.speaker)] if row.speaker else []
        pairs = [
            pair
            for pair in dict.fromkeys([*swapped, *((row.speaker, name) for name in places)])
            if not _alike(*pair) and not any(_alike(pair[0], one[0]) and _alike(pair[1], one[1]) for one in joined)
        ]
        if not row.stance or not pairs:
            continue
        holder, target = pairs[_number(f"{row.text}\n{row.speaker}\n{row.target}") % len(pairs)]
        joined.append((holder, target))
        values: dict[str, Any] = {"id": f"{row.id}/{NOTE}", "stance": "neutrality", "note": NOTE}
        for field, name in (("speaker", holder), ("target", target)):
            start, end = places[name] if name else (None, None)
            values |= {field: name, f"{field}_start": start, f"{field}_end": end}
        kept = row.model_dump(include={"text", "scheme", "domain", "group"})
        yield row, LabelledStatement.model_validate({**kept, **values})


def _alike(one: str | None, other: str | None) -> bool:
    """Whether two names may be forms of one: a word of one begins as a word of the other does."""
    return one == other or bool(_stems(one) & _stems(other))


def _stems(name: str | None) -> set[str]:
    return {word[:_STEM].casefold() for word in _WORD.findall(name or "")}


def _number(text: str) -> int:
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16)
