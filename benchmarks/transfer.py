"""More rows for a large model to label: other names, in sentences of others and in our own.

    python benchmarks/transfer.py [--teacher models:/newsmtsc-large@champion ...] [--pairs-teacher URI ...]

Writes three files. build/transfer.jsonl, targets shown as NewsMTSC shows its own: directed sentiment's sentences with
either name, PolNeAR's with the people they name, NewsMTSC's training sentences with people whom nobody labelled there.
data/pairs.jsonl: two names of each of our own training texts, a holder and a target that nobody labelled so.
build/pairs.jsonl: up to three such pairs of each of these texts, and two of each of PolNeAR's sentences. Sentences of
directed sentiment and PolNeAR near one of NewsMTSC's evaluation rows are left out; nearness to other sets is found by
the leak check of the config that trains on them. With teachers the mean of their answers is written too; those of
110 M models are kept.
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
from serving.__main__ import run
from serving.article.parse import PACKAGED
from serving.errors import StancewiseError
from serving.tables import open_writer, read_rows
from training.config import DataSet
from training.corpus import Corpus, LabelledStatement, read_corpus
from training.leaks import find_leaks
from training.sources import read_set
from training.sources.teacher import ask
from training.unrelated import capitalised, overlap

SENTENCES = 6_500  # of directed sentiment
OTHERS = 10_000  # of PolNeAR, of 40 to 450 characters
NAMED = ("PERSON", "ORG", "GPE", "NORP")
WRITTEN, ANSWERS = Path("build/transfer.jsonl"), Path("benchmarks/teachers/transfer.jsonl")
OWN, OWN_ANSWERS = Path("data/pairs.jsonl"), Path("data/pairs-taught.jsonl")
PAIRS, PAIR_ANSWERS = Path("build/pairs.jsonl"), Path("benchmarks/teachers/pairs.jsonl")
FIRST = "pair0"  # the pair of each text that data/pairs.jsonl holds
EVALUATION = ("rw_validation", "mt_validation", "rw_test", "mt_test")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Span = tuple[int, int, str]  # start, end, kind


@app.command()
def main(
    teacher: Annotated[
        list[str] | None, typer.Option(help="Folder or MLflow URI of a large model; several: mean.")
    ] = None,
    pairs_teacher: Annotated[list[str] | None, typer.Option(help="The same, for our own pairs.")] = None,
) -> None:
    """Write the rows; label them, if models are named. The public sets are read from STANCE_BENCHMARKS."""
    console = Console(stderr=True)
    rng = random.Random(1)  # noqa: S311  # draws rows, keeps no secret
    parts = [read_set(DataSet(source="newsmtsc", part=part)) for part in EVALUATION]
    with console.status("finding names, comparing with the evaluation rows"):
        others: list[dict[str, Any]] = []
        rows = [*_directed(parts), *_polnear(parts, rng, others), *_unlabelled_people(rng)]
        pairs = list(_own_pairs(rng))
    first, pairs = [row for row in pairs if row["id"].endswith(FIRST)], pairs + others
    WRITTEN.parent.mkdir(exist_ok=True)
    for path, written in ((WRITTEN, rows), (OWN, first), (PAIRS, pairs)):
        with open_writer(path) as writer:
            for row in written:
                writer.write(row)
        console.print(f"{path}: {len(written):,} rows")
    for models, given, path in ((teacher, rows, ANSWERS), (pairs_teacher, pairs, PAIR_ANSWERS)):
        if models:
            corpus = Corpus(path, [LabelledStatement.model_validate(row) for row in given])
            ask([StanceClassifier.load(uri) for uri in models], corpus, path, console)
            console.print(f"{path}: labelled")
    if pairs_teacher:
        with open_writer(OWN_ANSWERS) as writer:
            for answer in read_rows(PAIR_ANSWERS):
                if str(answer.values["id"]).endswith(FIRST):
                    writer.write(answer.values)


def _directed(parts: list[Corpus]) -> Iterator[dict[str, Any]]:
    given = read_set(DataSet(source="directed_sentiment", part="train"))
    near = find_leaks(given, parts)
    for row in given.keep([i for i in range(len(given.rows)) if i not in near][:SENTENCES]).rows:
        yield _shown(row.id, row.text, row.target, (row.target_start, row.target_end))
        if row.speaker != row.target:
            yield _shown(f"{row.id}:holder", row.text, row.speaker, (row.speaker_start, row.speaker_end))


def _polnear(parts: list[Corpus], rng: random.Random, pairs: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
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


def _unlabelled_people(rng: random.Random) -> Iterator[dict[str, Any]]:
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


def _own_pairs(rng: random.Random) -> Iterator[dict[str, Any]]:
    texts = defaultdict(list)
    for row in read_corpus(Path("data/statements/train.jsonl")).rows:
        texts[row.text].append(row)
    for text, rows in texts.items():
        named = {name for row in rows for name in (row.speaker, row.target) if name and name in text}
        names = sorted(named | set(capitalised(text)))
        pairs = _unlabelled(names, {(row.speaker, row.target) for row in rows}, rng)
        for j, (holder, target) in enumerate(pairs[:3]):
            kept = {"id": f"{rows[0].id}:pair{j}", "text": text, "speaker": holder, "target": target}
            yield {**kept, "group": rows[0].group}


def _unlabelled(names: Iterable[str], labelled: set[Any], rng: random.Random) -> list[tuple[str, str]]:
    pairs = [pair for pair in permutations(names, 2) if not overlap(*pair) and pair not in labelled]
    rng.shuffle(pairs)
    return pairs


def _shown(name: str, text: str, target: str | None, span: tuple[int | None, int | None]) -> dict[str, Any]:
    return {"id": name, "text": text, "target": target, "target_start": span[0], "target_end": span[1]}


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
