"""Labelling of an archive on Spark: the driver reads the reports and keeps what comes back, executors label texts."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pyarrow as pa

from serving.article.text.archive import digest_of
from serving.article.text.reports import Report
from serving.classifier import StanceClassifier
from serving.scoring.engine import READ, Advance, How, Label, read_rows
from serving.scoring.spark import session

_PER_CORE = 4  # tasks, so that one of long reports does not keep the others waiting
_MODEL = "stancewise-model"  # where an executor unpacks the model
_TEXTS = pa.schema([("digest", pa.binary()), ("text", pa.string())])


@contextmanager
def spark_engine(how: How, folder: Path) -> Iterator[Label]:
    """The function that labels texts on Spark; executors need the project, and no access to reports or registry.

    Args:
        how: what is asked of the reports.
        folder: of the model, which is sent to the executors.

    Raises:
        StancewiseError: no Java, or Spark stopped with an error.
    """
    with (
        tempfile.TemporaryDirectory() as packed,
        session("stancewise article", "what was labelled before is kept") as spark,
    ):
        spark.sparkContext.addArchive(f"{shutil.make_archive(f'{packed}/model', 'zip', folder)}#{_MODEL}")
        from pyspark.sql.pandas.types import from_arrow_schema

        kinds = from_arrow_schema(READ)
        read = _reader(how)

        def labels(reports: Sequence[Report], advance: Advance) -> pa.Table:
            texts = [{"digest": digest_of(one.text), "text": one.text} for one in reports]
            rows = spark.createDataFrame(pa.Table.from_pylist(texts, _TEXTS))
            tasks = min(len(texts), _PER_CORE * spark.sparkContext.defaultParallelism)
            found = rows.repartition(tasks).mapInArrow(read, kinds).toArrow()
            advance(len(texts))
            return found.cast(READ)

        yield labels


def _reader(how: How) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A task: texts in, rows of READ out."""
    targets = {name: list(aliases) for name, aliases in how.targets.items()}
    everything, any_language = how.everything, how.any_language

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        classifier = _classifier(any_language)
        for batch in batches:
            texts = [(one["digest"], one["text"]) for one in batch.to_pylist()]
            rows = list(read_rows(classifier, texts, targets, everything))
            yield pa.RecordBatch.from_pylist(rows, READ)

    return read


@cache
def _classifier(any_language: bool) -> StanceClassifier:
    """The model, loaded once in each process of an executor."""
    from pyspark import SparkFiles

    return StanceClassifier.from_folder(Path(SparkFiles.get(_MODEL)), any_language=any_language)
