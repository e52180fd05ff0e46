"""More sentences for a large model to label for a small one: directed sentiment's, with either name as target.

    python benchmarks/transfer.py [--teacher models:/newsmtsc-large@champion]

Writes build/transfer.jsonl. The rows keep no label and no holder: they are shown as NewsMTSC shows its own. Sentences
near one of NewsMTSC's evaluation rows are left out. With --teacher they are labelled too, into benchmarks/teachers/,
where the answers of the 110 M model are kept; configs/benchmarks/newsmtsc.yaml trains on both.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from serving import StanceClassifier
from serving.__main__ import run
from serving.tables import open_writer
from training.config import DataSet
from training.corpus import LabelledStatement
from training.leaks import find_leaks
from training.sources import read_set
from training.sources.teacher import ask

SENTENCES = 6_500  # a large model takes ten minutes for them on 2 cores
WRITTEN = Path("build/transfer.jsonl")
ANSWERS = Path("benchmarks/teachers/transfer.jsonl")
EVALUATION = ("rw_validation", "mt_validation", "rw_test", "mt_test")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(teacher: Annotated[str | None, typer.Option(help="Folder or MLflow URI of the large model.")] = None) -> None:
    """Write the sentences; label them, if a model is named. The public sets are read from STANCE_BENCHMARKS."""
    console = Console(stderr=True)
    given = read_set(DataSet(source="directed_sentiment", part="train"))
    with console.status("comparing with the evaluation rows"):
        parts = [read_set(DataSet(source="newsmtsc", part=part)) for part in EVALUATION]
        near = find_leaks(given, parts)
    kept = given.keep([i for i in range(len(given.rows)) if i not in near][:SENTENCES])
    both = replace(kept, rows=[turned for row in kept.rows for turned in _both(row)], lines=[])
    WRITTEN.parent.mkdir(exist_ok=True)
    with open_writer(WRITTEN) as writer:
        for row in both.rows:
            writer.write(row.model_dump(exclude_none=True))
    console.print(f"{WRITTEN}: {len(both.rows):,} rows; {len(near):,} sentences near an evaluation row left out")
    if teacher is not None:
        ask(StanceClassifier.load(teacher), both, ANSWERS, console)
        console.print(f"{ANSWERS}: labelled")


def _both(row: LabelledStatement) -> list[LabelledStatement]:
    bare = row.model_copy(update=dict.fromkeys(("stance", "speaker", "speaker_start", "speaker_end")))
    holder = {
        "id": f"{row.id}:holder",
        "target": row.speaker,
        "target_start": row.speaker_start,
        "target_end": row.speaker_end,
    }
    return [bare] if row.speaker == row.target else [bare, bare.model_copy(update=holder)]


if __name__ == "__main__":
    run(app)
