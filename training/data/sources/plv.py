"""PLV: what one actor of international news does to another, as PLOVER codes; some codes are a stance."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, labelled, tab_separated
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="PLV",
    url="https://github.com/snowood1/Zero-Shot-PLOVER",
    licence="none stated",
    reference="Hu, Skorupa Parolin, Khan, Brandt, Osorio and D'Orazio (2024), Leveraging Codebook Knowledge with NLI "
    "and ChatGPT for Zero-Shot Political Relation Classification, ACL 2024",
)
FOLDER = "datasets"
PARTS: Parts = {"train": (Piece("train", "PLV_train.tsv", "train"),)}
# A root code is an action. Deeds and requests say nothing sure about a position: their rows have no stance.
_STANCE: dict[str, str | None] = {
    **dict.fromkeys(("AGREE", "SUPPORT"), "support"),
    **dict.fromkeys(("ACCUSE", "REJECT", "THREATEN"), "criticism"),
    "CONSULT": "neutrality",
    **dict.fromkeys(
        ("AID", "ASSAULT", "COERCE", "COOPERATE", "MOBILIZE", "PROTEST", "REQUEST", "SANCTION", "YIELD"), None
    ),
}


def records(path: Path) -> Iterator[Record]:
    """The rows of the authors' file."""
    return tab_separated(path, ("sentence_id", "sentence", "source", "target", "gold_root"))


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours."""
    values = {
        "id": f"plv:{piece.key}:{record.number}",
        "text": record.text("sentence"),
        "speaker": record.text("source"),
        "target": record.text("target"),
        "stance": record.label("gold_root", _STANCE),
        "group": f"plv:{piece.key}:{record.value('sentence_id')}",
    }
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """The group is the sentence; its number alone could be another set's group."""
    return {"group": f"plv:{values['group']}" if values.get("group") else None}
