"""Scoring on Spark: the MLflow model as a function of columns, Parquet in and out, committed by one rename."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.language.detect import UNKNOWN, foreign, foreign_note
from serving.rows.check import Columns, statement_of
from serving.rows.read import Row
from serving.scoring.manifest import (
    BAD_ROWS,
    MANIFEST_FILE,
    Manifest,
    Shard,
    Work,
    fingerprint,
    model_digest,
    parse_manifest,
)
from serving.statement import QUESTION_COLUMNS, Prediction, Statement
from serving.store.folder import ModelSettings, read_settings
from serving.terminal import say

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_OFFSETS = tuple(name for name in Statement.model_fields if name.endswith(("_start", "_end")))
_REASON, _ANSWER = "reason", "_answer"
# Spark's types of the columns that are added.
_PROBABILITIES = {
    f"{head}_probabilities": f"struct<{', '.join(f'{one}: double' for one in labels)}>"
    for head, labels in HEADS.items()
}
ANSWERS = {name: _PROBABILITIES.get(name, "string") for name in Prediction.COLUMNS} | {"abstained": "boolean"}


class Folders:
    """The file system that Spark writes to, whichever it is, through Spark's own access to it."""

    def __init__(self, spark: "SparkSession") -> None:
        self.jvm: Any = spark._jvm
        self.configuration: Any = spark.sparkContext._jsc.hadoopConfiguration()

    def _open(self, place: str) -> tuple[Any, Any]:
        path = self.jvm.org.apache.hadoop.fs.Path(place)
        return path, path.getFileSystem(self.configuration)

    def exists(self, place: str) -> bool:
        """Whether there is a file or folder."""
        path, system = self._open(place)
        return bool(system.exists(path))

    def files(self, place: str) -> Iterator[tuple[str, int, int]]:
        """Name, bytes and time of change of every file below, without those that Spark passes over."""
        path, system = self._open(place)
        found = system.listFiles(path, True)
        while found.hasNext():
            one = found.next()
            if one.getPath().getName()[0] not in "._":
                yield one.getPath().toString(), one.getLen(), one.getModificationTime()

    def read(self, place: str) -> str:
        """A small text file."""
        path, system = self._open(place)
        stream = system.open(path)
        try:
            return bytes(stream.readAllBytes()).decode()
        finally:
            stream.close()

    def write(self, place: str, text: str) -> None:
        """Write a small text file."""
        path, system = self._open(place)
        stream = system.create(path)
        try:
            stream.write(bytearray(text.encode()))
        finally:
            stream.close()

    def rename(self, place: str, to: str) -> bool:
        """Give a folder its name; False if the file system does not."""
        path, system = self._open(place)
        target = self._open(to)[0]
        # Into a folder that exists it would be moved, not renamed.
        return not system.exists(target) and bool(system.rename(path, target))


def score(model: str, input: str, output: str, errors: Console, any_language: bool = False) -> int:
    """Score every row of `input` into a folder of Parquet files; returns how many rows could not be.

    Args:
        model: an MLflow URI whose alias is resolved already.
        input: Parquet, a file or a folder, by a path or URI that every executor reaches.
        output: the folder to make, likewise; until it is whole, the work is in `OUTPUT.partial`.
        errors: for the summary.
        any_language: as for `StanceClassifier.load`.

    Raises:
        StancewiseError: no Java, no such input or model, columns that cannot be scored, a folder of other work, or
            Spark stopped.
    """
    folder, digest = model_digest(model)
    if not (folder.parents[1] / "MLmodel").is_file():
        raise StancewiseError(f"{model}: Spark needs the MLflow model; name models:/NAME@ALIAS or runs:/RUN_ID")
    with session("stancewise score", f"{output} was not made") as spark:
        return _score(spark, folder, (model, digest), input.rstrip("/"), output.rstrip("/"), errors, any_language)


