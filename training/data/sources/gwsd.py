"""GWSD: the stance of news sentences toward global warming, with the votes of eight annotators."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, labelled, tab_separated
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="GWSD",
    url="https://github.com/yiweiluo/GWStance",
    licence="none stated",
    reference="Luo, Card and Jurafsky (2020), Detecting Stance in Media On Global Warming, Findings of EMNLP 2020",
)
FOLDER = ""
# Both parts stand in one file.
PARTS: Parts = {part: (Piece(part, "GWSD.tsv", "train"),) for part in ("train", "test")}
_TARGET = "climate change/global warming is a serious concern"
_VOTES = {"agrees": "support", "neutral": "neutrality", "disagrees": "criticism"}
_PROBABILITIES = {"agree": "support", "neutral": "neutrality", "disagree": "criticism"}
_WORKERS = tuple(f"worker_{i}" for i in range(8))


def records(path: Path) -> Iterator[Record]:
    """The rows of the authors' file."""
    return tab_separated(path, ("sentence", *_WORKERS, *_PROBABILITIES, "guid", "in_held_out_test"))


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours; None: it is of the other part."""
    if record.label("in_held_out_test", {"True": "test", "False": "train"}) != piece.key:
        return None
    votes = [record.label(worker, _VOTES) for worker in _WORKERS if record.values.get(worker) not in (None, "")]
    values = {
        "id": f"gwsd:{record.text('guid')}",
        "text": record.text("sentence"),
        "target": _TARGET,
        "stance": _most_probable(record),
        "stance_votes": votes or None,
    }
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """The votes carry the authors' names."""
    votes = values.get("votes") or []
    return {"stance_votes": [_VOTES.get(str(vote), vote) for vote in votes] or None}


def _most_probable(record: Record) -> str | None:
    """None for the sentences that only screened the annotators: they have votes, but no probabilities."""
    cells = {name: record.values.get(name) for name in _PROBABILITIES}
    if all(cell in (None, "") for cell in cells.values()):
        return None
    shares = {name: _share(record, name) for name in cells}
    return _PROBABILITIES[max(shares, key=shares.__getitem__)]


def _share(record: Record, name: str) -> float:
    try:
        share = float(record.value(name))
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise record.error(f"{name}: a probability is needed; use the file as its authors publish it")
    return share
