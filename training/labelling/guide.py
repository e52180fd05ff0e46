"""The annotation guide for the page, from data/README.md: what the labels mean, and the rules for hard cases."""

import re
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

GUIDE = Path(__file__).parents[2] / "data" / "README.md"
_MARKS = re.compile(r"\*\*|`")


class Head(NamedTuple):
    """What a head asks, and its rules."""

    asks: str
    rules: list[str]


class Case(NamedTuple):
    """A hard case: its name, the rule, an example."""

    name: str
    rule: str
    example: str


class Guide(NamedTuple):
    """The guide, as plain text."""

    stance: Head
    sentiment: Head
    cases: list[Case]


def guide(path: Path = GUIDE) -> Guide | None:
    """The guide; None where the project's data does not lie beside its code."""
    if not path.is_file():
        return None
    blocks = [_plain(block) for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8"))]
    place = next(i for i, block in enumerate(blocks) if block.startswith("| case | rule |"))
    table = takewhile(lambda line: line.startswith("|"), blocks[place].splitlines()[2:])
    cases = [Case(*(cell.strip() for cell in line.strip("|").split("|"))) for line in table]
    return Guide(_head(blocks, "Stance"), _head(blocks, "Sentiment"), cases)


def _head(blocks: list[str], name: str) -> Head:
    """The paragraph `Stance asks: ...` and the list below it."""
    place = next(i for i, block in enumerate(blocks) if block.startswith(f"{name} asks: "))
    asks = " ".join(blocks[place].split()).removeprefix(f"{name} asks: ")
    rules = [" ".join(rule.split()) for rule in re.split(r"^- ", blocks[place + 1], flags=re.MULTILINE) if rule.strip()]
    return Head(asks[0].upper() + asks[1:], rules)


def _plain(markdown: str) -> str:
    return _MARKS.sub("", markdown)
