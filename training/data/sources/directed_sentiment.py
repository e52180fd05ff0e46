"""Directed sentiment: the stance of one named entity toward another in US news."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, labelled, tab_separated
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="directed sentiment",
    url="https://github.com/bywords/directed_sentiment_analysis",
    licence='none; "You can use the resources for your purposes by citing the paper"',
    reference="Park, Pan and Joo (2021), Who Blames or Endorses Whom? Entity-to-Entity Directed Sentiment Analysis in "
    "News Text, Findings of ACL-IJCNLP 2021",
)
FOLDER = "dataset"
PARTS: Parts = {
    # One row in eight of train.txt repeats an earlier sentence and pair.
    "train": (Piece("train", "train.txt", "train", unique=True),),
    "validation": (Piece("valid", "valid.txt", "validation"),),
}
_COLUMNS = ("sentence", "p", "q", "label")
_LABELS = {
    "0": ("neutrality", "p->q"),
    "1": ("support", "p->q"),
    "2": ("support", "q->p"),
    "3": ("criticism", "p->q"),
    "4": ("criticism", "q->p"),
}


def records(path: Path) -> Iterator[Record]:
    """The rows of one of the authors' files."""
    return tab_separated(path, _COLUMNS, header=False)


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours; None where an entity is a mere possessive ending."""
    parts = re.split(r"\[([^][]*)\]", record.text("sentence").strip())
    if len(parts) != 5:
        found = f"{len(parts) // 2} entities in square brackets, 2 are needed"
        raise record.error(f"sentence: {found}; use the file as its authors publish it")
    if [parts[1].strip(), parts[3].strip()] != [str(record.value(name)).strip() for name in ("p", "q")]:
        raise record.error("sentence: the entities in square brackets are not p and q; use the authors' own file")
    stance, direction = record.label("label", _LABELS)
    text = "".join(parts)
    first = _entity(text, len(parts[0]), parts[1])
    second = _entity(text, len(parts[0] + parts[1] + parts[2]), parts[3])
    speaker, target = (first, second) if direction == "p->q" else (second, first)
    if not (speaker[2] and target[2]):
        return None
    values: dict[str, Any] = {
        "id": f"dse:{piece.key}:{record.number}:{direction}",
        "text": text,
        "stance": stance,
    }
    for name, (start, end, mention) in (("speaker", speaker), ("target", target)):
        values |= {name: mention, f"{name}_start": start, f"{name}_end": end}
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """Rows whose speaker or target names nobody are left out: without a name they would ask for the author's stance."""
    return {} if values.get("speaker") and values.get("target") else None


def _entity(text: str, start: int, bracketed: str) -> tuple[int, int, str]:
    """Start, end and mention: the brackets cut words ("[Brussel]s", "[Trump']s"), so whole words without 's."""
    end = start + len(bracketed)
    while end < len(text) and text[end].isalnum():
        end += 1
    if text[start:end].endswith(("'s", "’s")):
        end -= 2
    return start, end, text[start:end]
