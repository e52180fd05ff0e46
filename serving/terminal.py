"""Predictions as a terminal shows them, in 80 columns."""

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.statement import HeadPrediction, Prediction, Statement

NAMES_WIDTH = 38  # of the first column at most, so that the table fits into 80
HEAD_WIDTH = len("neutrality 100% ?")
STYLES = {"support": "green", "positive": "green", "criticism": "red", "negative": "red"}
# What a text could play tricks on a terminal with: control characters, orders to write backwards, half characters.
_TRICKS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def show(statements: Iterable[Statement], predictions: Iterable[Prediction], title: str | None = None) -> None:
    """Print each text with its statements below: holder -> target, both labels with probability, `?` where unsure."""
    console = Console()
    pairs = list(zip(statements, predictions, strict=True))
    width = min(NAMES_WIDTH, max(len(_names(statement)) for statement, _ in pairs))
    if title:
        console.print(Text(title, style="bold"))
    console.print(rows((width, HEAD_WIDTH, HEAD_WIDTH), [("holder → target", "stance", "sentiment")]), style="bold")
    for text, group in groupby(pairs, key=lambda pair: pair[0].text):
        console.print(Text(f"\n{printable(text)}", style="italic"))
        cells = [(_names(s), cell(p.stance), cell(p.sentiment)) for s, p in group]
        console.print(rows((width, HEAD_WIDTH, HEAD_WIDTH), cells))


def say(text: str, console: Console) -> None:
    """Print a line as it stands: not wrapped, nothing in it taken for a mark of style."""
    console.print(text, soft_wrap=True, markup=False, highlight=False)


def rows(widths: Sequence[int], cells: Iterable[Sequence[Text | str]]) -> Table:
    """Cells in columns of these widths (characters), two apart; what is longer is wrapped."""
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    for width in widths:
        table.add_column(width=width)
    for row in cells:
        table.add_row(*row)
    return table


def cell(head: HeadPrediction | None, probability: float | None = None) -> Text:
    """A head's label with its probability (or another number in its place), `?` where it abstains."""
    if head is None:
        return Text("not trained", style="dim")
    style = "dim" if head.abstained else STYLES.get(head.label, "yellow")
    shown = head.probability if probability is None else probability
    return Text(f"{head.label} {shown:.0%}" + (" ?" if head.abstained else ""), style=style)


def printable(text: str) -> str:
    """A text on one line, without what could play tricks on the terminal."""
    return _TRICKS.sub("\ufffd", " ".join(text.split()))


def _names(statement: Statement) -> Text:
    return Text(printable(f"{statement.speaker or '(author)'} → {statement.target or '(main subject)'}"))
