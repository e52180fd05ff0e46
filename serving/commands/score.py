"""The `score` command: tables larger than memory."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from serving.cli import EXIT_BAD_ROWS, AnyLanguageOption, DeviceOption, ModelOption, RuntimeOption, errors
from serving.errors import StancewiseError


def score(
    model: ModelOption,
    input: Annotated[str, typer.Option(help="A table or a folder of them: .jsonl, .csv, .tsv, .xlsx or .parquet.")],
    output: Annotated[str, typer.Option(help="The folder to make; it appears when all rows are scored.")],
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="local: this machine; spark: a Spark cluster.")
    ] = "local",
    shard_rows: Annotated[
        int, typer.Option(min=1, help="With --engine local: rows in one file of the output.")
    ] = 16_384,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    any_language: AnyLanguageOption = False,
) -> None:
    """Score tables larger than memory into a folder of Parquet, once, whatever interrupts it.

    On this machine a stopped run is resumed by the same command; every distinct statement is scored once. Rows that
    cannot be labelled are kept in the folder with the reason, and the exit code is then 3. A finished folder is left
    as it is.

    Spark reads and writes Parquet; where it runs is set by PYSPARK_SUBMIT_ARGS or spark-defaults.conf, see
    docs/scale.md.

    Examples:

        python -m serving score --model models:/stance@champion --input data/pairs.jsonl --output scored
        python -m serving score --engine spark --model models:/stance/1 --input hdfs:///in --output hdfs:///scored
    """
    from serving.scoring.manifest import with_version

    if engine == "spark":
        from serving.scoring import spark

        if device != "auto" or runtime != "auto":
            raise StancewiseError("--device and --runtime are for --engine local; each Spark executor chooses its own")
        bad = spark.score(with_version(model), input, output, errors, any_language)
    else:
        from serving.scoring import local

        bad = local.score(
            with_version(model), Path(input), Path(output), shard_rows, device, runtime, errors, any_language
        )
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)
