"""A year of many short reports, labelled as a user does: speed, memory over time, and a kill -9 in the middle.

    python benchmarks/long_archive.py --model models:/stance@champion [--reports 20000]

The reports are two sentences of data/reports/news.jsonl each (24 to 60 words), with a day of 2026 and one of nine
outlets. `article FOLDER --trend month --keep` labels them. It is killed when half of them are labelled, and the same
command goes on. The first table has the most resident memory by the number of labelled reports: of the first
process, then of the second. At the end the program looks into the folder: every text is there once, and once only.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import psutil
import pyarrow.parquet as pq
import typer
from rich.console import Console
from rich.table import Table

from serving.article.kept import Kept, parts
from serving.cli import run
from serving.errors import StancewiseError
from serving.scoring.archive import AT_ONCE

NEWS = Path(__file__).parents[1] / "data" / "reports" / "news.jsonl"
WORDS = range(12, 31)  # of a sentence
SHARES = (0.1, 0.25, 0.5, 0.75, 1)  # of the reports, at which memory is noted
EVERY = 0.2  # seconds between two looks

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    model: Annotated[str, typer.Option(help="The model.")] = "models:/stance@champion",
    reports: Annotated[int, typer.Option(min=1000, help="So many.")] = 20_000,
) -> None:
    """Label them, kill it once, go on, and print memory and speed."""
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder, keep = Path(name) / "reports", Path(name) / "labelled"
        words = made(folder, reports)
        table = Table("process", "labelled", "minutes", "most memory, MB")
        command = [sys.executable, "-m", "serving", "article", str(folder), "--model", model, "--trend", "month"]
        command += ["--keep", str(keep), "--output", str(Path(name) / "trend.csv")]
        seconds = 0.0
        for process, until in (("killed", reports // 2), ("second", reports)):
            for there, after, peak in watched(command, keep, [round(share * reports) for share in SHARES], until):
                table.add_row(process, f"{there:,}", f"{after / 60:.1f}", f"{peak:,.0f}")
            seconds += after
            console.print(f"{process}: {after / 60:.1f} minutes, {len(digests(keep)):,} texts in the folder")
        console.print(table)
        texts = Counter(digests(keep))
        counted, statements = Kept(keep).counts()
        console.print(
            f"{counted:,} reports count, {statements:,} statements; {words:,} words in {seconds / 60:.1f} minutes"
        )
        twice = sum(number > 1 for number in texts.values())
        console.print(f"texts labelled: {len(texts):,}, of which twice: {twice}")
        if twice or len(texts) != counted:
            raise StancewiseError("a text was labelled twice, or not at all")


def made(folder: Path, number: int) -> int:
    """A folder of so many reports, always the same ones; returns the number of their words."""
    chance = random.Random(number)  # noqa: S311
    texts = [json.loads(line)["text"] for line in NEWS.read_text(encoding="utf-8").splitlines()]
    split = [one for text in texts for one in re.split(r"(?<=[.!?])\s+", text)]
    sentences = [one for one in split if len(one.split()) in WORDS]
    folder.mkdir()
    words = 0
    for place in range(number):
        body = " ".join(chance.sample(sentences, 2))
        day = f"2026-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
        front = f"---\ndate: {day}\nsource: Outlet {chance.randint(1, 9)}\n---\n\n"
        (folder / f"{place:05}.md").write_text(f"{front}{body}\n", encoding="utf-8")
        words += len(body.split())
    return words


def watched(command: Sequence[str], keep: Path, marks: Sequence[int], until: int) -> Iterator[tuple[int, float, float]]:
    """Run a command until so many reports are labelled, or to its end.

    Yields:
        At each mark that it passes, and at its end: the reports labelled, the seconds since its start, and the most
        resident memory since the last mark, in MB.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603
    left = [mark for mark in marks if mark > labelled(keep)]
    peak = 0.0
    while process.poll() is None:
        with suppress(psutil.Error):
            peak = max(peak, psutil.Process(process.pid).memory_info().rss / 1e6)
        if left and (there := labelled(keep)) >= left[0]:
            yield there, time.perf_counter() - start, peak
            peak = 0.0
            left.pop(0)
            if there >= until and left:
                process.kill()
                process.wait()
                return
        time.sleep(EVERY)
    if process.returncode:
        raise StancewiseError(f"failed with {process.returncode}: {' '.join(command)}")
    yield labelled(keep), time.perf_counter() - start, peak


def labelled(keep: Path) -> int:
    """How many texts are, but for those that the last file has less."""
    return AT_ONCE["local"] * len(parts(keep))


def digests(keep: Path) -> list[bytes]:
    """The labelled texts, as often as each was labelled."""
    found: list[bytes] = []
    for part in parts(keep):
        found += dict.fromkeys(pq.read_table(part, columns=["digest"])["digest"].to_pylist())
    return found


if __name__ == "__main__":
    run(app)
