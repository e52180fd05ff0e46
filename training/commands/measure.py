"""The commands that measure: `evaluate`, `drift`, `benchmark`, `compare`, `audit`."""

from pathlib import Path
from typing import Annotated

import typer

from serving.cli import EXIT_BAD_ROWS, MODEL_HELP, DeviceOption, ModelOption, console, errors
from serving.errors import StancewiseError


def evaluate(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    files: Annotated[list[Path], typer.Argument(help="Labelled statements (.jsonl, .csv, .tsv, .xlsx or .parquet).")],
) -> None:
    """Measure a model on labelled statements, with 95 % intervals clustered on groups.

    Example:

        python -m training evaluate models:/stance@champion data/statements/validation.jsonl
    """
    from serving.classifier import StanceClassifier
    from training.data.corpus import read_corpus
    from training.evaluation.evaluate import evaluate as evaluate_corpus
    from training.evaluation.evaluate import report

    corpora = [read_corpus(file) for file in files]
    classifier = StanceClassifier.load(model)
    for corpus in corpora:
        console.print(report(evaluate_corpus(classifier, corpus), f"{corpus.path}, {len(corpus.rows)} statements"))


def drift(
    input: Annotated[
        Path, typer.Option(help="Recent statements: .jsonl, .csv, .tsv, .xlsx or .parquet; labels are optional.")
    ],
    model: ModelOption = "models:/stance@champion",
    output: Annotated[
        Path | None, typer.Option(help="Also write the picture to this file (.png, .svg or .pdf).", show_default=False)
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Say what recent statements have that the model's validation rows had not, and what accuracy to expect of them.

    Compared are the length of the texts, whether holder and target stand in them, the distance from the training rows
    in the model's embedding, and for each head its labels, confidence and abstention. The accuracy is estimated from
    the calibrated confidence (Garg et al. 2022); columns stance and sentiment, where there are any, say how far off
    that is. Columns are those of `predict`; of more than 5,000 rows, so many are drawn at random. Fewer than 100
    different texts are not enough. Figures and picture are logged to MLflow, as a run below the model's. What is no
    statement is named, and the exit code is then 3.

    Example:

        python -m training drift --model models:/stance@champion --input data/statements/test.jsonl --output drift.png
    """
    from training.experiments.drift import drift as compare_with_reference

    if compare_with_reference(model, input, output, device, console, errors):
        raise typer.Exit(EXIT_BAD_ROWS)


def benchmark(
    configs: Annotated[list[Path], typer.Argument(help="YAML benchmarks, such as configs/benchmarks/newsmtsc.yaml.")],
    only: Annotated[str | None, typer.Option(help="Train only these contenders; names separated by commas.")] = None,
    seeds: Annotated[str | None, typer.Option(help="Train only these seeds; numbers separated by commas.")] = None,
    table: Annotated[
        bool, typer.Option("--table", help="Train nothing; print the tables of what is finished.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Train them even if they are finished.")] = False,
    folder: Annotated[Path, typer.Option(help="Folder of the finished cells.")] = Path("benchmarks/cells"),
) -> None:
    """Train and measure recipes and peers on the same rows; print a table with 95 % intervals.

    What is finished is kept and not run again: a stopped benchmark is resumed by the same command. The public
    sets are read from STANCE_BENCHMARKS, or from the paths and Hub ids of the config.

    Examples:

        python -m training benchmark configs/benchmarks/*.yaml
        python -m training benchmark configs/benchmarks/newsmtsc.yaml --only marked,blind --seeds 1,2
        python -m training benchmark configs/benchmarks/newsmtsc.yaml --table
    """
    from training.benchmark.cells import open_grid
    from training.benchmark.config import BenchmarkConfig, chosen
    from training.benchmark.run import run_cells
    from training.benchmark.table import tables
    from training.config import load_config

    if seeds and not all(seed.strip().isdigit() for seed in seeds.split(",")):
        raise StancewiseError(f"--seeds {seeds}: write whole numbers and commas, such as 1,2,3")
    wanted = {int(seed) for seed in seeds.split(",")} if seeds else None
    loaded = [load_config(config, BenchmarkConfig) for config in configs]
    for one in loaded:
        grid = open_grid(one, folder, errors)
        if not table:
            run_cells(grid, chosen(one, only), wanted, errors, again)
        for text in tables(grid, list(one.contenders)):
            print(text, flush=True)


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Two or more: run ids, models:/NAME@ALIAS or models:/NAME/VERSION.")
    ],
    part: Annotated[
        str | None,
        typer.Option(help="The part to compare on (default: the first test part that all were measured on)."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Also write the HTML report to this file.")] = None,
) -> None:
    """Compare runs with the first one, on the same test rows.

    Shown are the differences with their intervals and p values, the rows answered differently, and the costs.
    For a run with several seeds, name the parent. The HTML report is logged to every run, under comparisons/.

    Examples, the first of which makes a second model:

        python -m training baseline configs/baseline.yaml
        python -m training compare models:/stance@champion models:/stance@baseline --output report.html
    """
    from training.evaluation.compare import compare as compare_sides
    from training.evaluation.compare import log_report, read_sides
    from training.evaluation.compare_report import html_report, show_comparisons, write_report

    sides = read_sides(runs, part)
    with console.status("resampling"):
        comparisons = compare_sides(sides)
    show_comparisons(comparisons, sides, console)
    report = html_report(comparisons, sides)
    if output:
        write_report(report, output)
    console.print(f"report: {log_report(report, sides)} of every run" + (f", {output}" if output else ""))


def audit(
    run: Annotated[
        str, typer.Argument(help="The id of a finished cross-validation, which train --folds prints at its end.")
    ],
    output: Annotated[Path, typer.Option(help="The file to write the doubtful rows to (.csv).")] = Path("doubts.csv"),
) -> None:
    """List the rows whose label the out-of-fold probabilities speak against, most doubtful first.

    Fill the column `corrected` where the label is wrong and name the file as data.corrections of a config.

    Example; the first command prints the RUN_ID at its end:

        python -m training train configs/quickstart.yaml --folds 5
        python -m training audit RUN_ID --output doubts.csv
    """
    from training.experiments.audit import audit as audit_run
    from training.experiments.audit import log_doubts, write_doubts

    doubts = audit_run(run)
    write_doubts(doubts, output)
    log_doubts(run, doubts)
    console.print(f"{len(doubts):,} doubtful labels: {output}, and the table doubtful_labels of the run")
