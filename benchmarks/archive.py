"""Words a second and memory of labelling an archive, beside the same reports read in a loop.

    python benchmarks/archive.py --model models:/stance@champion [--reports 600] [--sizes 500 --sizes 2000]

The reports are made of paragraphs of data/archive with other names in them. First the reader alone
(`StanceClassifier.read_article` in a loop, nothing kept) and `article --trend`'s labelling take turns, each with the
same reports: surveyed, compared for copies, labelled and written. The table has words a second without loading the
model, and the share of the reader's own speed. Then whole commands run, and the table has their peak memory by number
of reports: it should not grow with them.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving import StanceClassifier
from serving.article.kept import Kept
from serving.article.text.archive import Archive
from serving.article.text.front import without_front_matter
from serving.cli import run
from serving.scoring.archive import label
from serving.scoring.engine import How
from serving.scoring.manifest import with_version

ARCHIVE = Path(__file__).parents[1] / "data" / "archive"
NAMES = ("Kalvere", "Brantmane", "Nordlode", "Kurzeme", "Velkme", "Vidarshamn")
SYLLABLES = ("bar", "den", "fel", "gor", "hul", "kam", "lis", "mor", "nes", "pel", "rin", "sto", "tav", "ven")
PARAGRAPHS = (3, 6)  # of a report, at least and at most
QUIET = Console(quiet=True)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="The model.")] = "models:/stance@champion",
    reports: Annotated[int, typer.Option(help="Reports whose speed is measured.")] = 600,
    rounds: Annotated[int, typer.Option(min=1, help="Into which they are divided; the table holds the median.")] = 3,
    sizes: Annotated[list[int] | None, typer.Option(help="Archives whose peak memory is measured.")] = None,
) -> None:
    """Print both tables."""
    console = Console()
    model = with_version(model)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folders = [made(folder / f"round-{number}", reports // rounds, number) for number in range(rounds)]
        console.print(speeds(model, folders, folder))
        memory = Table("reports", "statements", "peak MB")
        for number in sizes or (500, 2000):
            source = made(folder / f"size-{number}", number, number)
            keep = folder / f"kept-{number}"
            peak = peak_of(model, source, keep)
            memory.add_row(f"{number:,}", f"{Kept(keep).counts()[1]:,}", f"{peak:,.0f}")
        console.print(memory)


def made(folder: Path, number: int, seed: int) -> Path:
    """A folder of so many invented reports; the same seed makes the same ones."""
    chance = random.Random(seed)  # noqa: S311
    texts = [without_front_matter(path.read_text(encoding="utf-8")) for path in sorted(ARCHIVE.glob("*.md"))]
    paragraphs = [one for text in texts for one in text.strip().split("\n\n")]
    folder.mkdir()
    for place in range(number):
        body = "\n\n".join(chance.sample(paragraphs, chance.randint(*PARAGRAPHS)))
        for one in NAMES:
            body = re.sub(rf"\b{one}\b", "".join(chance.sample(SYLLABLES, 3)).title(), body)
        day = f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        front = f"---\ndate: {day}\nsource: Outlet {chance.randint(1, 9)}\n---\n\n"
        (folder / f"{place:05}.md").write_text(front + body, encoding="utf-8")
    return folder


def speeds(model: str, folders: list[Path], beside: Path) -> Table:
    """Words a second of both ways, round by round in turn."""
    start = time.perf_counter()
    classifier = StanceClassifier.load(model)
    loading = time.perf_counter() - start
    for text in texts_of(folders[0])[:5]:
        classifier.read_article(text)  # the parser is loaded with the first
    loop, kept = [], []
    for number, folder in enumerate(folders):
        texts = texts_of(folder)
        words = sum(len(text.split()) for text in texts)
        start = time.perf_counter()
        for text in texts:
            classifier.read_article(text)
        loop.append(words / (time.perf_counter() - start))
        start = time.perf_counter()
        label(Archive([folder]), beside / f"speed-{number}", How(model, {}), QUIET)
        kept.append(words / (time.perf_counter() - start - loading))
    table = Table("", "words/s", "slowest round")
    table.add_row("read_article in a loop", f"{median(loop):,.0f}", f"{min(loop):,.0f}")
    table.add_row("labelled and kept", f"{median(kept):,.0f}", f"{min(kept):,.0f}")
    share = median(one / other for one, other in zip(kept, loop, strict=True))
    table.add_row("share of the reader's own", f"{share:.0%}", "")
    return table


def texts_of(folder: Path) -> list[str]:
    """The reports that count: a copy is labelled by neither way."""
    archive = Archive([folder])
    wanted = [one for one in archive.survey() if one.counts]
    return [one.text for one in archive.reports({one.digest for one in wanted}, {one.file for one in wanted})]


def peak_of(model: str, source: Path, keep: Path) -> float:
    """Peak resident memory of a whole command, in MB."""
    command = [sys.executable, "-m", "serving", "article", str(source), "--model", model, "--trend", "month"]
    command += ["--keep", str(keep), "--output", str(keep.with_suffix(".csv"))]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"failed: {' '.join(command)}")
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


if __name__ == "__main__":
    run(app)
