"""The commands on a finished model: `sample`, `promote`, `optimize`."""

from pathlib import Path
from typing import Annotated

import typer

from serving.cli import MODEL_HELP, OutputAliasOption, TrackedModelOption, console, errors
from serving.errors import StancewiseError

EXIT_NOT_PROMOTED = 3

NEXT_STEPS = """\
compare experiments   [bold]make ui[/]   then open http://127.0.0.1:5000
label a file          [bold]python -m serving predict --model {model} --input rows.jsonl --output out.jsonl[/]
from Python           [bold]from serving import StanceClassifier, Statement[/]
                      [bold]classifier = StanceClassifier.load("{model}")[/]
                      [bold]classifier.predict([Statement(text="...", speaker="...", target="...")])[/]"""


def sample(
    article: Annotated[str, typer.Argument(help="The name of a labelled article in data/articles.")] = "state-visit",
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "models:/stance@champion",
) -> None:
    """Label the statements of a sample article and say how to go on.

    Example:

        python -m training sample harbour-strike
    """
    from serving.classifier import StanceClassifier
    from serving.terminal import show
    from training.data.corpus import read_corpus

    folder = Path("data/articles")
    path = folder / f"{article}.jsonl"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in folder.glob("*.jsonl")))
        raise StancewiseError(f"{path}: no such article; there are {names or 'none in the working folder'}")
    corpus = read_corpus(path)
    title = (folder / f"{article}.txt").read_text(encoding="utf-8").splitlines()[0]
    predictions = StanceClassifier.load(model).predict(corpus.statements())
    show(corpus.statements(), predictions, title)
    answers = [p.stance for p in predictions if p.stance]
    right = [answer.label == row.stance for answer, row in zip(answers, corpus.rows, strict=True)]
    sure = [hit for hit, answer in zip(right, answers, strict=True) if not answer.abstained]
    console.print(
        f"stance as labelled by hand: {sum(sure)} of the {len(sure)} the model is sure of, "
        f"{sum(right)} of all {len(right)} ('?': it abstains)\n"
    )
    console.print(NEXT_STEPS.format(model=model), soft_wrap=True, highlight=False)


def promote(
    candidate: Annotated[
        str | None, typer.Argument(help="The candidate: a run id, models:/NAME/VERSION or models:/NAME@ALIAS.")
    ] = None,
    gate: Annotated[Path, typer.Option(help="The YAML file with the conditions.")] = Path("configs/promotion.yaml"),
    back: Annotated[
        bool,
        typer.Option(
            "--rollback",
            help="Without a candidate: make the version champion again that the present champion replaced.",
        ),
    ] = False,
) -> None:
    """Make a candidate the champion if it passes the gate; else it becomes the challenger, and the exit code is 3.

    The gate: it is not worse than the present champion, it is calibrated, and a fresh process can load it and label
    samples. What failed is named with its figures. Every decision is kept as a tag of the version.

    Examples, the first of which makes a candidate:

        python -m training baseline configs/baseline.yaml
        python -m training promote models:/stance@baseline
        python -m training promote --rollback
    """
    from training.config import load_config
    from training.experiments import promote as promotion

    if (candidate is None) != back:
        raise StancewiseError("give either a candidate, such as a run id, or --rollback")
    config = load_config(gate, promotion.PromotionConfig)
    decision = promotion.promote(candidate, config, console) if candidate else promotion.rollback(config.model)
    promotion.show_decision(decision, config.model, console)
    if not decision.promoted:
        raise typer.Exit(EXIT_NOT_PROMOTED)


def optimize(model: TrackedModelOption, output_alias: OutputAliasOption = None) -> None:
    """Make the int8 version of a fine-tuned model for CPUs, measure it beside PyTorch, log and register it.

    Whether the new version becomes champion is decided by python -m training promote.

    Example:

        python -m training optimize --model models:/stance@champion --output-alias int8
    """
    from training.int8.optimize import optimize as make_int8

    make_int8(model, output_alias, errors)
