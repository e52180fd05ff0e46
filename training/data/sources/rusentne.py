"""RuSentNE-2023: how a sentence of Russian news portrays a person, body, place or occupation."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, labelled, tab_separated
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="RuSentNE-2023",
    url="https://github.com/dialogue-evaluation/RuSentNE-evaluation",
    licence="MIT",
    reference="Golubev, Rusnachenko and Loukachevitch (2023), RuSentNE-2023: Evaluating Entity-Oriented Sentiment "
    "Analysis on Russian News Texts, Dialogue 2023",
)
FOLDER = ""
_VALIDATION = "validation_data_labeled.csv"
PARTS: Parts = {
    # Two thirds of the validation part's sentences stand in train_data.csv too.
    "train": (Piece("train", "train_data.csv", "train", apart=_VALIDATION),),
    "validation": (Piece("val", _VALIDATION, "validation"),),
}
_COLUMNS = ("sentence", "entity", "entity_tag", "entity_pos_start_rel", "entity_pos_end_rel", "label")
_SENTIMENT = {"-1": "negative", "0": "neutral", "1": "positive"}


def records(path: Path) -> Iterator[Record]:
    """The rows of one of the authors' files."""
    return tab_separated(path, _COLUMNS)


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours. Whose sentiment it is, the author's or another's, they do not say."""
    text = record.text("sentence")
    values = {
        "id": f"ru_{piece.key}-{record.number}",
        "text": text,
        "target": record.text("entity"),
        "target_start": _whole(record, "entity_pos_start_rel"),
        "target_end": _whole(record, "entity_pos_end_rel"),
        "sentiment": record.label("label", _SENTIMENT),
        "domain": record.text("entity_tag"),
        "group": sentence_group(text),
    }
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """The group is the sentence."""
    return {"group": values.get("group")}


def sentence_group(text: str) -> str:
    """The group of a sentence; RuOpinionNE labels many of the same sentences."""
    return f"ru-{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:12]}"


def _whole(record: Record, name: str) -> int:
    try:
        return int(record.value(name))
    except (TypeError, ValueError):
        raise record.error(f"{name}: a whole number is needed; use the set as its authors publish it") from None
