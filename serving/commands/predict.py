"""The `predict` command: one statement, or a table in and the same rows with their labels out, a piece at a time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from serving.classifier import StanceClassifier
from serving.cli import EXIT_BAD_ROWS, AnyLanguageOption, DeviceOption, ModelOption, RuntimeOption, errors
from serving.errors import StancewiseError
from serving.language.detect import foreign_note
from serving.rows.check import checked, statement_of
from serving.rows.read import FORMATS, READ, Row, read_rows, read_standard_input, table_format
from serving.statement import Prediction, Statement
from serving.tables import RowWriter, open_writer
from serving.terminal import say, show

CHUNK = 256  # rows labelled at once: enough to sort by length, few enough to stream


def predict(
    model: ModelOption,
    text: Annotated[str | None, typer.Option(help="Label this one statement and show it as a table.")] = None,
    speaker: Annotated[
        str | None, typer.Option(help="With --text: its holder (default: the author of the text).")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="With --text: its target (default: the text's main subject).")
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(help="Rows to label: .jsonl, .csv, .tsv, .xlsx or .parquet (default: JSON Lines on stdin)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Where the labelled rows go: .jsonl, .csv or .parquet (default: JSON Lines on stdout)."),
    ] = None,
    bad_rows: Annotated[
        Path | None,
        typer.Option(help="Where rows that cannot be labelled are listed (.jsonl; default: beside the output)."),
    ] = None,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    any_language: AnyLanguageOption = False,
) -> None:
    """Label one statement, or every row of a file.

    Rows need a `text` and may have `speaker` and `target`; every other column is kept. Rows that cannot be
    labelled are listed with line and reason beside the output, and the exit code is then 3. On a text in a language
    that the model was not made for it abstains.

    Examples:

        python -m serving predict --model models:/stance@champion --text "Oslo hailed the accord." --target "the accord"
        python -m serving predict --model models:/stance@champion --input data/pairs.jsonl --output out.csv
        cat data/pairs.jsonl | python -m serving predict --model models:/stance@champion > out.jsonl
    """
    if text is not None and (input or output):
        raise StancewiseError("--text labels one statement; leave out --input and --output, or leave out --text")
    if text is None and (speaker or target):
        raise StancewiseError("--speaker and --target go with --text; in a file they are columns of each row")
    for path, known in ((input, READ), (output, FORMATS), (bad_rows, FORMATS)):
        if path:
            table_format(path, known)
    classifier = StanceClassifier.load(model, device, runtime, any_language=any_language)
    if text is not None:
        statement = statement_of(Row(1, {"text": text, "speaker": speaker, "target": target}))
        if isinstance(statement, str):
            raise StancewiseError(statement)
        [answer] = classifier.predict([statement])
        show([statement], [answer])
        if note := foreign_note(Counter([answer.language] if answer.foreign else [])):
            say(f"note: {note}", errors)
        return
    bad = label_rows(classifier, input, output, bad_rows or _bad_rows_path(input, output), errors)
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)


def _bad_rows_path(input: Path | None, output: Path | None) -> Path:
    base = output or input or Path("stdin")
    return base.with_name(f"{base.name}.bad.jsonl")


def label_rows(
    classifier: StanceClassifier, input: Path | None, output: Path | None, bad_rows: Path, errors: Console
) -> int:
    """Stream rows through the model; returns how many were bad, and says so on `errors`.

    Args:
        classifier: the model.
        input: a table; None: JSON Lines on standard input.
        output: a table; None: JSON Lines on standard output.
        bad_rows: where bad rows are listed, with line and reason; not made without one.
        errors: for the progress bar and the count.

    Raises:
        StancewiseError: as `checked`; a column of the input has the name of one that is added.
    """
    done = bad = 0
    others: Counter[str] = Counter()
    with ExitStack() as stack:
        place, header = (str(input), input.suffix.lower() != ".jsonl") if input else ("standard input", False)
        rows = checked(
            read_rows(input) if input else read_standard_input(), place, partial(say, console=errors), header
        )
        writer = stack.enter_context(open_writer(output))
        bar = stack.enter_context(progress(errors))
        task = bar.add_task("labelling", total=_count(input) if input and bar.disable is False else None)
        side: RowWriter | None = None
        for row, result in predictions(classifier, rows, bar, task):
            if isinstance(result, Prediction):
                answer = result.row()
                if taken := sorted(answer.keys() & row.values.keys()):
                    place = f"line {row.line}: column {taken[0]!r}"
                    raise StancewiseError(f"{place} is in the input already and would be overwritten; rename it")
                writer.write({**row.values, **answer})
                done += 1
                others[result.language] += result.foreign
                continue
            if side is None:
                side = stack.enter_context(open_writer(bad_rows))
            side.write({"line": row.line, "reason": result})
            bad += 1
    say(f"{done:,} rows labelled" + (f", {bad:,} could not be: see {bad_rows}" if bad else ""), errors)
    if note := foreign_note(+others):
        say(f"rows {note}", errors)
    return bad


def predictions(
    classifier: StanceClassifier, rows: Iterable[Row], bar: Progress, task: TaskID
) -> Iterator[tuple[Row, Prediction | str]]:
    """Every row with its prediction, or with the reason why there is none; in order."""
    source = iter(rows)
    while chunk := list(islice(source, CHUNK)):
        results: list[Statement | str] = [statement_of(row) for row in chunk]
        good = [result for result in results if isinstance(result, Statement)]
        try:
            found = iter(classifier.predict(good))
            answers = [next(found) if isinstance(result, Statement) else result for result in results]
        except StancewiseError:
            answers = [_alone(classifier, result) for result in results]
        yield from zip(chunk, answers, strict=True)
        bar.advance(task, len(chunk))


def progress(errors: Console) -> Progress:
    """A bar of rows, on a terminal only."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, disable=not errors.is_terminal)


def _alone(classifier: StanceClassifier, statement: Statement | str) -> Prediction | str:
    if isinstance(statement, str):
        return statement
    try:
        return classifier.predict([statement])[0]
    except StancewiseError as error:
        return str(error)


def _count(path: Path) -> int | None:
    """Rows in the file, roughly: for the progress bar."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return int(pq.read_metadata(path).num_rows)
    if path.suffix.lower() == ".xlsx":
        return None
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
