"""`python -m serving`: label statements from the command line."""

import logging
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.access import refused
from serving.article.output import Format
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.label import label_rows, statement_of
from serving.runtimes import BATCH_TOKENS, RuntimeName
from serving.tables import Row, table_format
from serving.terminal import show

EXIT_BAD_ROWS = 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
errors = Console(stderr=True)

# The run's own lines are what a user should see.
QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
}
# Of pyproject.toml, by module; the rest is in `training`.
EXTRAS = {"nncf": "optimize", "openvino": "optimize", "pyspark": "spark", "spacy": "article", "trafilatura": "article"}


@app.callback()
def main() -> None:
    """Label statements by stance (support, neutrality, criticism) and sentiment toward a target."""


@app.command()
def predict(
    model: Annotated[str, typer.Option(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    text: Annotated[str | None, typer.Option(help="One statement, shown as a table.")] = None,
    speaker: Annotated[str | None, typer.Option(help="Its holder (default: the author of the text).")] = None,
    target: Annotated[str | None, typer.Option(help="Its target (default: the text's main subject).")] = None,
    input: Annotated[Path | None, typer.Option(help=".jsonl, .csv or .parquet (default: JSON Lines on stdin).")] = None,
    output: Annotated[
        Path | None, typer.Option(help=".jsonl, .csv or .parquet (default: JSON Lines on stdout).")
    ] = None,
    bad_rows: Annotated[Path | None, typer.Option(help="Where unreadable rows are listed (.jsonl).")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[RuntimeName, typer.Option(help="auto takes int8 on a CPU where the model has it.")] = "auto",
) -> None:
    """Label one statement, or every row of a file.

    Rows need a `text` and may have `speaker` and `target`; every other column is kept. Rows that cannot be
    labelled are listed with line and reason beside the output, and the exit code is then 3.

    Examples:

      python -m serving predict --model models:/stance@champion --text "Oslo hailed the accord." --speaker Oslo
      --target "the accord"

      python -m serving predict --model models:/stance@champion --input rows.csv --output labelled.parquet

      cat rows.jsonl | python -m serving predict --model models:/stance@champion > labelled.jsonl
    """
    if text is not None and (input or output):
        raise StancewiseError("--text labels one statement; leave out --input and --output, or leave out --text")
    if text is None and (speaker or target):
        raise StancewiseError("--speaker and --target go with --text; in a file they are columns of each row")
    for path in (input, output, bad_rows):
        if path:
            table_format(path)
    classifier = StanceClassifier.load(model, device, runtime)
    if text is not None:
        statement = statement_of(Row(1, {"text": text, "speaker": speaker, "target": target}))
        if isinstance(statement, str):
            raise StancewiseError(statement)
        show([statement], classifier.predict([statement]))
        return
    bad = label_rows(classifier, input, output, bad_rows or _bad_rows_path(input, output), errors)
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)


@app.command()
def score(
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN_ID or a folder.")],
    input: Annotated[str, typer.Option(help="A table or a folder of them: .jsonl, .csv or .parquet.")],
    output: Annotated[str, typer.Option(help="The folder to make; it appears when it is whole.")],
    engine: Annotated[Literal["local", "spark"], typer.Option(help="This machine, or a Spark cluster.")] = "local",
    shard_rows: Annotated[int, typer.Option(min=1, help="Rows in a shard (local).")] = 16_384,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda (local).")] = "auto",
    runtime: Annotated[RuntimeName, typer.Option(help="auto takes int8 on a CPU where the model has it.")] = "auto",
) -> None:
    """Score tables larger than memory into a folder of Parquet, once, whatever interrupts it.

    On this machine a run that was ended goes on where it was; every distinct statement is scored once. Rows that
    cannot be labelled are kept in the folder with the reason, and the exit code is then 3. A finished folder is left
    as it is.

    Spark reads and writes Parquet; where it runs is set by PYSPARK_SUBMIT_ARGS or spark-defaults.conf, see
    docs/scale.md.

    Examples:

      python -m serving score --model models:/stance@champion --input statements/ --output labelled

      python -m serving score --engine spark --model models:/stance@champion --input hdfs:///statements
      --output hdfs:///labelled
    """
    from serving.scoring.manifest import pinned

    if engine == "spark":
        from serving.scoring import spark

        if device != "auto" or runtime != "auto":
            raise StancewiseError("--device and --runtime are for --engine local; every Spark executor chooses itself")
        bad = spark.score(pinned(model), input, output, errors)
    else:
        from serving.scoring import local

        bad = local.score(pinned(model), Path(input), Path(output), shard_rows, device, runtime, errors)
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)


@app.command()
def article(
    paths: Annotated[
        list[Path], typer.Argument(metavar="FILE|FOLDER|-", help="Texts; of a folder all .txt and .md; - is stdin.")
    ],
    model: Annotated[
        str, typer.Option(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")
    ] = "models:/stance@champion",
    format: Annotated[
        Format | None, typer.Option(help="Default: by the output's extension, else table.", show_default=False)
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write (default: standard output).")] = None,
    target: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=ALIAS,ALIAS]", help="Only toward these; repeat for more.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Which words carried each stance (jsonl, html).")] = False,
    extract: Annotated[
        Literal["html"] | None, typer.Option(help="html: take the main text out of HTML files.", show_default=False)
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Holder-target pairs over all files, not single statements.")
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[RuntimeName, typer.Option(help="auto takes int8 on a CPU where the model has it.")] = "auto",
) -> None:
    """Find who takes which position toward what in articles, and label each statement.

    Files are text in UTF-8. A file that cannot be read is named, the others go on, and the exit code is then 3.

    Examples:

      python -m serving article report.txt

      python -m serving article reports/ --output statements.jsonl --explain

      python -m serving article reports/ --summary --format csv > pairs.csv

      python -m serving article page.html --extract html --output page-with-stances.html

      cat report.txt | python -m serving article - --target "the accord=the agreement,the deal"
    """
    from serving.article import command
    from serving.article.output import chosen_format

    form = chosen_format(format, output)
    if summary and form == "html":
        raise StancewiseError("--summary: the HTML page has its summary already; leave out --summary")
    if explain and (summary or form not in ("jsonl", "html")):
        raise StancewiseError("--explain: words are shown by --format jsonl and html, without --summary")
    targets = command.parse_targets(target or [])
    texts, bad = command.read_files(paths, extract == "html", errors)
    if not texts:
        raise typer.Exit(1)
    articles = command.label_texts(StanceClassifier.load(model, device, runtime), texts, targets, explain, errors)
    command.write(articles, form, summary, output)
    found = sum(len(one.statements) for one in articles)
    counted = f"{len(articles):,} article{'s' if len(articles) > 1 else ''}, {found:,} statements"
    errors.print(counted + (f"; {bad:,} could not be read" if bad else ""))
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)


@app.command()
def export(
    model: Annotated[str, typer.Option(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    output: Annotated[Path, typer.Option(help="The folder to make.")],
) -> None:
    """Write a folder that serves the model anywhere, with a Containerfile and pinned requirements.

    The model needs no registry there; one with int8 needs neither torch nor transformers.

    Example:

      python -m serving export --model models:/stance@champion --output stance-server
    """
    from serving.export import export as write

    made, other = write(model, output)
    table = Table("runtime", "model, MB", "packages, MB", "seconds to ready")
    for one in (made, other):
        if one:
            table.add_row(one.runtime, f"{one.model_mb:.0f}", f"{one.packages_mb:.0f}", f"{one.seconds:.1f}")
    console = Console()
    console.print(table)
    if other:
        saved = other.model_mb + other.packages_mb - made.model_mb - made.packages_mb
        faster = other.seconds / made.seconds
        console.print(f"int8 saves {saved:,.0f} MB and is ready {faster:.1f} times as fast as PyTorch")
    console.print(f"{output}: see its README.md", soft_wrap=True)


@app.command()
def serve(
    model: Annotated[str, typer.Option(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    host: Annotated[str, typer.Option(help="127.0.0.1 is reached from this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes that share the port.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    runtime: Annotated[RuntimeName, typer.Option(help="auto takes int8 on a CPU where the model has it.")] = "auto",
    api_key_file: Annotated[
        Path | None, typer.Option(help="Holds the key that clients send (or set STANCEWISE_API_KEY).")
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="Statements that may wait, a worker; more get 429.")] = 4096,
    request_statements: Annotated[int, typer.Option(min=1, help="Statements in one request; more get 413.")] = 1024,
    article_characters: Annotated[int, typer.Option(min=1, help="Characters of one article; more get 413.")] = 500_000,
    articles: Annotated[int, typer.Option(min=1, help="Articles at a time, a worker; more get 429.")] = 4,
    body_bytes: Annotated[int, typer.Option(min=1024, help="Bytes of one request; more get 413.")] = 4 << 20,
    batch_tokens: Annotated[int, typer.Option(min=128, help="Padded tokens in one forward pass.")] = BATCH_TOKENS,
    read_seconds: Annotated[float, typer.Option(min=0.1, help="Seconds for headers and for body to arrive.")] = 10,
    deadline: Annotated[float, typer.Option(min=0.001, help="Seconds to the answer; later gets 503.")] = 30,
    grace: Annotated[int, typer.Option(min=0, help="Seconds that accepted requests get after SIGTERM.")] = 20,
    watch: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the alias.")] = 10,
) -> None:
    """Serve a model over HTTP: a page for articles, /v1, MLflow's /invocations, text-embeddings-inference's /predict.

    When the alias moves, the new version is loaded beside the old one and takes over without a failed request.

    Examples:

      python -m serving serve --model models:/stance@champion

      curl http://127.0.0.1:8000/v1/predict -d '{"text": "Oslo hailed the accord.", "target": "the accord"}'

      STANCEWISE_API_KEY=... python -m serving serve --model models:/stance@champion --host 0.0.0.0 --workers 4
    """
    from serving.server import process
    from serving.server.settings import ServerSettings

    settings = ServerSettings(
        model=model,
        host=host,
        port=port,
        workers=workers,
        device=device,
        runtime=runtime,
        queue=queue,
        request_statements=request_statements,
        article_characters=article_characters,
        articles=articles,
        body_bytes=body_bytes,
        batch_tokens=batch_tokens,
        read_seconds=read_seconds,
        deadline=deadline,
        grace=grace,
        watch=watch,
    )
    process.serve(settings, api_key_file)


@app.command()
def optimize(
    model: Annotated[str, typer.Option(help="models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    output_alias: Annotated[str | None, typer.Option(help="For the new version; champion is not given here.")] = None,
) -> None:
    """Make the int8 version of a fine-tuned model for CPUs, measure it beside PyTorch, log and register it.

    Whether the new version becomes champion is up to python -m training promote.

    Examples:

      python -m serving optimize --model models:/stance@champion

      python -m serving optimize --model models:/stance/3 --output-alias int8
    """
    from serving.optimize import optimize as make_int8

    make_int8(model, output_alias, errors)


def _bad_rows_path(input: Path | None, output: Path | None) -> Path:
    base = output or input or Path("stdin")
    return base.with_name(f"{base.name}.bad.jsonl")


def quiet() -> None:
    """Switch the libraries' bars and chatter off; to be called before they are imported."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for category in (FutureWarning, UserWarning):
        warnings.filterwarnings("ignore", category=category)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    # OpenVINO and NNCF report their use to their maker unless this module is missing.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]


def run(application: typer.Typer) -> None:
    """Run a command line: a user's mistake is one line on standard error and exit code 1."""
    quiet()
    try:
        application()
    except StancewiseError as error:
        errors.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        remedy = escape(f"install it with: pip install '.[{EXTRAS.get(error.name or '', 'training')}]'")
        errors.print(f"[bold red]error:[/] {error.name} is not installed; {remedy}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(141)
    except Exception as error:
        if not (refusal := refused(error)):
            raise
        errors.print(f"[bold red]error:[/] {escape(str(refusal))}", soft_wrap=True)
        sys.exit(1)


if __name__ == "__main__":
    run(app)
