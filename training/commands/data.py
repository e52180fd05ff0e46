"""The command on data: `check`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from serving.cli import console


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
