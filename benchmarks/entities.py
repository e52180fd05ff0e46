"""Whom and what the mentions of an article stand for: entities of whole texts, measured by themselves.

    python benchmarks/entities.py score [--part validation] [--verbose]

A mention counts if a report lists it as the holder or target of a position. Left out: words for which a report lists
two entities, and `I` and `we`: whose they are, quotations tell. The reader's entity is that of the head word. A mention
for which it has none is an entity of its own. The last column is the share of mentions whose shown name is one of the
entity's names. The parts are those of benchmarks/articles.py.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from articles import read_part
from rich.console import Console
from rich.progress import track
from rich.table import Table

from serving.article.reading.entities import Entity
from serving.article.reading.names import FIRST_PERSON, NAMED, Names
from serving.article.reading.pairs import Paragraph
from serving.article.reading.parse import load_pipeline
from serving.article.reading.targets import mention
from serving.article.text.blocks import find_blocks, names_in, parsable
from serving.cli import run
from serving.inputs import Offsets
from training.data.names import is_name_of
from training.data.sources.reports import Report
from training.evaluation.entities import b_cubed, figures
from training.fitting.pairs import head_word

if TYPE_CHECKING:
    from spacy.tokens import Token

KINDS = ("names", "descriptions", "pronouns")
PRONOUNS = frozenset({
    "he", "her", "hers", "herself", "him", "himself", "his", "it", "its", "itself", "she", "that", "their", "theirs",
    "them", "themselves", "these", "they", "this", "those", "which", "who", "whom", "whose", "you", "your", "yours",
})  # fmt: skip

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Mention:
    """A listed mention, and what the reader takes it for."""

    at: Offsets
    kind: str
    listed: str  # key of the entity
    found: Entity | None
    shown: str | None  # the name a user sees; None: none

    def is_right(self, report: Report) -> bool:
        """Whether the shown name is one of the entity's."""
        return self.shown is not None and is_name_of(self.shown, report.entities[self.listed])


@app.callback()
def main() -> None:
    """Entities of whole texts, measured by themselves."""


@app.command()
def score(
    part: Annotated[str, typer.Option(help="A file of data/reports, without its ending.")] = "validation",
    every: Annotated[int, typer.Option(min=1, help="Only every so many of its texts.")] = 1,
    verbose: Annotated[bool, typer.Option(help="List the mentions that are wrong, the worst first.")] = False,
) -> None:
    """Print B-cubed precision, recall and F1, and the share of right names, with 95 % intervals by resampling texts."""
    reports = read_part(part)[::every]
    texts: list[tuple[Report, list[Mention]]] = [
        (one, list(mentions(one))) for one in track(reports, "reading", console=Console(stderr=True))
    ]
    rows = [
        np.column_stack(
            [
                b_cubed([one.listed for one in several], [one.found for one in several]),
                np.array([one.is_right(report) for one in several], dtype=np.float64),
            ]
        )
        for report, several in texts
    ]
    console = Console(width=150)
    if verbose:
        explain(console, texts, rows)
    table = Table("mentions", "number", "precision", "recall", "F1", "shown by a right name")
    for kind in ("all", *KINDS):
        chosen = [
            values[np.array([kind in (one.kind, "all") for one in several], dtype=bool)]
            for (_, several), values in zip(texts, rows, strict=True)
        ]
        table.add_row(kind, f"{sum(map(len, chosen)):,}", *map(str, figures(chosen)))
    console.print(table)


def mentions(report: Report) -> Iterator[Mention]:
    """What a report lists as holders and targets, in the order of the text."""
    listed: dict[Offsets, set[str]] = defaultdict(set)
    for one in report.positions:
        for key, at in ((one.holder, one.holder_at), (one.target, one.target_at)):
            if key and at:
                listed[at].add(key)
    asked = {
        at: keys.pop()
        for at, keys in sorted(listed.items())
        if len(keys) == 1 and report.text[slice(*at)].lower() not in FIRST_PERSON
    }
    names = Names()
    blocks = find_blocks(report.text)
    known = names_in(report.text, blocks)
    for block in blocks:
        doc = load_pipeline()(
            parsable(report.text[block.start : block.end], known if block.shape == "heading" else None)
        )
        names.add(doc, Paragraph.of(doc).quoted())
        if block.speaker:
            called = names.called(" ".join(report.text[slice(*block.speaker)].split()))
            for at in [at for at in asked if block.speaker[0] <= at[0] < block.speaker[1]]:
                yield Mention(at, "names", asked.pop(at), called, called.name)
        for at in [at for at in asked if block.start <= at[0] < block.end]:
            place = head_word(doc, at, block.start)
            if place is not None:
                yield _mention(report, at, asked.pop(at), doc[place], names.of(doc[place]))
    for at, key in asked.items():  # in what is not read, such as the line of a picture
        yield Mention(at, "descriptions", key, None, None)


def _mention(report: Report, at: Offsets, key: str, head: "Token", found: Entity | None) -> Mention:
    """A mention by its head word; without an entity its words are shown, but a pronoun alone would tell nothing."""
    if report.text[slice(*at)].lower() in PRONOUNS:
        return Mention(at, "pronouns", key, found, found.name if found else None)
    start, end = mention(head)
    kind = "names" if head.ent_type_ in NAMED or head.pos_ == "PROPN" else "descriptions"
    return Mention(at, kind, key, found, found.name if found else head.doc.text[start:end])


def explain(console: Console, texts: list[tuple[Report, list[Mention]]], rows: list[np.ndarray]) -> None:
    """Mentions that are shown by another name, or put together with others wrongly."""
    wrong = [
        (not values[place, 2], -values[place, :2].sum(), report, one)
        for (report, several), values in zip(texts, rows, strict=True)
        for place, one in enumerate(several)
        if values[place].min() < 1
    ]
    for _, worth, report, one in sorted(wrong, key=lambda row: (-row[0], -row[1])):
        around = report.text[max(0, one.at[0] - 90) : one.at[0]], report.text[one.at[1] : one.at[1] + 50]
        words = f"{around[0]}[{report.text[slice(*one.at)]}]{around[1]}".replace("\n", " ")
        console.print(
            f"{report.id} {one.at[0]} {one.kind} {-worth / 2:.2f}: {report.entities[one.listed][0]} "
            f"<- {one.shown}\n    {words}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


if __name__ == "__main__":
    run(app)
