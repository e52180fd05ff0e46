"""More rows for large models to label: other names, in sentences of others and in our own.

    python benchmarks/transfer.py [--teacher models:/newsmtsc-large@champion ...] [--directed-teacher URI ...]
        [--pairs-teacher URI ...] [--own-teacher URI ...]

Writes four files. build/transfer.jsonl, targets shown as NewsMTSC shows its own: directed sentiment's sentences with
either name, PolNeAR's with the people they name, NewsMTSC's training sentences with people whom nobody labelled there.
build/directed.jsonl: the labelled pairs of directed sentiment turned round, and two pairs of names of each of PolNeAR's
sentences. data/pairs.jsonl: up to three pairs of names of each of our own training texts, a holder and a target that
nobody labelled so. build/pairs.jsonl: these, a name alone of each of these texts and of those of data/every-pair/, and
PolNeAR's pairs. Sentences near an evaluation row of NewsMTSC, in build/directed.jsonl of directed sentiment, are left
out; nearness to other sets is found by the leak check of the config that trains on them. With teachers the mean of
their answers is written too; those of 110 M models are kept.
"""

import os
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any

import spacy
import typer
from rich.console import Console

from serving import StanceClassifier
from serving.article.reading.parse import PACKAGED
from serving.cli import run
from serving.errors import StancewiseError
from serving.tables import open_writer, read_rows
from training.config import DataSet
from training.data.corpus import Corpus, LabelledStatement, draw, read_corpus
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.data.sources.teacher import ask
from training.data.unlabelled_pairs import capitalised, overlap

SENTENCES = 6_500  # of directed sentiment
OTHERS = 10_000  # of PolNeAR, of 40 to 450 characters
NAMED = ("PERSON", "ORG", "GPE", "NORP")
WRITTEN, ANSWERS = Path("build/transfer.jsonl"), Path("benchmarks/teachers/transfer.jsonl")
DIRECTED, DIRECTED_ANSWERS = Path("build/directed.jsonl"), Path("benchmarks/teachers/directed.jsonl")
PAIRS, PAIR_ANSWERS = Path("build/pairs.jsonl"), Path("benchmarks/teachers/pairs.jsonl")
OWN, OWN_ANSWERS = Path("data/pairs.jsonl"), Path("data/pairs-taught.jsonl")
STATEMENTS, EVERY_PAIR = Path("data/statements/train.jsonl"), Path("data/every-pair/train.jsonl")
VALIDATED = 1150  # rows that configs/benchmarks/directed-sentiment.yaml draws to validate
EVALUATION = ("rw_validation", "mt_validation", "rw_test", "mt_test")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Row = dict[str, Any]
Span = tuple[int, int, str]  # start, end, kind


@app.command()
def main(
    teacher: Annotated[
        list[str] | None, typer.Option(help="Folder or MLflow URI of a large model for NewsMTSC; several: mean.")
    ] = None,
    directed_teacher: Annotated[list[str] | None, typer.Option(help="The same, for directed sentiment.")] = None,
    pairs_teacher: Annotated[list[str] | None, typer.Option(help="The same, for build/pairs.jsonl.")] = None,
    own_teacher: Annotated[list[str] | None, typer.Option(help="The same, for data/pairs.jsonl.")] = None,
) -> None:
    """Write the rows; label them, if models are named. The public sets are read from STANCE_BENCHMARKS."""
    console = Console(stderr=True)
    rng = random.Random(1)  # noqa: S311  # draws rows, keeps no secret
    parts = [read_set(DataSet(source="newsmtsc", part=part)) for part in EVALUATION]
    given = read_set(DataSet(source="directed_sentiment", part="train"))
    with console.status("finding names, comparing with the evaluation rows"):
        others: list[Row] = []
        rows = [*_directed(given, parts), *_polnear(parts, rng, others), *_unlabelled_people(rng)]
        own = list(_own_pairs(rng))
        directed = _far_from_directed([*_turned_round(given), *others], given)
    pairs = [*own, *_alone(STATEMENTS), *_alone(EVERY_PAIR), *others]
    WRITTEN.parent.mkdir(exist_ok=True)
    for path, written, models, answers in (
        (WRITTEN, rows, teacher, ANSWERS),
        (DIRECTED, directed, directed_teacher, DIRECTED_ANSWERS),
        (PAIRS, pairs, pairs_teacher, PAIR_ANSWERS),
        (OWN, own, own_teacher, OWN_ANSWERS),
    ):
        with open_writer(path) as writer:
            for row in written:
                writer.write(row)
        console.print(f"{path}: {len(written):,} rows")
        if models:
            ask([StanceClassifier.load(uri) for uri in models], _corpus(path, written), answers, console)
            console.print(f"{answers}: labelled")


def _directed(given: Corpus, parts: list[Corpus]) -> Iterator[Row]:
    near = find_leaks(given, parts)
    for row in given.keep([i for i in range(len(given.rows)) if i not in near][:SENTENCES]).rows:
        yield _shown(row.id, row.text, row.target, (row.target_start, row.target_end))
        if row.speaker != row.target:
            yield _shown(f"{row.id}:holder", row.text, row.speaker, (row.speaker_start, row.speaker_end))


