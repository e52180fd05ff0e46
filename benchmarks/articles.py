"""From reports to (holder, target, stance): how many positions are found, how many that are shown are right.

    python benchmarks/articles.py score --model models:/stance@champion [--part validation] [--verbose]
    python benchmarks/articles.py agree
    python benchmarks/articles.py speed --model models:/stance@champion

The parts are files of data/reports. STANCE_BENCHMARKS names where the texts of those that begin with `real` are. The
rule is that of training/evaluation/positions.py; `--loose` uses that of version 0.1 instead, which takes half of the
words in common for the same name. `agree` compares two readers.
"""

import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.article.reading.parse import load_pipeline
from serving.article.reading.positions import find_positions
from serving.article.text.blocks import find_blocks, parsable
from serving.cli import run
from serving.errors import StancewiseError
from training.data.sources.reports import Report, read_reports
from training.evaluation.metrics import Metric
from training.evaluation.positions import Shown, Tally, figures, shown, tally

DATA = Path(__file__).parents[1] / "data"
REPORTS = DATA / "reports"
KINDS = {
    "train": "paragraphs",
    "news": "short news",
    "validation": "articles",
    "test": "articles",
    "languages-test": "articles in other languages",
}
RESAMPLES, SEED = 1000, 1
TAKEN = ("support", "criticism")
COUNTED = {"support and criticism": TAKEN, "declared neutrality": ("neutrality",)}
_IGNORED = frozenset(
    ["a", "an", "the", "this", "that", "these", "those", "his", "her", "its", "their", "our", "my", "your"]
)
_IGNORED |= {"of", "in", "for", "on", "to", "and"}
ModelOption = Annotated[str, typer.Option(help="The model.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def score(
    model: ModelOption = "models:/stance@champion",
    part: Annotated[str, typer.Option(help="A file of data/reports, without its ending.")] = "validation",
    verbose: Annotated[bool, typer.Option(help="List what was missed and what was wrong.")] = False,
    loose: Annotated[bool, typer.Option(help="Half of the words in common make the same name.")] = False,
) -> None:
    """Print precision, recall and F1, with 95 % intervals by resampling articles."""
    classifier = StanceClassifier.load(model)
    console = Console(width=150)
    counts: dict[str, list[Tally]] = {title: [] for title in COUNTED}
    start = time.perf_counter()
    for report in read_part(part):
        article = classifier.read_article(report.text)
        for title, stances in COUNTED.items():
            numbers, wrong, missed = tally(shown(article), report, stances, is_close if loose else None)
            counts[title].append(numbers)
            if verbose:
                explain(console, f"{report.id}, {title}", wrong, missed)
    console.print(f"{len(counts['declared neutrality'])} texts in {time.perf_counter() - start:.0f} s")
    print_figures(console, counts)


@app.command()
def agree() -> None:
    """Print how far two readers of the same texts agree: the second reader's list judged by the first."""
    parts = {part: {one.id: one for one in read_part(part)} for part in KINDS}
    first = {id: one for part in parts.values() for id, one in part.items()}
    texts = {id: one.text for id, one in first.items()}
    counts: dict[str, list[Tally]] = {}
    for second in read_reports(REPORTS / "second-reading.jsonl", texts):
        kind = next(kind for part, kind in KINDS.items() if second.id in parts[part])
        for title, stances in COUNTED.items():
            counts.setdefault(f"{title}, {kind}", []).append(tally(certain(second), first[second.id], stances)[0])
    print_figures(Console(width=150), counts)


@app.command()
def speed(
    model: ModelOption = "models:/stance@champion",
    rounds: Annotated[int, typer.Option(help="The table holds the median.")] = 5,
) -> None:
    """Print words a second, from text to labelled statements, and where the time goes."""
    classifier = StanceClassifier.load(model)
    texts = [path.read_text(encoding="utf-8") for path in sorted((DATA / "articles").glob("*.txt"))]
    words = sum(len(text.split()) for text in texts)
    seconds = np.array([_stages(classifier, texts) for _ in range(rounds + 1)])[1:]  # the first one warms up
    parsing, reading, labelling = np.median(seconds, axis=0)
    table = Table("stage", "seconds", "share")
    total = reading + labelling
    stages = (("sentences, grammar (spaCy)", parsing), ("pairs and names", reading - parsing), ("labels", labelling))
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
    positions = [find_positions(text, judged=classifier.judged).positions for text in texts]
    marks.append(time.perf_counter())
    for several in positions:
        classifier.predict([one.statement() for one in several])
    marks.append(time.perf_counter())
    return marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2]


def read_part(part: str) -> list[Report]:
    """The reports of a part, with their texts."""
    if not part.startswith("real"):
        return read_reports(REPORTS / f"{part}.jsonl")
    folder = os.environ.get("STANCE_BENCHMARKS")
    if not folder:
        raise StancewiseError(f"--part {part}: its texts are not in the project; set STANCE_BENCHMARKS to their folder")
    lines = (Path(folder) / "real_articles" / "articles.jsonl").read_text(encoding="utf-8").splitlines()
    return read_reports(REPORTS / f"{part}.jsonl", {row["id"]: row["text"] for row in map(json.loads, lines)})


def certain(report: Report) -> Iterator[Shown]:
    """What a reader is sure of."""
    for one in report.positions:
        if not one.optional and one.sentence is not None:
            holder = report.entities[one.holder][0] if one.holder else None
            yield Shown(holder, report.entities[one.target][0], one.stance)


def is_close(name: str, names: Sequence[str]) -> bool:
    """The rule of version 0.1: half of the words in common, without articles and owners."""
    return any(2 * len(_words(name) & _words(one)) >= max(len(_words(name)), len(_words(one)), 1) for one in names)


def _words(name: str) -> frozenset[str]:
    words = {re.sub(r"['’]s?$", "", word) for word in re.findall(r"[\w'’-]+", name.casefold())}
    return frozenset(words - _IGNORED) or frozenset(words)


def print_figures(console: Console, counts: Mapping[str, Sequence[Tally]]) -> None:
    """A row for each of the counts, with intervals."""
    table = Table("", "precision", "recall", "F1")
    for title, rows in counts.items():
        random = np.random.default_rng(SEED)
        drawn = [figures([rows[i] for i in random.integers(0, len(rows), len(rows))]) for _ in range(RESAMPLES)]
        found = zip(figures(rows), np.transpose(drawn), strict=True)
        table.add_row(title, *(str(Metric.of(value, several)) for value, several in found))
    console.print(table)


def explain(console: Console, title: str, wrong: Sequence[Shown], missed: Sequence[Shown]) -> None:
    """What was wrong and what was missed."""
    console.print(f"[bold]{title}[/]")
    for mark, several in (("wrong ", wrong), ("missed", missed)):
        for one in several:
            console.print(f"  {mark} {one.speaker or '(author)'} -> {one.target}: {one.stance}", markup=False)


if __name__ == "__main__":
    run(app)
