"""Positions found in articles of other languages, beside those that were listed by hand.

    python benchmarks/foreign_articles.py [--part test] [MODEL]

A shown position is right if one of the same sentence is listed with the same stance, and holder and target of each hold
a form of the other's name. Recall counts listed positions that are not optional. Neutrality is left out: none is shown.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.cli import run
from serving.names.mentions import find_mention

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[
        str, typer.Argument(help="One that reads the languages.")
    ] = "models:/stance-multilingual@champion",
    part: Annotated[
        Literal["validation", "test"], typer.Option(help="Of data/languages/articles-PART.jsonl.")
    ] = "test",
) -> None:
    """Print precision and recall of support and criticism by language."""
    classifier = StanceClassifier.load(model)
    counts: dict[str, list[int]] = {}
    for line in Path(f"data/languages/articles-{part}.jsonl").read_text("utf-8").splitlines():
        report = json.loads(line)
        listed = [one for one in report["positions"] if one["stance"] != "neutrality"]
        wanted = {number for number, one in enumerate(listed) if not one["optional"]}
        shown = [one for one in classifier.read_article(report["text"]).statements if one.stance]
        hits = [{number for number, one in enumerate(listed) if agree(one, found)} for found in shown]
        found = len(wanted & set().union(*hits))
        for key in (report["language"], "all"):
            sums = counts.setdefault(key, [0, 0, 0, 0])
            counts[key] = [
                a + b for a, b in zip(sums, (len(shown), sum(map(bool, hits)), len(wanted), found), strict=True)
            ]
    table = Table("articles in", "shown", "right", "precision", "listed", "found", "recall")
    for key, (shown_count, right, listed_count, found) in sorted(counts.items()):
        precision, recall = (
            f"{100 * a / b:.0f}" if b else "" for a, b in ((right, shown_count), (found, listed_count))
        )
        table.add_row(key, str(shown_count), str(right), precision, str(listed_count), str(found), recall)
    Console().print(table)


def agree(listed: dict[str, Any], found: Any) -> bool:
    """Whether a shown statement is a listed position."""
    return (
        listed["stance"] == found.stance.label
        and overlap(without_blanks(listed["sentence"]), without_blanks(found.sentence.text))
        and same(listed["holder"], found.speaker or "")
        and same(listed["target"], found.target)
    )


def same(name: str, other: str) -> bool:
    """Whether one name holds a form of the other."""
    return overlap(name, other) or bool(find_mention(name, other) or find_mention(other, name))


def overlap(one: str, other: str) -> bool:
    """Whether one stands in the other; nothing stands in nothing."""
    return bool(one and other) and (one in other or other in one)


def without_blanks(text: str) -> str:
    """The text as it is compared."""
    return re.sub(r"\s+", "", text)


if __name__ == "__main__":
    run(app)
