"""Whom or what pronouns stand for: the article reader's weights, learned from our reports, and how often they hold.

    python benchmarks/pronouns.py score
    python benchmarks/pronouns.py learn

A pronoun counts if a report lists it as the holder or target of a position. It is right if the name found is one of
those that the report gives the entity. `score` also prints how often that would be so in the training reports, by
weights learned from the others (five folds of reports).
"""

import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from serving.article.reading.entities import Entity
from serving.article.reading.names import Names
from serving.article.reading.pairs import Paragraph
from serving.article.reading.parse import load_pipeline
from serving.article.reading.pronouns import Weights, candidates, is_third_person, kind_of
from serving.article.reading.pronouns import score as score_of
from serving.article.text.blocks import find_blocks, names_in, parsable
from serving.cli import run
from serving.tables import whole
from training.data.names import is_name_of
from training.data.sources.reports import Report, read_reports
from training.evaluation.metrics import Floats

if TYPE_CHECKING:
    from spacy.tokens import Doc, Token

REPORTS = Path(__file__).parents[1] / "data" / "reports"
WEIGHTS = Path(__file__).parents[1] / "serving" / "article" / "reading" / "pronouns.json"
TRAINED_ON = ("train", "news")
FOLDS = 5
PENALTY = 1.0  # times the squared weights
LEAST = 0.05  # weights nearer to zero are left out

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Asked:
    """A pronoun with the names it may stand for."""

    report: str
    kind: str
    candidates: list[tuple[tuple[str, ...], bool]]  # features, and whether the name is right
    found: bool  # whether the weights in use find a right one


@app.command()
def learn() -> None:
    """Learn the weights; writes serving/article/reading/pronouns.json."""
    table = fit(list(pronouns(TRAINED_ON)))
    with whole(WEIGHTS) as temporary:
        temporary.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    Console(stderr=True).print(f"{WEIGHTS}: {sum(map(len, table.values())):,} weights")


@app.command()
def score() -> None:
    """Print how many pronouns are given a right name, on the validation articles and in folds of the others."""
    console = Console()
    table = Table("pronouns", "kind", "number", "right, %", "a right name is near, %")
    validation = list(pronouns(("validation",)))
    _show(table, "validation articles", validation, Counter(one.kind for one in validation if one.found))
    trained = list(pronouns(TRAINED_ON))
    right: Counter[str] = Counter()
    for fold in range(FOLDS):
        learned = fit([one for one in trained if _fold(one) != fold])
        right.update(one.kind for one in trained if _fold(one) == fold and _finds(learned, one))
    _show(table, "training reports, in folds", trained, right)
    console.print(table)


def _fold(one: Asked) -> int:
    return zlib.crc32(one.report.encode()) % FOLDS


def _show(table: Table, title: str, asked: Sequence[Asked], right: Mapping[str, int]) -> None:
    for kind in (*sorted({one.kind for one in asked}), "all"):
        some = [one for one in asked if kind in (one.kind, "all")]
        found = sum(right.values()) if kind == "all" else right.get(kind, 0)
        near = sum(any(fits for _, fits in one.candidates) for one in some)
        table.add_row(title, kind, f"{len(some):,}", f"{100 * found / len(some):.0f}", f"{100 * near / len(some):.0f}")


def pronouns(parts: Sequence[str]) -> Iterator[Asked]:
    """Every pronoun that the reports of the parts list."""
    reports = [one for part in parts for one in read_reports(REPORTS / f"{part}.jsonl")]
    for report in track(reports, "reading", console=Console(stderr=True)):
        yield from _of_report(report)


class _Recorded(Names):
    """Names that remember the candidates of every pronoun of the last paragraph."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, tuple[list[tuple[str, tuple[str, ...]]], str | None]] = {}

    def read(self, doc: "Doc") -> None:
        """Add a paragraph with its quotations."""
        self.asked = {}
        self.add(doc, Paragraph.of(doc).quoted())

    def _pronoun(self, token: "Token") -> Entity | None:
        if not is_third_person(token):
            return super()._pronoun(token)
        near = [(one.name, given) for one, given in self._candidates(token)]
        found = super()._pronoun(token)
        self.asked[token.i] = (near, found.name if found else None)
        return found

    def _candidates(self, token: "Token") -> Iterator[tuple[Entity, tuple[str, ...]]]:
        return candidates(token, self._near, self._sentence, self._at, self._speaking(token))


def _of_report(report: Report) -> Iterator[Asked]:
    names = _Recorded()
    blocks = find_blocks(report.text)
    known = names_in(report.text, blocks)
    mentioned = {
        at: key
        for one in report.positions
        for key, at in ((one.holder, one.holder_at), (one.target, one.target_at))
        if key and at
    }
    for block in blocks:
        text = report.text[block.start : block.end]
        doc = load_pipeline()(parsable(text, known if block.shape == "heading" else None))
        names.read(doc)
        for place, (near, found) in names.asked.items():
            key = mentioned.get((start := block.start + doc[place].idx, start + len(doc[place])))
            called = [name for name in report.entities.get(key or "", ()) if name.lower() != doc[place].lower_]
            if called:
                rated = [(given, is_name_of(name, called)) for name, given in near]
                yield Asked(report.id, kind_of(doc[place]), rated, found is not None and is_name_of(found, called))


def fit(asked: Sequence[Asked]) -> Weights:
    """Weights by kind and feature that make the right names likely."""
    known = [one for one in asked if any(fits for _, fits in one.candidates)]
    numbers: dict[tuple[str, str], int] = {}
    rows, columns, right, lengths = [], [], [], []
    for one in known:
        lengths.append(len(one.candidates))
        for given, fits in one.candidates:
            for kind in ("any", one.kind):
                for feature in sorted(given):
                    rows.append(len(right))
                    columns.append(numbers.setdefault((kind, feature), len(numbers)))
            right.append(fits)
    matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(right), len(numbers)))
    fits, sizes = np.array(right), np.array(lengths)
    starts = np.concatenate([[0], sizes.cumsum()[:-1]])

    def loss(values: Floats) -> tuple[float, Floats]:
        scores = matrix @ values
        chances = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), sizes))
        every, good = np.add.reduceat(chances, starts), np.add.reduceat(chances * fits, starts)
        slope = chances / np.repeat(every, sizes) - chances * fits / np.repeat(good, sizes)
        return (
            float((np.log(every) - np.log(good)).sum() + PENALTY * values @ values),
            matrix.T @ slope + 2 * PENALTY * values,
        )

    values = minimize(loss, np.zeros(len(numbers)), jac=True, method="L-BFGS-B").x
    table: dict[str, dict[str, float]] = {"any": {}, **{one.kind: {} for one in known}}
    for (kind, feature), number in numbers.items():
        if abs(values[number]) >= LEAST:
            table[kind][feature] = round(float(values[number]), 2)
    return table


def _finds(table: Weights, one: Asked) -> bool:
    return max(one.candidates, key=lambda each: score_of(table, one.kind, each[0]), default=(None, False))[1]


if __name__ == "__main__":
    run(app)
