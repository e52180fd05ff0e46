"""The commands on labels from people: `label`, `agree`, `convert`."""

import webbrowser
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape

from serving.cli import console, errors
from serving.errors import StancewiseError

ColumnsOption = Annotated[
    str | None,
    typer.Option(help="Our field=its column, with commas between: text=sentence,speaker=mp.", show_default=False),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(help="Its label=ours, with commas between: pro=support,contra=criticism.", show_default=False),
]
Form = Literal["table", "label-studio", "argilla", "doccano", "prodigy"]


def label(
    table: Annotated[Path, typer.Argument(help="Statements (.jsonl, .csv, .tsv, .xlsx or .parquet).")],
    output: Annotated[
        Path | None,
        typer.Option(
            help="Your answers (.jsonl), one file a person; TABLE.answers.jsonl if not given.", show_default=False
        ),
    ] = None,
    columns: ColumnsOption = None,
    labels: LabelsOption = None,
    model: Annotated[
        str | None, typer.Option(help="A model to ask: a folder, models:/NAME@ALIAS or runs:/ID.", show_default=False)
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Show the model's answer at once: faster, and it sways the labels.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes any free one.")] = 8001,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Label the statements of a table on a page in the browser, one at a time.

    Each answer is on the disk before the next statement is shown. Stop with Ctrl+C; the same command goes on where you
    stopped. The file of answers is a training table as it is. Rows that have both labels already are not asked.

    Examples:

        python -m training label to-label.csv --output ada.jsonl
        python -m training label speeches.xlsx --columns text=sentence,speaker=mp,target=bill
        python -m training label to-label.csv --output bo.jsonl --model models:/stance@champion --suggest
    """
    from serving.classifier import StanceClassifier
    from training.labelling.answers import session
    from training.labelling.page import serve
    from training.labelling.tables import maps_of, read_statements

    if suggest and model is None:
        raise StancewiseError("--suggest: there is no model to ask; name one with --model")
    maps, told = maps_of(table, columns, labels)
    if told:
        _note(told)
    statements = read_statements(table, maps)
    asked = [one for one in statements if not (one.stance and one.sentiment)]
    if not asked:
        raise StancewiseError(f"{table}: every row has both labels already; nothing is left to label")
    kept = output or table.with_suffix(".answers.jsonl")
    with session(kept, asked) as (opened, cut):
        if cut:
            _note(f"{kept}: its last line was half-written ({cut:,} bytes) and was cut off; that answer is asked again")
        classifier = StanceClassifier.load(model) if model else None
        done, ready = len(opened.answers), len(statements) - len(asked)
        labelled = f", {ready:,} labelled in the table" if ready else ""
        console.print(f"statements: {len(asked):,}, answered: {done:,}{labelled}; answers: {escape(str(kept))}")

        def opens(address: str) -> None:
            console.print(f"page: {address} (Ctrl+C stops)", soft_wrap=True, highlight=False)
            if browser:
                webbrowser.open(address)

        try:
            serve(opened, port, classifier, model or "", suggest, opens)
        finally:
            console.print(f"answered: {len(opened.answers):,} of {len(asked):,}; the same command goes on")


def _note(said: str) -> None:
    errors.print(f"note: {escape(said)}", soft_wrap=True, highlight=False)
