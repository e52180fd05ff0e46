"""Another model's answers beside the labels: `python -m training teach` writes them, `teacher:` reads them.

An answer is found by the digest of what was asked. A row with another text or other names has another digest, so that
it cannot get the answer of a row that it was before.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.progress import track

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.check import statement_of
from serving.rows.read import Row, read_rows
from serving.statement import Statement
from training.data.checksums import check
from training.data.corpus import Corpus, identifier

_CHUNK = 256  # rows between two movements of the progress bar

Taught = dict[str, tuple[float, float, float]]


def question_id(statement: Statement) -> str:
    """16 hexadecimal digits of the SHA-256 of text, holder and target, and of where the two start, if that is said."""
    names = (statement.speaker, statement.speaker_start, statement.target, statement.target_start)
    return hashlib.sha256(json.dumps([statement.text, *names]).encode()).hexdigest()[:16]


def answers(classifiers: Sequence[StanceClassifier], corpus: Corpus, console: Console) -> Iterator[dict[str, Any]]:
    """For every row its `id` and the classifiers' mean probabilities, to four decimals.

    A head that one of them does not have is left out.

    Raises:
        StancewiseError: a model cannot read a row.
    """
    statements = corpus.statements()
    for start in track(range(0, len(statements), _CHUNK), "labelling", console=console):
        asked = statements[start : start + _CHUNK]
        for statement, *given in zip(asked, *(one.predict(asked) for one in classifiers), strict=True):
            shares = {}
            for head, labels in HEADS.items():
                heads = [one for answer in given if (one := getattr(answer, head))]
                if len(heads) == len(classifiers):
                    means = {label: fmean(one.probabilities[label] for one in heads) for label in labels}
                    shares[f"{head}_probabilities"] = {label: round(p, 4) for label, p in means.items()}
            yield {"id": question_id(statement), **shares}


def teach(corpus: Corpus, path: Path) -> Corpus:
    """The corpus with the teacher's probabilities on its rows.

    Raises:
        StancewiseError: the file cannot be read or has changed, or rows of the corpus are not in it.
    """
    check(path)
    known: dict[str, Taught] = {}
    for row in read_rows(path):
        place = f"{path}:{row.line}"
        known[_id(row, place)] = _taught(row.values, place)
    ids = [question_id(statement) for statement in corpus.rows]
    if missing := [i for i, one in enumerate(ids) if one not in known]:
        which = f"{len(missing):,} of the {len(ids):,} rows of {corpus.path} (the first: {corpus.place(missing[0])})"
        why = "their text, holder or target has changed since, or it was never asked about them"
        raise StancewiseError(f"{path}: no answers for {which}; {why}; label that file with the teacher again")
    rows = [row.model_copy(update={"taught": known[one]}) for row, one in zip(corpus.rows, ids, strict=True)]
    return replace(corpus, rows=rows)


def _id(row: Row, place: str) -> str:
    """The id of what a row answers: of the statement that `predict` kept beside its answer, else as it stands there."""
    if row.problem or row.values.keys().isdisjoint(("text", "id")):
        raise StancewiseError(f"{place}: {row.problem or 'no text and no id; make it with predict or teach'}")
    if "text" not in row.values:
        return str(identifier(row.values["id"]))
    statement = statement_of(row)
    if isinstance(statement, str):
        raise StancewiseError(f"{place}: {statement}")
    return question_id(statement)


def _taught(values: dict[str, object], place: str) -> Taught:
    taught: Taught = {}
    for head, labels in HEADS.items():
        given = values.get(f"{head}_probabilities")
        if given is None:
            continue
        if not isinstance(given, dict) or set(given) != set(labels):
            raise StancewiseError(
                f"{place}: {head}_probabilities: one probability for each of {', '.join(labels)} needed"
            )
        first, second, third = (float(given[label]) for label in labels)
        taught[head] = (first, second, third)
    return taught
