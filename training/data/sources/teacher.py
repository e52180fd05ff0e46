"""Another model's answers beside the labels: `python -m training teach` writes them, `teacher:` reads them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from rich.console import Console
from rich.progress import track

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.tables import open_writer, read_rows
from training.data.corpus import Corpus

_CHUNK = 256  # rows between two movements of the progress bar

Taught = dict[str, tuple[float, float, float]]


def ask(classifiers: Sequence[StanceClassifier], corpus: Corpus, path: Path, console: Console) -> None:
    """Write the classifiers' mean probabilities for every row, with the row's id, as JSON Lines.

    A head that one of them does not have is left out.

    Raises:
        StancewiseError: the file cannot be written, or a model cannot read a row.
    """
    statements = corpus.statements()
    with open_writer(path) as writer:
        for start in track(range(0, len(statements), _CHUNK), "labelling", console=console):
            answers = [one.predict(statements[start : start + _CHUNK]) for one in classifiers]
            for row, *given in zip(corpus.rows[start:], *answers, strict=False):
                shares = {}
                for head, labels in HEADS.items():
                    heads = [one for answer in given if (one := getattr(answer, head))]
                    if len(heads) == len(classifiers):
                        means = {label: fmean(one.probabilities[label] for one in heads) for label in labels}
                        shares[f"{head}_probabilities"] = {label: round(p, 4) for label, p in means.items()}
                writer.write({"id": row.id, **shares})


def teach(corpus: Corpus, path: Path) -> Corpus:
    """The corpus with the teacher's probabilities on its rows, found by id.

    Raises:
        StancewiseError: the file cannot be read, or a row of the corpus is not in it.
    """
    answers: dict[str, Taught] = {}
    for row in read_rows(path):
        if row.problem or "id" not in row.values:
            problem = row.problem or "no id; label a file whose rows have ids"
            raise StancewiseError(f"{path}:{row.line}: {problem}")
        answers[str(row.values["id"])] = _taught(row.values, f"{path}:{row.line}")
    rows = []
    for i, statement in enumerate(corpus.rows):
        if statement.id not in answers:
            raise StancewiseError(f"{path}: {corpus.place(i)} is not in it; label that file with the teacher again")
        rows.append(statement.model_copy(update={"taught": answers[statement.id]}))
    return replace(corpus, rows=rows)


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
