"""How well attributions are found, on PolNeAR; and the table of cues, counted on its train part."""

import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

import numpy as np
import spacy
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from serving.article.reading.attribution import Attribution
from serving.article.reading.grammar import Candidate, attributions, candidates
from serving.article.reading.parse import load_pipeline
from serving.article.reading.plain import quoted
from serving.article.text.quotations import find_quotations
from serving.cli import run
from serving.errors import StancewiseError
from training.evaluation.metrics import Metric

CUES = Path(__file__).parents[1] / "serving" / "article" / "reading" / "cues.json"
LEAST_USES = 3  # of a word in a frame, so that its share says something
RESAMPLES, SEED = 1000, 1

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)

Words = frozenset[int]  # places in the passage's list of words
Find = Callable[[str], Sequence[Attribution]]
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Passage:
    """A text of one to a few sentences with its attributions; those without a holder have an empty one."""

    text: str
    article: str
    gold: list[tuple[Words, Words, Words]]  # holder, cue, content

    def words(self, *spans: tuple[int, int]) -> Words:
        """The words that lie in the spans."""
        places = enumerate(_WORD.finditer(self.text))
        return frozenset(i for i, word in places if any(a < word.end() and word.start() < b for a, b in spans))


@app.command()
def learn(part: Annotated[str, typer.Option(help="Of PolNeAR.")] = "train") -> None:
    """Count which words attribute, and by which complement; writes serving/article/reading/cues.json.

    Example:

      STANCE_BENCHMARKS=... python benchmarks/attribution.py learn
    """
    uses: dict[str, Counter[str]] = defaultdict(Counter)
    hits: dict[str, Counter[str]] = defaultdict(Counter)
    for passage, found in _parsed(_passages(part)):
        for one in found:
            hit = any(_matches(passage, one, gold) for gold in passage.gold)
            for frame, word in ((one.frame, one.word), (one.frame, "*"), ("holder", one.holder)):
                if word:
                    uses[frame][word] += 1
                    hits[frame][word] += hit
    table = {
        frame: {
            word: round(hits[frame][word] / count, 2)
            for word, count in sorted(words.items())
            if count >= LEAST_USES and (word == "*" or hits[frame][word])
        }
        for frame, words in sorted(uses.items())
        if frame == "holder" or words["*"] >= 10 * LEAST_USES
    }
    CUES.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(f"{CUES}: {sum(map(len, table.values())):,} words in {len(table)} frames")


@app.command()
def score(part: Annotated[str, typer.Option(help="Of PolNeAR.")] = "validation") -> None:
    """Print precision, recall and F1 of holder, cue and content, ours beside textacy's, with 95 % intervals.

    Example:

      STANCE_BENCHMARKS=... python benchmarks/attribution.py score
    """
    passages = list(_passages(part))
    nlp = load_pipeline()
    table = Table("", "seconds", "holder", "cue", "content", "content with its holder", "... exact")
    sides: list[tuple[str, Find]] = [
        ("stancewise", lambda text: attributions(nlp(text), find_quotations(text))[0]),
        ("stancewise, without a parser", lambda text: quoted(text, (0, len(text)))),
        ("textacy", _textacy(nlp)),
    ]
    counted = {}
    for name, find in sides:
        start = time.perf_counter()
        rows = [_score(one, find(one.text)) for one in track(passages, name, console=console)]
        counted[name] = np.array(rows), time.perf_counter() - start
    groups = [passage.article for passage in passages]
    for name, (rows, seconds) in counted.items():
        cells = [f"{_figures(rows[:, i])} {_interval(rows[:, i], groups)}" for i in range(rows.shape[1])]
        table.add_row(name, f"{seconds:.0f}", *cells)
    Console(width=200).print(table)


