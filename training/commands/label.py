"""The commands on labels from people: `label`, `agree`, `convert`."""

import webbrowser
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from serving.cli import console, errors
from serving.errors import StancewiseError

if TYPE_CHECKING:
    from training.evaluation.metrics import Metric

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


def agree(
    first: Annotated[Path, typer.Argument(help="The answers of one person, or any labelled table.")],
    second: Annotated[Path, typer.Argument(help="Those of another person, about the same rows.")],
    output: Annotated[
        Path | None,
        typer.Option(help="A table of the rows they differ on (.csv, .jsonl or .parquet).", show_default=False),
    ] = None,
) -> None:
    """Say how far two people agree, and which rows they should settle.

    Rows belong together by their id. For each head: raw agreement, Cohen's kappa and Krippendorff's alpha, with 95 %
    intervals (whole texts are drawn). The table of differing rows can be labelled again.

    Examples:

        python -m training agree ada.jsonl bo.jsonl --output differ.csv
        python -m training label differ.csv --output settled.jsonl
    """
    from rich.table import Table

    from serving.tables import open_writer
    from training.labelling.agree import compare
    from training.labelling.tables import maps_of, read_statements

    sides = []
    for path in (first, second):
        maps, told = maps_of(path, None, None)
        if told:
            _note(told)
        sides.append({row.id: row for row in read_statements(path, maps)})
    found = compare(*sides)
    if not found.agreements:
        raise StancewiseError(f"{first} and {second}: no row that both have labelled; rows belong together by their id")
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for column in ("head", "rows", "agree", "in %", "kappa", "alpha"):
        table.add_column(column, justify="left" if column == "head" else "right", no_wrap=True)
    for one in found.agreements:
        figures = [str(one.raw), _coefficient(one.kappa), _coefficient(one.alpha)]
        table.add_row(one.head, f"{one.rows:,}", f"{one.same:,}", *figures)
    console.print(table)
    for count, what in (
        (found.only_first, f"rows only {first} has"),
        (found.only_second, f"rows only {second} has"),
        (found.other_mentions, "rows with another holder or target, which are not compared"),
    ):
        if count:
            console.print(f"{escape(what)}: {count:,}", soft_wrap=True, highlight=False)
    where = ""
    if output:
        with open_writer(output) as writer:
            for row in found.differ:
                writer.write(row)
        where = f"; to settle: {output}" if found.differ else f"; {output} is empty"
    console.print(f"rows they differ on: {len(found.differ):,}{escape(where)}", soft_wrap=True, highlight=False)


def convert(
    source: Annotated[Path, typer.Argument(help="A table, or the export of a tool.")],
    output: Annotated[Path, typer.Argument(help="The file to write; a table is .jsonl, .csv or .parquet.")],
    read: Annotated[Form, typer.Option("--from", help="The form of the source.")] = "table",
    write: Annotated[Form, typer.Option("--to", help="The form of the output.")] = "table",
    columns: ColumnsOption = None,
    labels: LabelsOption = None,
    labeller: Annotated[
        str | None,
        typer.Option(
            help="From a tool: whose labels, where several people labelled. From a table to a tool: who labelled "
            "(Label Studio: a user's email or number, Argilla: a user's id).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Bring statements to and from Label Studio, Argilla, doccano and Prodigy.

    Holder and target are spans there. Suggestions of models and rejected tasks count as unlabelled.

    Examples:

        python -m training convert to-label.csv tasks.json --to label-studio
        python -m training convert export.json labelled.jsonl --from label-studio
    """
    from serving.tables import open_writer
    from training.labelling.answers import row_of
    from training.labelling.forms import FORMS, of_one
    from training.labelling.tables import maps_of, read_statements, statements_from

    maps, told = maps_of(source, columns, labels)
    if told:
        _note(told)
    if read == "table":
        statements = read_statements(source, maps)
    else:
        rows = of_one(FORMS[read].read(source), source, labeller)
        statements = statements_from(rows, source, maps)
    if write == "table":
        found = [row_of(one) for one in statements]
        every = dict.fromkeys(name for row in found for name in row)
        with open_writer(output) as writer:
            for row in found:
                writer.write(row if output.suffix == ".jsonl" else dict.fromkeys(every) | row)
    else:
        FORMS[write].write(statements, output, labeller if read == "table" else None)
    labelled = sum(1 for one in statements if one.stance or one.sentiment)
    console.print(f"rows: {len(statements):,}, labelled: {labelled:,}; written: {escape(str(output))}", soft_wrap=True)


def _coefficient(figure: "Metric") -> str:
    if isnan(figure.value):
        return "– (one label)"
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def _note(said: str) -> None:
    errors.print(f"note: {escape(said)}", soft_wrap=True, highlight=False)
