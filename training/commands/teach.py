"""The commands that keep a model's answers so that another one can learn from them: `teach`, `teach-reader`."""

from pathlib import Path
from typing import Annotated

import typer

from serving.cli import EXIT_BAD_ROWS, MODEL_HELP, console
from serving.errors import StancewiseError

_PANEL = "A large language model"
_NEEDED = ("endpoint", "llm", "input")


def teach(
    context: typer.Context,
    output: Annotated[Path, typer.Option(help="The file of answers to write (.jsonl).", show_default=False)],
    model: Annotated[str | None, typer.Argument(help=MODEL_HELP, show_default=False)] = None,
    config: Annotated[
        Path | None,
        typer.Argument(help="A YAML config; the rows of its data.train are labelled.", show_default=False),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="The base URL of a server that speaks OpenAI's protocol, such as http://127.0.0.1:8000/v1.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    llm: Annotated[
        str | None,
        typer.Option(help="What the endpoint calls the model.", rich_help_panel=_PANEL, show_default=False),
    ] = None,
    input: Annotated[
        Path | None,
        typer.Option(
            help="Statements to label (.jsonl, .csv, .tsv, .xlsx, .parquet): text, and mostly speaker and target.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Statements that people labelled: they are asked first, and the agreement is shown.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    samples: Annotated[
        int,
        typer.Option(
            min=1,
            help="Answers to each statement, where the endpoint gives no log-probabilities.",
            rich_help_panel=_PANEL,
        ),
    ] = 1,
    temperature: Annotated[
        float, typer.Option(min=0, help="Of these answers, if there are several.", rich_help_panel=_PANEL)
    ] = 1.0,
    at_once: Annotated[int, typer.Option(min=1, help="Statements under way at a time.", rich_help_panel=_PANEL)] = 8,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds that one answer may take.", rich_help_panel=_PANEL)
    ] = 300,
    price_in: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Price of a million tokens that are sent, to estimate the cost.",
            rich_help_panel=_PANEL,
            show_default=False,
        ),
    ] = None,
    price_out: Annotated[
        float | None,
        typer.Option(
            min=0, help="Price of a million tokens that are answered.", rich_help_panel=_PANEL, show_default=False
        ),
    ] = None,
    key_env: Annotated[
        str, typer.Option(help="The environment variable that holds the key.", rich_help_panel=_PANEL)
    ] = "OPENAI_API_KEY",
    yes: Annotated[bool, typer.Option("--yes", help="Send without asking.", rich_help_panel=_PANEL)] = False,
) -> None:
    """Keep the answers of a large model, so that a smaller one can learn from them.

    The large model is a tracked one (MODEL and CONFIG) or a language model behind an endpoint (--endpoint, --llm and
    --input), such as vLLM, llama.cpp, Ollama or MLflow's AI gateway. The file goes into a config as the `teacher` of
    the same rows. With a language model nothing is sent before you confirm it, every answer is kept as it comes, and
    the same command goes on where it was stopped. Exit code 3: some statements got no answer.

    Examples:

        python -m training teach models:/stance@champion configs/quickstart.yaml --output taught.jsonl

        python -m training teach --endpoint http://localhost/v1 --llm qwen --input data/pairs.jsonl --output a.jsonl
    """
    given = {
        name: f"--{name.replace('_', '-')}"
        for name in context.params
        if name not in ("output", "model", "config") and _typed(context, name)
    }
    if model is not None and given:
        either = "MODEL and CONFIG are for a tracked model, --endpoint, --llm and --input for a language model"
        raise StancewiseError(f"teach: MODEL together with {next(iter(given.values()))}; {either}; give one of the two")
    if model is not None and config is not None:
        _tracked(model, config, output)
        return
    if model is not None or endpoint is None or llm is None or input is None:
        lacking = ["CONFIG"] if model else [f"--{name}" for name in _NEEDED if name not in given]
        either = "" if model or given else "MODEL and CONFIG, or for a language model "
        raise StancewiseError(f"teach: give {either}{', '.join(lacking)}; see: python -m training teach --help")
    from training.teaching.endpoint import Endpoint, key_of
    from training.teaching.flow import Price, Teaching

    key = key_of(key_env, "key_env" in given)
    asked = Endpoint(endpoint, llm, key, key_env, samples, temperature, timeout)
    teaching = Teaching(
        asked, Price(price_in, price_out), at_once, lambda question: yes or _confirmed(question), console
    )
    teaching.label(input, check, output)
    if teaching.unanswered:
        raise typer.Exit(EXIT_BAD_ROWS)


def _typed(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _confirmed(question: str) -> bool:
    try:
        return typer.confirm(question)
    except typer.Abort:
        raise StancewiseError(
            "nobody there to confirm it: nothing was sent; add --yes to send without asking"
        ) from None


def _tracked(model: str, config: Path, output: Path) -> None:
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
    texts: Annotated[
        Path, typer.Argument(help="Rows with a text (.jsonl, .csv, .tsv, .xlsx or .parquet); the rest is not read.")
    ],
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