def _turned_round(given: Corpus) -> Iterator[Row]:
    """Each labelled pair of directed sentiment with holder and target exchanged, unless that is labelled too."""
    labelled = {(row.text, row.speaker_start, row.target_start) for row in given.rows}
    for row in given.rows:
        if row.speaker != row.target and (row.text, row.target_start, row.speaker_start) not in labelled:
            shown = _shown(f"{row.id}:reversed", row.text, row.speaker, (row.speaker_start, row.speaker_end))
            holder = {"speaker": row.target, "speaker_start": row.target_start, "speaker_end": row.target_end}
            yield {**shown, **holder}


def _far_from_directed(rows: list[Row], given: Corpus) -> list[Row]:
    measured = read_set(DataSet(source="directed_sentiment", part="validation"))
    near = find_leaks(_corpus(DIRECTED, rows), [measured, draw(given, VALIDATED)])
    return [row for i, row in enumerate(rows) if i not in near]


def _polnear(parts: list[Corpus], rng: random.Random, pairs: list[Row]) -> Iterator[Row]:
    """Rows with a target; pairs of names, two of a sentence, are added to `pairs`."""
    file = Path(os.environ["STANCE_BENCHMARKS"]) / "polnear/train.jsonl"
    if not file.is_file():
        raise StancewiseError(f"{file}: no such file; PolNeAR's training part belongs there, a text a line")
    every = dict.fromkeys(str(row.values["text"]) for row in read_rows(file))
    texts = [text for text in every if 40 <= len(text) <= 450]
    rng.shuffle(texts)
    texts = texts[:OTHERS]
    near = find_leaks(Corpus(file, [LabelledStatement(id=text, text=text) for text in texts]), parts)
    texts = [text for i, text in enumerate(texts) if i not in near]
    for number, (text, names) in enumerate(zip(texts, _names(texts), strict=True)):
        people = [(name, span) for name, span in names.items() if span[2] == "PERSON"]
        rng.shuffle(people)
        bodies = [(name, span) for name, span in names.items() if span[2] in ("ORG", "GPE")]
        chosen = people[:2] or bodies[:1] if rng.random() < 0.5 else people[:2]
        for j, (name, span) in enumerate(chosen):
            yield _shown(f"polnear:{number}:{j}", text, name, span[:2])
        for j, (holder, target) in enumerate(_unlabelled(names, set(), rng)[:2]):
            pairs.append({"id": f"polnear:{number}:p{j}", "text": text, "speaker": holder, "target": target})


def _unlabelled_people(rng: random.Random) -> Iterator[Row]:
    texts = defaultdict(list)
    for row in read_set(DataSet(source="newsmtsc", part="train")).rows:
        texts[row.text].append(row)
    for (text, rows), names in zip(texts.items(), _names(texts), strict=True):
        known = [row.target for row in rows if row.target]
        people = [
            (name, span)
            for name, span in names.items()
            if span[2] == "PERSON" and not any(overlap(name, one) for one in known)
        ]
        rng.shuffle(people)
        for j, (name, span) in enumerate(people[:2]):
            yield _shown(f"{rows[0].id}:other{j}", text, name, span[:2])


def _own_pairs(rng: random.Random) -> Iterator[Row]:
    for text, rows in _texts(STATEMENTS).items():
        pairs = _unlabelled(_own_names(text, rows), {(row.speaker, row.target) for row in rows}, rng)
        for j, (holder, target) in enumerate(pairs[:3]):
            kept = {"id": f"{rows[0].id}:pair{j}", "text": text, "speaker": holder, "target": target}
            yield {**kept, "group": rows[0].group}


def _alone(path: Path) -> Iterator[Row]:
    """A name of each text, as a target without a holder that nobody labelled so."""
    rng = random.Random(1)  # noqa: S311  # draws rows, keeps no secret
    for text, rows in _texts(path).items():
        labelled = {row.target for row in rows if not row.speaker}
        names = [name for name in _own_names(text, rows) if name not in labelled]
        if names:
            kept = {"id": f"{rows[0].id}:target", "text": text, "target": rng.choice(names)}
            yield {**kept, "group": rows[0].group}


def _texts(path: Path) -> dict[str, list[LabelledStatement]]:
    texts = defaultdict(list)
    for row in read_corpus(path).rows:
        texts[row.text].append(row)
    return texts


def _own_names(text: str, rows: list[LabelledStatement]) -> list[str]:
    named = {name for row in rows for name in (row.speaker, row.target) if name and name in text}
    return sorted(named | set(capitalised(text)))


def _unlabelled(names: Iterable[str], labelled: set[Any], rng: random.Random) -> list[tuple[str, str]]:
    pairs = [pair for pair in permutations(names, 2) if not overlap(*pair) and pair not in labelled]
    rng.shuffle(pairs)
    return pairs


def _shown(name: str, text: str, target: str | None, span: tuple[int | None, int | None]) -> Row:
    return {"id": name, "text": text, "target": target, "target_start": span[0], "target_end": span[1]}


def _corpus(path: Path, rows: list[Row]) -> Corpus:
    return Corpus(path, [LabelledStatement.model_validate(row) for row in rows])


def _names(texts: Iterable[str]) -> Iterator[dict[str, Span]]:
    pipeline = spacy.load(PACKAGED, disable=["lemmatizer", "parser", "attribute_ruler", "tagger"])
    for document in pipeline.pipe(texts, batch_size=256):
        names: dict[str, Span] = {}
        for entity in document.ents:
            name = re.sub(r"['’]s$", "", entity.text)
            if entity.label_ in NAMED and len(name) > 1:
                names.setdefault(name, (entity.start_char, entity.start_char + len(name), entity.label_))
        yield names


if __name__ == "__main__":
    run(app)
