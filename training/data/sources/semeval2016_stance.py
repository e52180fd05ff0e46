"""SemEval-2016 Task 6 A, as TweetEval publishes it: the stance of tweets toward five topics."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving.errors import StancewiseError
from training.data.corpus import LabelledStatement, Provenance
from training.data.sources.lines import Record, labelled, read_text, split_lines
from training.data.sources.public import Parts, Piece

PROVENANCE = Provenance(
    name="SemEval-2016 stance",
    url="https://github.com/cardiffnlp/tweeteval",
    licence='"without any restrictions", per-task terms may apply',
    reference="Mohammad, Kiritchenko, Sobhani, Zhu and Cherry (2016), SemEval-2016 Task 6: Detecting Stance in Tweets, "
    "SemEval-2016",
)
FOLDER = "datasets/stance"
_TARGETS = {
    "abortion": "Legalization of Abortion",
    "atheism": "Atheism",
    "climate": "Climate Change is a Real Concern",
    "feminist": "Feminist Movement",
    "hillary": "Hillary Clinton",
}
PARTS: Parts = {
    part: tuple(
        Piece(f"{topic}:{short}", f"{topic}/{short}_text.txt", part, config=f"stance_{topic}") for topic in _TARGETS
    )
    for part, short in (("train", "train"), ("validation", "val"), ("test", "test"))
}
_STANCE = {"0": "neutrality", "1": "criticism", "2": "support"}


def records(path: Path) -> Iterator[Record]:
    """Line i of the texts with line i of the labels beside them."""
    labels_path = path.with_name(path.name.replace("_text", "_labels"))
    texts, labels = split_lines(read_text(path)), split_lines(read_text(labels_path))
    if len(texts) != len(labels):
        line = min(len(texts), len(labels)) + 1
        found = f"{len(texts)} texts, but {len(labels)} labels in {labels_path.name}"
        raise StancewiseError(f"{path}:{line}: {found}; one of them is cut short, fetch both again")
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        yield Record(path, number + 1, number, {"text": text, "label": label})


def statement(record: Record, piece: Piece) -> LabelledStatement | None:
    """A row of the authors as ours."""
    values = {
        "id": f"se16:{piece.key}:{record.number}",
        "text": record.text("text").strip(),
        "target": _TARGETS[piece.key.partition(":")[0]],
        "stance": record.label("label", _STANCE),
    }
    return labelled(record, values)


def benchmark(values: dict[str, Any]) -> dict[str, Any] | None:
    """Every field is used as it stands."""
    return {}
