"""Texts in, rows out: what is the same for an archive on one machine and on Spark."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from serving.article.kept import SCHEMA, rows_of
from serving.article.reading.parse import forgetting
from serving.article.text.reports import Report
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.runtime.base import RuntimeName

PROBLEM = "problem"
READ = SCHEMA.append(pa.field(PROBLEM, pa.string()))  # of a text: its statements, or why there are none

Targets = Mapping[str, Sequence[str]]
Advance = Callable[[int], None]
Label = Callable[[Sequence[Report], Advance], pa.Table]  # texts -> rows of READ


@dataclass(frozen=True)
class How:
    """What reports are labelled with, and what is asked of them."""

    model: str
    targets: Targets
    everything: bool = False
    any_language: bool = False
    device: str = "auto"
    runtime: RuntimeName = "auto"
    engine: Literal["local", "spark"] = "local"


def read_rows(
    classifier: StanceClassifier, texts: Iterable[tuple[bytes, str]], targets: Targets, everything: bool
) -> Iterator[dict[str, Any]]:
    """The statements of texts as rows of READ; the same on one machine and on Spark.

    Args:
        classifier: reads and labels.
        texts: each with its digest.
        targets: name -> aliases; empty: whatever positions are taken on.
        everything: also pairs that show no position.
    """
    with forgetting():
        for digest, text in texts:
            try:
                yield from rows_of(digest, classifier.read_article(text, targets, everything=everything))
            except StancewiseError as error:
                yield {"digest": digest, PROBLEM: str(error)}