@contextmanager
def session(name: str, undone: str) -> Iterator["SparkSession"]:
    """Spark, as its own settings say, until the end of the block.

    Args:
        name: of the application.
        undone: what is said to be missing if it stops with an error.

    Raises:
        StancewiseError: no Java, it does not start, or it stopped with an error.
    """
    # The executors must run the Python that the libraries are installed for; on a cluster the variable says which.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise StancewiseError("Spark needs Java, which is not installed; install Java 17 or newer, or set JAVA_HOME")
    try:
        spark = SparkSession.builder.appName(name).getOrCreate()
    except (PySparkException, Py4JError, RuntimeError) as error:
        raise StancewiseError(f"Spark does not start ({_first_line(error)}); see above") from None
    try:
        spark.sparkContext.setLogLevel("ERROR")
        yield spark
    except (PySparkException, Py4JError) as error:
        raise StancewiseError(f"Spark stopped with an error ({_first_line(error)}); {undone}, see above") from None
    finally:
        spark.stop()


def _score(
    spark: "SparkSession",
    folder: Path,
    model: tuple[str, str],
    input: str,
    output: str,
    errors: Console,
    any_language: bool,
) -> int:
    folders = Folders(spark)
    if not folders.exists(input):
        raise StancewiseError(f"--input {input}: no such file or folder")
    found = fingerprint(folders.files(input))
    work = Work(input=input, fingerprint=found, model=model[0], digest=model[1], any_language=any_language)
    if folders.exists(output):
        return _already(folders, work, output, errors)
    rows = spark.read.parquet(input)
    _check_columns(rows, input, errors)
    total = _count(rows)
    partial = f"{output}.partial"
    checked, answered = _answered(spark, rows, folder, any_language)
    answered.write.mode("overwrite").parquet(partial)
    good = _count(spark.read.parquet(partial))
    bad = total - good
    if bad:
        checked.where(f"{_REASON} IS NOT NULL").write.parquet(f"{partial}/{BAD_ROWS}")
        if _count(spark.read.parquet(f"{partial}/{BAD_ROWS}")) != bad:
            raise StancewiseError(f"{input}: changed while it was read; start again")
    languages = spark.read.parquet(partial).groupBy("language").count().collect() if good else []
    read = None if any_language else read_settings(folder).languages
    others = {one["language"]: one["count"] for one in languages if foreign(one["language"] or UNKNOWN, read)}
    shards = [Shard(rows=good, bad=bad, foreign=others)]
    manifest = Manifest(work=work, runtime="spark", shard_rows=None, total=total, shards=shards)
    folders.write(f"{partial}/{MANIFEST_FILE}", manifest.model_dump_json() + "\n")
    if fingerprint(folders.files(input)) != work.fingerprint:
        raise StancewiseError(f"{input}: changed while it was read; start again")
    if not folders.rename(partial, output):
        raise StancewiseError(f"{output}: {partial} cannot be renamed to it; check whether it exists by now")
    _tell(f"{output}: {good:,} rows labelled", manifest, output, errors)
    return bad


def _already(folders: Folders, work: Work, output: str, errors: Console) -> int:
    if not folders.exists(f"{output}/{MANIFEST_FILE}"):
        raise StancewiseError(f"--output {output}: exists and holds no {MANIFEST_FILE}; name a new folder")
    manifest = parse_manifest(folders.read(f"{output}/{MANIFEST_FILE}"), output)
    work.refuse_other(manifest.work, output, "name another --output, or remove it")
    _tell(f"{output}: {manifest.finished}", manifest, output, errors)
    return manifest.bad


def _tell(text: str, manifest: Manifest, output: str, errors: Console) -> None:
    bad = f"; {manifest.bad:,} could not be: see {output}/{BAD_ROWS}" if manifest.bad else ""
    say(text + bad, errors)
    if note := foreign_note(manifest.foreign):
        say(f"rows {note}", errors)


