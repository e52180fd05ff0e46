"""`python -m training`: check data, train, fit the baseline, evaluate, label a sample article."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from serving.__main__ import run as run_app
from serving.errors import StancewiseError
from training import processes

EXIT_NOT_PROMOTED = 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
console = Console()

Overrides = Annotated[list[str] | None, typer.Option("--set", help="key=value, such as optimiser.learning_rate=1e-4.")]


NEXT_STEPS = """\
compare experiments   [bold]make ui[/]   then open http://127.0.0.1:5000
label a file          [bold]python -m serving predict --model {model} --input rows.jsonl --output out.jsonl[/]
from Python           [bold]from serving import StanceClassifier, Statement[/]
                      [bold]classifier = StanceClassifier.load("{model}")[/]
                      [bold]classifier.predict([Statement(text="...", speaker="...", target="...")])[/]"""


@app.callback()
def main(context: typer.Context) -> None:
    """Fine-tune, calibrate, evaluate and track stance models."""
    if processes.count() > 1 and context.invoked_subcommand != "train":
        if processes.index() > 0:
            raise typer.Exit(1)
        raise StancewiseError(
            f"{context.invoked_subcommand} runs in one process; torchrun and accelerate are for train"
        )


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A folder with one .jsonl a split, or a file.")],
    least_share: Annotated[float, typer.Option(help="Least share of rows each label needs.")] = 0.05,
    most_share: Annotated[float, typer.Option(help="Most share of rows a label may have.")] = 0.95,
) -> None:
    """Validate a corpus: schema, labels, texts, offsets, duplicates, leaks between splits, balance.

    Reports every problem as file:line and exits with 1 if there is one.

    Example: python -m training check data/statements
    """
    from training.check import check as check_files
    from training.check import corpus_files

    files = corpus_files(path)
    problems = check_files(files, least_share, most_share)
    for problem in problems:
        console.print(escape(str(problem)), soft_wrap=True, highlight=False)
    if problems:
        console.print(f"[red]{len(problems)} problems[/] in {len(files)} files")
        raise typer.Exit(1)
    console.print(f"[green]no problems[/] in {', '.join(file.name for file in files)}")


@app.command()
def train(
    config: Annotated[Path | None, typer.Argument(help="A YAML config, such as configs/quickstart.yaml.")] = None,
    overrides: Overrides = None,
    resume: Annotated[str | None, typer.Option(help="Go on with this killed run, from its last checkpoint.")] = None,
    reuse: Annotated[bool, typer.Option(help="Do nothing when a run with this config and data is finished.")] = False,
    folds: Annotated[int | None, typer.Option(help="Cross-validate on train and validation in so many parts.")] = None,
) -> None:
    """Fine-tune an encoder, calibrate it, evaluate it, track it in MLflow and register it.

    Examples:

      python -m training train configs/quickstart.yaml

      python -m training train configs/quickstart.yaml --set template=blind --set seeds=[1,2,3]

      python -m training train configs/quickstart.yaml --folds 5 --reuse

      python -m training train --resume 0f3c...

      torchrun --nproc_per_node 2 -m training train configs/quickstart.yaml
    """
    with processes.team() as leads:
        if leads:
            _train(config, overrides, resume, reuse, folds)
        else:
            from training.fit import follow

            follow()


def _train(
    config: Path | None, overrides: list[str] | None, resume: str | None, reuse: bool, folds: int | None
) -> None:
    from training import run
    from training.config import TrainConfig, load_config

    if (config is None) == (resume is None):
        raise StancewiseError("give either a config, such as configs/quickstart.yaml, or --resume RUN_ID")
    if resume is not None:
        if overrides or reuse or folds:
            raise StancewiseError("--resume takes the run's own config; leave out --set, --reuse and --folds")
        run.resume(resume, console)
    elif folds is not None:
        from training.folds import cross_validate

        assert config is not None
        cross_validate(load_config(config, TrainConfig, overrides), folds, console, reuse)
    else:
        assert config is not None
        run.train(load_config(config, TrainConfig, overrides), console, reuse)


@app.command()
def sweep(
    configs: Annotated[list[Path], typer.Argument(help="YAML sweeps, such as configs/sweeps/quickstart.yaml.")],
) -> None:
    """Search a config's keys with Optuna, each trial a nested MLflow run, judged on validation alone.

    A killed sweep goes on when it is started again; started twice, two processes share its trials.

    Example: python -m training sweep configs/sweeps/quickstart.yaml
    """
    from training.config import load_config
    from training.sweep import SweepConfig
    from training.sweep import sweep as run_sweep

    for config in configs:
        run_sweep(load_config(config, SweepConfig), console)


@app.command()
def baseline(
    config: Annotated[Path, typer.Argument(help="A YAML config, such as configs/baseline.yaml.")],
    overrides: Overrides = None,
) -> None:
    """Fit TF-IDF + logistic regression, tracked and registered like a fine-tuned model.

    Example: python -m training baseline configs/baseline.yaml
    """
    from training import run
    from training.config import BaselineConfig, load_config

    run.baseline(load_config(config, BaselineConfig, overrides), console)


@app.command()
def benchmark(
    configs: Annotated[list[Path], typer.Argument(help="YAML benchmarks, such as configs/benchmarks/newsmtsc.yaml.")],
    only: Annotated[str | None, typer.Option(help="Run these contenders only, comma-separated.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Run these seeds only, comma-separated.")] = None,
    table: Annotated[bool, typer.Option("--table", help="Print the tables of what is finished; run nothing.")] = False,
    folder: Annotated[Path, typer.Option(help="Where finished cells are kept.")] = Path("benchmarks/cells"),
) -> None:
    """Train and measure recipes and peers on the same rows; print a table with 95 % intervals.

    What is finished is kept in small files and not run again, so a stopped benchmark goes on where it stopped. The
    public sets are read from STANCE_BENCHMARKS, or from the paths and Hub ids of the config.

    Examples:

      python -m training benchmark configs/benchmarks/*.yaml

      python -m training benchmark configs/benchmarks/newsmtsc.yaml --only marked,blind --seeds 1,2

      python -m training benchmark configs/benchmarks/*.yaml --table
    """
    from training.benchmark.cells import open_grid, run_cells
    from training.benchmark.config import BenchmarkConfig, chosen
    from training.benchmark.table import tables
    from training.config import load_config

    if seeds and not all(seed.strip().isdigit() for seed in seeds.split(",")):
        raise StancewiseError(f"--seeds {seeds}: write whole numbers and commas, such as 1,2,3")
    wanted = {int(seed) for seed in seeds.split(",")} if seeds else None
    quiet = Console(stderr=True)  # the tables alone go to standard output
    loaded = [load_config(config, BenchmarkConfig) for config in configs]
    for one in loaded:
        grid = open_grid(one, folder, quiet)
        if not table:
            run_cells(grid, chosen(one, only), wanted, quiet)
        for text in tables(grid, list(one.contenders)):
            print(text, flush=True)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    files: Annotated[list[Path], typer.Argument(help="Labelled statements (.jsonl, .csv or .parquet).")],
) -> None:
    """Measure a model on labelled statements, with 95 % intervals clustered on groups.

    Example: python -m training evaluate models:/stance@champion data/statements/validation.jsonl
    """
    from serving.classifier import StanceClassifier
    from training.corpus import read_corpus
    from training.evaluate import evaluate as evaluate_corpus
    from training.evaluate import report

    corpora = [read_corpus(file) for file in files]
    classifier = StanceClassifier.load(model)
    for corpus in corpora:
        console.print(report(evaluate_corpus(classifier, corpus), f"{corpus.path}, {len(corpus.rows)} statements"))


@app.command()
def audit(
    run: Annotated[str, typer.Argument(help="A finished cross-validation: the run that --folds names at its end.")],
    output: Annotated[Path, typer.Option(help="Where the doubtful rows go (.csv).")] = Path("doubts.csv"),
) -> None:
    """List the rows whose label the out-of-fold probabilities speak against, most doubtful first.

    Fill the column `corrected` where the label is wrong and name the file as data.corrections of a config.

    Example: python -m training audit 0f3c... --output doubts.csv
    """
    from training.audit import audit as audit_run
    from training.audit import log, write

    doubts = audit_run(run)
    write(doubts, output)
    log(run, doubts)
    console.print(f"{len(doubts):,} doubtful labels: {output}, and the table doubtful_labels of the run")


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="Run ids, models:/NAME@ALIAS or models:/NAME/VERSION.")],
    part: Annotated[
        str | None, typer.Option(help="Part to compare on; the first test part they share if left out.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Write the HTML report here, too.")] = None,
) -> None:
    """Compare runs with the first one, on the same test rows: differences, intervals, p values, flipped rows, cost.

    A run of several seeds is named by its parent. The HTML report is logged to every run, under comparisons/.

    Examples:

      python -m training compare 0f3c... 91ab...

      python -m training compare models:/stance@champion models:/stance/7 --output report.html
    """
    from training.compare import compare as compare_sides
    from training.compare import log_report, read_sides
    from training.compare_report import html, show, write

    sides = read_sides(runs, part)
    with console.status("resampling"):
        comparisons = compare_sides(sides)
    show(comparisons, sides, console)
    report = html(comparisons, sides)
    if output:
        write(report, output)
    console.print(f"report: {log_report(report, sides)} of every run" + (f", {output}" if output else ""))


@app.command()
def promote(
    candidate: Annotated[str | None, typer.Argument(help="Run id, models:/NAME/VERSION or models:/NAME@ALIAS.")] = None,
    gate: Annotated[Path, typer.Option(help="The conditions, as YAML.")] = Path("configs/promotion.yaml"),
    back: Annotated[bool, typer.Option("--rollback", help="Restore the champion before the present one.")] = False,
) -> None:
    """Make a candidate the champion if it is not worse, calibrated and served; else it becomes the challenger.

    Says which condition failed, with the figures, and exits with 3. Every decision is a tag of the version.

    Examples:

      python -m training promote 0f3c...

      python -m training promote models:/stance/7

      python -m training promote --rollback
    """
    from training import promote as promotion
    from training.config import load_config

    if (candidate is None) != back:
        raise StancewiseError("give either a candidate, such as a run id, or --rollback")
    config = load_config(gate, promotion.PromotionConfig)
    decision = promotion.promote(candidate, config, console) if candidate else promotion.rollback(config.model)
    promotion.show(decision, config.model, console)
    if not decision.promoted:
        raise typer.Exit(EXIT_NOT_PROMOTED)


@app.command()
def teach(
    model: Annotated[str, typer.Argument(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    config: Annotated[Path, typer.Argument(help="A YAML config; the rows of its data.train are labelled.")],
    output: Annotated[Path, typer.Option(help="Where its probabilities go (.jsonl).")],
) -> None:
    """Label a config's training rows with a model, so that a smaller one can learn from its answers.

    The file goes into another config as the `teacher` of the same set.

    Example: python -m training teach models:/large@champion configs/newsmtsc-110m.yaml --output taught.jsonl
    """
    from serving.classifier import StanceClassifier
    from training.config import TrainConfig, load_config
    from training.data import read_data
    from training.sources.teacher import ask

    corpora = read_data(load_config(config, TrainConfig).data, console)
    ask([StanceClassifier.load(model)], corpora["train"], output, console)
    console.print(f"{len(corpora['train'].rows):,} rows labelled: {output}")


@app.command()
def sample(
    article: Annotated[str, typer.Argument(help="Name of an article in data/articles.")] = "state-visit",
    model: Annotated[str, typer.Option(help="Folder or MLflow URI.")] = "models:/stance@champion",
) -> None:
    """Label the statements of a sample article and say how to go on.

    Example: python -m training sample harbour-strike
    """
    from serving.classifier import StanceClassifier
    from serving.terminal import show
    from training.corpus import read_corpus

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


if __name__ == "__main__":
    run_app(app)
