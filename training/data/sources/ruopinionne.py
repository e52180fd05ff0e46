"""RuOpinionNE-2024: who supports or criticises whom in sentences of Russian news, and pairs drawn as neutral."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from training.data.corpus import LabelledStatement, Provenance, group_key
from training.data.sources.drawn import with_drawn
from training.data.sources.lines import Record, json_lines, labelled
from training.data.sources.public import Found, Parts, Piece
from training.data.sources.rusentne import sentence_group

PROVENANCE = Provenance(
    name="RuOpinionNE-2024",
    url="https://github.com/dialogue-evaluation/RuOpinionNE-2024",
    licence="MIT",
    reference="Loukachevitch, Tkachenko, Lapanitsyna, Tikhomirov and Rusnachenko (2025), RuOpinionNE-2024: Extraction "
    "of Opinion Tuples from Russian News Texts, Dialogue 2025",
)
FOLDER = ""
_STANCE = {"POS": "support", "NEG": "criticism"}
_AUTHOR, _NOBODY = "AUTHOR", "NULL"  # in the place of a holder: the text's author; somebody whom the text does not name
_FIFTHS = 5


def records(path: Path) -> Iterator[Record]:
    """The sentences of the authors' file."""
    return json_lines(path)


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """An opinion as a row of ours."""
    text = record.values["text"]
    return labelled(record, {"id": f"ruop_{piece.key}-{record.number}", "group": sentence_group(text), **record.values})


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """The group is the sentence."""
    return {"group": values.get("group")}


def _opinions(sentences: Iterator[Record]) -> Iterator[Record]:
    """Each pair of a sentence once, numbered over all; a pair that is both supported and criticised has no stance."""
    number = 0
    for sentence in sentences:
        text = sentence.text("text")
        pairs: dict[tuple[str | None, str], dict[str, Any]] = {}
        for opinion in _listed(sentence):
            values = {"text": text, "stance": opinion.label("Polarity", _STANCE)}
            values |= {**_mention(opinion, "Source", "speaker", text), **_mention(opinion, "Target", "target", text)}
            if values["speaker"] == _NOBODY:
                continue
            same = pairs.setdefault((values["speaker"], values["target"]), values)
            if same["stance"] != values["stance"]:
                same["stance"] = None
        for values in pairs.values():
            yield Record(sentence.source, sentence.line, number, values)
            number += 1


def _listed(sentence: Record) -> list[Record]:
    opinions = sentence.value("opinions")
    if not isinstance(opinions, list) or not all(isinstance(opinion, dict) for opinion in opinions):
        raise sentence.error("opinions: a list of objects is needed; use the set as its authors publish it")
    return [Record(sentence.source, sentence.line, sentence.number, opinion) for opinion in opinions]


def _mention(opinion: Record, theirs: str, ours: str, text: str) -> dict[str, Any]:
    """Name and offsets, from their names and places ("19:34"); a name in several pieces has no offsets."""
    try:
        names, spans = opinion.value(theirs)
        if ours == "speaker" and names[0] in (_AUTHOR, _NOBODY):
            return {ours: None if names[0] == _AUTHOR else _NOBODY}
        places = [tuple(map(int, span.split(":"))) for span in spans]
        inside = [0 <= start < end <= len(text) for start, end in places]
    except (AttributeError, IndexError, TypeError, ValueError):
        inside = []
    if not inside or not all(inside):
        fix = "use the set as its authors publish it"
        raise opinion.error(f"{theirs}: a name and its place in the text, such as 19:34, are needed; {fix}")
    start, end = places[0] if len(places) == 1 else (None, None)
    return {ours: " ".join(text[slice(*place)] for place in places), f"{ours}_start": start, f"{ours}_end": end}


def _cut(part: str, found: list[Found]) -> list[Found]:
    """The rows of a part with those drawn from them; a sentence's hash says in which part it is."""
    return with_drawn([one for one in found if _is_held_out(one[1]) == (part == "held_out")])


def _is_held_out(row: LabelledStatement) -> bool:
    digest = hashlib.sha1(group_key(row).encode(), usedforsecurity=False).hexdigest()
    return int(digest, 16) % _FIFTHS == 0


# Both parts are cut from one file.
PARTS: Parts = {
    part: (Piece("train", "train.jsonl", "train", converted="train", opened=_opinions, settled=partial(_cut, part)),)
    for part in ("train", "held_out")
}