def _check_columns(rows: "DataFrame", input: str, errors: Console) -> None:
    kinds = dict(rows.dtypes)
    columns = Columns()
    columns.see(input, kinds)
    columns.require_text(input)
    if lacking := columns.lacking():
        say(f"{input}: {lacking}", errors)
    for name in QUESTION_COLUMNS:
        if kinds.get(name, "string") != "string":
            raise StancewiseError(f"{input}: column {name} is {kinds[name]}, not string; cast it")
    if offsets := sorted(kinds.keys() & set(_OFFSETS)):
        raise StancewiseError(
            f"{input}: column {offsets[0]} is not read by the MLflow model; drop it (the first mention is meant then), "
            "or use --engine local"
        )
    # Spark does not tell capitals from small letters.
    if taken := [name for name in kinds if name.lower() in {*Prediction.COLUMNS, _REASON, _ANSWER}]:
        raise StancewiseError(f"{input}: column {taken[0]!r} is there already and would be overwritten; rename it")


def _answered(
    spark: "SparkSession", rows: "DataFrame", folder: Path, any_language: bool
) -> tuple["DataFrame", "DataFrame"]:
    """All rows with the reason why they cannot be labelled, if any; and those without a reason, with their answers.

    Raises:
        StancewiseError: the model was logged before models told languages apart, and is to answer to all.
    """
    import mlflow
    from pyspark.sql.functions import col, lit, pandas_udf, struct

    settings = read_settings(folder)
    logged = mlflow.models.Model.load(str(folder.parents[1]))
    outputs = logged.signature.outputs.input_names()
    if any_language and not logged.flavors["python_function"].get("config"):
        raise StancewiseError("--any-language: this model knows no languages; leave it out, or train the model again")
    # Probabilities that are missing, of a head that the model was not trained for, MLflow cannot convert.
    untrained = HEADS.keys() - set(settings.heads)
    answered_for = [name for name in outputs if name.removesuffix("_probabilities") not in untrained]
    kinds = {name: kind for name, kind in ANSWERS.items() if name in answered_for}
    statement = struct(*(name for name in QUESTION_COLUMNS if name in rows.columns))
    checked = rows.withColumn(_REASON, pandas_udf(checker(folder, settings), "string")(statement))
    answer = ", ".join(f"{name} {kind}" for name, kind in kinds.items())
    config = {"any_language": True} if any_language else None
    predict = mlflow.pyfunc.spark_udf(spark, str(folder.parents[1]), answer, env_manager="local", model_config=config)
    answered = checked.where(f"{_REASON} IS NULL").withColumn(_ANSWER, predict(statement))
    answers = {n: col(f"{_ANSWER}.{n}") if n in kinds else lit(None).cast(kind) for n, kind in ANSWERS.items()}
    return checked, answered.withColumns(answers).drop(_REASON, _ANSWER)


def checker(folder: Path, settings: ModelSettings) -> Callable[[Iterator[pd.DataFrame]], Iterator[pd.Series]]:
    """A function that says of each row why it cannot be labelled; the model would refuse the whole batch.

    It carries tokenizer and settings with it, so that executors need no access to the folder.
    """
    tokenizer = (folder / "tokenizer.json").read_text(encoding="utf-8") if settings.kind == "encoder" else None

    def check(pieces: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        reason = reasons(settings, tokenizer)
        for piece in pieces:
            rows = piece.astype(object).where(piece.notna(), None).to_dict("records")
            yield pd.Series([reason(row) for row in rows], dtype=object)

    return check


def reasons(settings: ModelSettings, tokenizer: str | None) -> Callable[[dict[Any, Any]], str | None]:
    """Why a row cannot be labelled, or None; `tokenizer` is the text of `tokenizer.json`, if the model has one."""
    encoder = None
    if tokenizer:
        from tokenizers import Tokenizer

        from serving.inputs import InputEncoder

        loaded = Tokenizer.from_str(tokenizer)
        encoder = InputEncoder(loaded, settings.template, settings.max_length, settings.schemes)

    def reason(row: dict[Any, Any]) -> str | None:
        statement = statement_of(Row(0, row))
        if isinstance(statement, str):
            return statement
        try:
            # A text alone is cut to fit; only a target can be too long.
            if encoder and statement.target:
                encoder.encode([statement])
        except StancewiseError as error:
            return str(error)
        return None

    return reason


def _count(rows: "DataFrame") -> int:
    """Rows of Parquet as it is read, which stand in the footers."""
    return int(rows.count())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
