"""From articles to (holder, target, stance): how many positions of data/articles are found, how many are right.

    python benchmarks/articles.py score --model models:/stance@champion [--part held-out]
    python benchmarks/articles.py speed --model models:/stance@champion

A position found is right if holder, target and stance are those of a position listed for the article; it is listed
under every name that the article gives holder and target. Names are compared without articles and owners; half of the
words in common are enough.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.article.reading.parse import load_pipeline
from serving.article.reading.positions import find_positions
from serving.article.statements import Article
from serving.article.text.blocks import find_blocks, parsable
from serving.cli import run
from training.evaluation.metrics import Metric

ARTICLES = Path(__file__).parents[1] / "data" / "articles"
# The rules were written with the first part at hand; the second was read once, for the figures in docs/article.md.
PARTS = {
    "development": ["state-visit", "rice-visit", "charts-column", "blackout-briefing", "water-court", "trestle-vote"],
    "held-out": ["harbour-strike", "lens-takeover", "minerals-interview", "oceans-communique", "rentals-debate",
                 "seamstress-ruling"],
}  # fmt: skip
RESAMPLES, SEED = 1000, 1
TAKEN = ("support", "criticism")
UNSURE = "unsure"  # in place of a label where the model abstains
_IGNORED = frozenset(
    ["a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "our", "my", "your"]
)
_IGNORED |= {"of", "in", "for", "on", "to", "and"}

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Triple:
    """A position; several names where the article gives several. An author has no name."""

    speakers: tuple[str, ...]
    targets: tuple[str, ...]
    stance: str

    def names(self, other: "Triple", with_stance: bool = True) -> bool:
        """Whether both are the same position."""
        return (
            (not with_stance or self.stance == other.stance)
            and _alike(self.speakers, other.speakers)
            and _alike(self.targets, other.targets)
        )


@app.command()
def score(
    model: Annotated[str, typer.Option()] = "models:/stance@champion",
    part: Annotated[str, typer.Option(help="development or held-out")] = "development",
    verbose: Annotated[bool, typer.Option(help="List what was missed and what was wrong.")] = False,
) -> None:
    """Print precision, recall and F1, with 95 % intervals by resampling articles."""
    classifier = StanceClassifier.load(model)
    console = Console(width=150)
    counts = []
    missed: Counter[str] = Counter()
    for name in PARTS[part]:
        text = (ARTICLES / f"{name}.txt").read_text(encoding="utf-8")
        gold = _gold(ARTICLES / "positions" / f"{name}.jsonl")
        start = time.perf_counter()
        article = classifier.read_article(text, name=name)
        found = _found(article)
        counts.append(_counts(found, gold))
        missed.update(_why(one, found) for one in gold if one.stance in TAKEN)
        console.print(f"{name}: {len(article.statements)} statements in {time.perf_counter() - start:.1f} s")
        if verbose:
            _explain(console, found, gold)
    table = Table("", "precision", "recall", "F1")
    for row, title in enumerate(("support and criticism", "... holder and target alone", "with neutrality")):
        table.add_row(title, *_figures(np.array([one[row] for one in counts])))
    console.print(table)
    console.print("of support and criticism listed: " + ", ".join(f"{n} {why}" for why, n in missed.most_common()))


@app.command()
def speed(
    model: Annotated[str, typer.Option()] = "models:/stance@champion",
    rounds: Annotated[int, typer.Option(help="The table holds the median.")] = 5,
) -> None:
    """Print words a second, from text to labelled statements, and where the time goes."""
    classifier = StanceClassifier.load(model)
    texts = [path.read_text(encoding="utf-8") for path in sorted(ARTICLES.glob("*.txt"))]
    words = sum(len(text.split()) for text in texts)
    seconds = np.array([_stages(classifier, texts) for _ in range(rounds + 1)])[1:]  # the first one warms up
    parsing, reading, labelling = np.median(seconds, axis=0)
    table = Table("stage", "seconds", "share")
    total = reading + labelling
    stages = (("sentences, grammar, names (spaCy)", parsing), ("rules", reading - parsing), ("the model", labelling))
    for title, value in stages:
        table.add_row(title, f"{value:.2f}", f"{value / total:.0%}")
    console = Console()
    console.print(table)
    console.print(
        f"{words:,} words in {len(texts)} articles, {classifier.runtime.name}: {words / total:,.0f} words/s "
        f"(slowest round {words / seconds[:, 1:].sum(axis=1).max():,.0f})"
    )


def _stages(classifier: StanceClassifier, texts: Sequence[str]) -> tuple[float, float, float]:
    """Seconds of parsing alone, of reading (parsing included), of labelling."""
    marks = [time.perf_counter()]
    for text in texts:
        list(load_pipeline().pipe((parsable(text[one.start : one.end]) for one in find_blocks(text)), batch_size=16))
    marks.append(time.perf_counter())
    positions = [find_positions(text).positions for text in texts]
    marks.append(time.perf_counter())
    for several in positions:
        classifier.predict([one.statement() for one in several])
    marks.append(time.perf_counter())
    return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]


def _gold(path: Path) -> list[Triple]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Triple(tuple(row["speaker"] or ()), tuple(row["target"]), row["stance"]) for row in rows]


def _found(article: Article) -> list[Triple]:
    """The distinct positions."""
    triples: dict[tuple[str | None, str, str], Triple] = {}
    for one in article.statements:
        assert one.stance
        stance = UNSURE if one.stance.abstained else one.stance.label
        speakers = (
            () if one.speaker is None else (one.speaker, *([one.speaker_mention.text] if one.speaker_mention else []))
        )
        triple = Triple(speakers, (one.target, one.target_mention.text), stance)
        triples.setdefault((one.speaker, one.target, stance), triple)
    return list(triples.values())


def _counts(found: Sequence[Triple], gold: Sequence[Triple]) -> list[tuple[int, int, int, int]]:
    """Hits and number of the found ones and of the listed ones: positions taken, their pairs alone, all."""
    taken = [one for one in found if one.stance in TAKEN], [one for one in gold if one.stance in TAKEN]
    sure = [one for one in found if one.stance != UNSURE]
    return [_hits(*taken, True), _hits(*taken, False), _hits(sure, gold, True)]


def _why(listed: Triple, found: Sequence[Triple]) -> str:
    """Whether a listed position was found, else what failed."""
    if any(listed.names(one) for one in found):
        return "found"
    pairs = {one.stance for one in found if listed.names(one, with_stance=False)}
    if pairs - {UNSURE}:
        return "with another stance"
    if pairs:
        return "unsure of"
    return "with other targets" if any(_alike(listed.speakers, one.speakers) for one in found) else "without the holder"


def _hits(found: Sequence[Triple], gold: Sequence[Triple], with_stance: bool) -> tuple[int, int, int, int]:
    right = sum(any(one.names(other, with_stance) for other in gold) for one in found)
    reached = sum(any(other.names(one, with_stance) for other in found) for one in gold)
    return right, len(found), reached, len(gold)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    if not one or not other:
        return not one and not other
    return any(_close(_words(a), _words(b)) for a in one for b in other)


def _close(a: frozenset[str], b: frozenset[str]) -> bool:
    return 2 * len(a & b) >= max(len(a), len(b), 1)


def _words(name: str) -> frozenset[str]:
    words = {re.sub(r"['’]s?$", "", word) for word in re.findall(r"[\w'’-]+", name.casefold())}
    return frozenset(words - _IGNORED) or frozenset(words)


def _figures(rows: "np.ndarray") -> list[str]:
    random = np.random.default_rng(SEED)
    drawn = [_f1(rows[random.integers(0, len(rows), len(rows))].sum(axis=0)) for _ in range(RESAMPLES)]
    return [str(Metric.of(value, one)) for value, one in zip(_f1(rows.sum(axis=0)), np.transpose(drawn), strict=True)]


def _f1(sums: "np.ndarray") -> tuple[float, float, float]:
    precision, recall = sums[0] / max(sums[1], 1), sums[2] / max(sums[3], 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def _explain(console: Console, found: Sequence[Triple], gold: Sequence[Triple]) -> None:
    def line(mark: str, one: Triple) -> None:
        speaker = one.speakers[0] if one.speakers else "(author)"
        console.print(f"  {mark} {speaker} -> {one.targets[0]}: {one.stance}", markup=False)

    for one in gold:
        if not any(one.names(other) for other in found):
            line("missed", one)
            if near := [other.stance for other in found if one.names(other, with_stance=False)]:
                console.print(f"      found as {near}")
    for one in found:
        if one.stance in TAKEN and not any(one.names(other) for other in gold):
            line("wrong ", one)


if __name__ == "__main__":
    run(app)
