"""The commands on data: `check`, `pick`, `teach`, `teach-reader`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from serving.cli import EXIT_BAD_ROWS, MODEL_HELP, DeviceOption, ModelOption, console, errors
from serving.errors import StancewiseError


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
    input: Annotated[Path, typer.Option(help="Statements without labels: .jsonl, .csv or .parquet.")],
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


def teach(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    config: Annotated[Path, typer.Argument(help="A YAML config; the rows of its data.train are labelled.")],
    output: Annotated[
        Path, typer.Option(help="The file to write: the id of every row, with the model's probabilities (.jsonl).")
    ],
) -> None:
    """Label a config's training rows with a model, so that a smaller one can learn from its answers.

    The file goes into another config as the `teacher` of the same set.

    Example:

        python -m training teach models:/stance@champion configs/quickstart.yaml --output taught.jsonl
    """
    from serving.classifier import StanceClassifier
    from serving.tables import open_writer
    from training.config import TrainConfig, load_config
    from training.data.parts import read_data
    from training.data.sources.teacher import answers

    corpora = read_data(load_config(config, TrainConfig).data, console)
    classifier = StanceClassifier.load(model)
    with open_writer(output) as writer:
        for row in answers([classifier], corpora["train"], console):
            writer.write(row)
    console.print(f"{len(corpora['train'].rows):,} rows labelled: {output}")


def teach_reader(
    model: Annotated[str, typer.Argument(help=f"{MODEL_HELP} It has a reader.")],
    texts: Annotated[Path, typer.Argument(help="Rows with a text (.jsonl, .csv or .parquet); the rest is not read.")],
    output: Annotated[Path, typer.Option(help="The file to write: the pairs that express a position (.jsonl).")],
) -> None:
    """Read texts with a model's reader, so that a smaller reader can learn from its answers.

    The file goes into the config of the other reader, beside the texts, as `data.taught`.

    Example:

        python -m training teach-reader models:/stance@large-reader data/reports/news.jsonl --output taught.jsonl
    """
    from serving.runtime.load import load_reader
    from serving.store.versions import find_model
    from serving.tables import open_writer
    from training.data.sources.taught import answers, texts_of

    reader = load_reader(find_model(model), "auto")
    if reader is None:
        raise StancewiseError(f"{model}: this model has no reader; make one with: python -m training reader")
    several = texts_of(texts)
    with open_writer(output) as writer:
        for row in answers(reader, several, console):
            writer.write(row)
    console.print(f"{len(several):,} texts read: {output}")
