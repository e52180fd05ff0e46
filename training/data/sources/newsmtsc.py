"""NewsMTSC: how a sentence of US political news portrays a person."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, json_lines, labelled
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="NewsMTSC",
    url="https://github.com/fhamborg/NewsMTSC",
    licence="MIT text",
    reference="Hamborg and Donnay (2021), NewsMTSC: A Dataset for (Multi-)Target-dependent Sentiment Classification in "
    "Political News Articles, EACL 2021",
)
FOLDER = "NewsSentiment/experiments/default/datasets"
PARTS: Parts = {
    "train": (Piece("train", "newsmtsc-rw-hf/train.jsonl", "train", "rw"),),
    "rw_validation": (Piece("devtest_rw", "newsmtsc-rw-hf/dev.jsonl", "validation", "rw"),),
    "rw_test": (Piece("devtest_rw", "newsmtsc-rw-hf/test.jsonl", "test", "rw"),),
    "mt_validation": (Piece("devtest_mt", "newsmtsc-mt-hf/dev.jsonl", "validation", "mt"),),
    "mt_test": (Piece("devtest_mt", "newsmtsc-mt-hf/test.jsonl", "test", "mt"),),
}
_SENTIMENT = {"-1": "negative", "0": "neutral", "1": "positive"}
# allsides_<story>_<article>_<sentence>_<mention>_<from>_<to>, polusa_v1_<article>_-1_<sentence>_<mention>_...
_STORY = re.compile(r"(allsides_\d+|polusa_v\d+_\d+)_")


def records(path: Path) -> Iterator[Record]:
    """The rows of one of the authors' files."""
    return json_lines(path)


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours."""
    name = record.text("id")
    values = {
        "id": f"newsmtsc:{piece.key}:{name}",
        "text": record.text("sentence"),
        "target": record.text("mention"),
        "target_start": record.value("from"),
        "target_end": record.value("to"),
        "sentiment": record.label("polarity", _SENTIMENT),
        "group": _story(name),
    }
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """The group there is the sentence's; the story's is in the id."""
    return {"group": _story(str(values.get("id")).split(":", 2)[-1])}


def _story(name: str) -> str | None:
    """The story that an id names (of polusa, which names none, the article)."""
    match = _STORY.match(name)
    return f"newsmtsc:{match.group(1)}" if match else None
