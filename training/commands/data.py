"""The commands on data: `check`, `pick`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from serving.cli import EXIT_BAD_ROWS, DeviceOption, ModelOption, console, errors


def check(
    path: Annotated[Path, typer.Argument(help="A folder with one .jsonl a split, or a file.")],
    least_share: Annotated[float, typer.Option(help="The least share of a file's rows that each label needs.")] = 0.05,
    most_share: Annotated[float, typer.Option(help="The largest share of a file's rows that a label may have.")] = 0.95,
) -> None:
    """Validate a corpus: schema, labels, texts, offsets, duplicates, leaks between splits, balance.

    Reports every problem as file:line and exits with 1 if there is one. Training refuses the same problems, except
    that it only warns of a rare label and that data.leaks in its config can let leaks pass.

    Example:

        python -m training check data/statements
    """
    from training.data.check import check as check_files
    from training.data.check import corpus_files

    files = corpus_files(path)
    problems = check_files(files, least_share, most_share)
    for problem in problems:
        console.print(escape(str(problem)), soft_wrap=True, highlight=False)
    if problems:
        console.print(f"[red]problems: {len(problems):,}[/] (files read: {len(files)})")
        raise typer.Exit(1)
    console.print(f"[green]no problems[/] in {', '.join(file.name for file in files)}")


def pick(
    input: Annotated[Path, typer.Option(help="Statements without labels: .jsonl, .csv, .tsv, .xlsx or .parquet.")],
    output: Annotated[Path, typer.Option(help="Where the chosen rows go: .jsonl, .csv or .parquet.")],
    model: ModelOption = "models:/stance@champion",
    rows: Annotated[int, typer.Option(min=1, help="How many rows to choose.")] = 50,
    labelled: Annotated[
        Path | None, typer.Option(help="A table of statements that are labelled already; they are left out.")
    ] = None,
    suggest: Annotated[bool, typer.Option("--suggest", help="Add the model's labels, and how sure it is.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed chooses the same rows.")] = 1,
    device: DeviceOption = "auto",
) -> None:
    """Choose the statements whose labels would teach a model most.

    They are those that it is unsure of, and as different from each other as can be (BADGE, Ash et al. 2020). No two
    have nearly the same text, and every target has a row as far as the rows allow. Columns are those of `predict`. Of a
    table with more than 20,000 rows, so many are drawn at random, and some of every target. What is no statement is
    listed beside the output, and the exit code is then 3.

    Example:

        python -m training pick --input data/own-topic/statements.csv --rows 50 --output to-label.csv
    """
    from training.experiments.pick import pick as choose

    if choose(model, input, output, rows, labelled, suggest, seed, device, errors):
        raise typer.Exit(EXIT_BAD_ROWS)