def _passages(part: str) -> Iterator[Passage]:
    folder = os.environ.get("STANCE_BENCHMARKS")
    if not folder:
        raise StancewiseError("STANCE_BENCHMARKS is not set; set it to the folder that holds polnear/")
    with (Path(folder) / "polnear" / f"{part}.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for text, several in groupby(sorted(rows, key=lambda row: str(row["text"])), key=lambda row: str(row["text"])):
        given = list(several)
        passage = Passage(text, given[0]["article"], [])
        spans = [tuple(passage.words(*row[f"{kind}_spans"]) for kind in ("source", "cue", "content")) for row in given]
        yield Passage(text, given[0]["article"], list(dict.fromkeys(spans)))  # type: ignore[arg-type]


def _parsed(passages: Iterator[Passage]) -> Iterator[tuple[Passage, list[Candidate]]]:
    several = list(passages)
    docs = load_pipeline().pipe([one.text for one in several], batch_size=64)
    for passage, doc in track(zip(several, docs, strict=True), "parsing", total=len(several), console=console):
        yield passage, list(candidates(doc, find_quotations(passage.text)))


def _matches(passage: Passage, one: Candidate, gold: tuple[Words, Words, Words]) -> bool:
    found = one.attribution
    return bool(passage.words(found.cue) & gold[1]) and bool(passage.words(found.source) & gold[0])


def _textacy(nlp: spacy.Language) -> Find:
    from textacy.extract import direct_quotations

    def find(text: str) -> list[Attribution]:
        try:
            triples = list(direct_quotations(nlp(text)))
        except ValueError:  # an unclosed quotation
            return []
        return [
            Attribution(_ends(one.speaker), 0, _ends(one.cue), ((one.content.start_char, one.content.end_char),))
            for one in triples
        ]

    return find


def _ends(tokens: Sequence["spacy.tokens.Token"]) -> tuple[int, int]:
    return tokens[0].idx, tokens[-1].idx + len(tokens[-1])


def _score(passage: Passage, found: Sequence[Attribution]) -> list[tuple[float, float, float, float]]:
    """For holder, cue, content, content with its holder, and that exactly: hits and counts, of found and of gold."""
    ours = [(passage.words(one.source), passage.words(one.cue), passage.words(*one.content)) for one in found]
    worth = np.array([[len(a[2] & b[2]) + 3 * len(a[1] & b[1]) for b in passage.gold] for a in ours], dtype=float)
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(-worth), strict=True) if worth[i, j]] if ours else []
    held = sum(bool(gold[0]) for gold in passage.gold)
    totals = [held, len(passage.gold), len(passage.gold), held, held]
    scores = []
    for kind, total in enumerate(totals):
        hits = [_hits(kind, ours[i], passage.gold[j]) for i, j in pairs]
        scores.append((sum(hit for hit, _ in hits), float(len(ours)), sum(hit for _, hit in hits), float(total)))
    return scores


def _hits(kind: int, ours: tuple[Words, ...], gold: tuple[Words, ...]) -> tuple[float, float]:
    """The shares of the found words and of the gold words that are right."""
    both = ours[min(kind, 2)], gold[min(kind, 2)]
    common = len(both[0] & both[1])
    if not common or (kind > 2 and not ours[0] & gold[0]):
        return 0.0, 0.0
    if kind == 4:
        exact = float(both[0] == both[1])
        return exact, exact
    return common / len(both[0]), common / len(both[1])


def _f1(sums: "np.ndarray") -> tuple[float, float, float]:
    precision = sums[0] / max(sums[1], 1)
    recall = sums[2] / max(sums[3], 1)
    return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)


def _figures(rows: "np.ndarray") -> str:
    precision, recall, f1 = (100 * one for one in _f1(rows.sum(axis=0)))
    return f"{f1:.1f} (P {precision:.0f}, R {recall:.0f})"


def _interval(rows: "np.ndarray", groups: Sequence[str]) -> str:
    """95 % by resampling articles."""
    names = sorted(set(groups))
    place = {name: i for i, name in enumerate(names)}
    by = np.zeros((len(names), rows.shape[1]))
    np.add.at(by, [place[group] for group in groups], rows)
    random = np.random.default_rng(SEED)
    drawn = [_f1(by[random.integers(0, len(names), len(names))].sum(axis=0))[2] for _ in range(RESAMPLES)]
    return Metric.of(_f1(by.sum(axis=0))[2], np.array(drawn)).interval


if __name__ == "__main__":
    run(app)
