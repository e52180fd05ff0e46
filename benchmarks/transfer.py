"""More rows for large models to label: other names, in sentences of others and in our own.

    python benchmarks/transfer.py
    python benchmarks/transfer.py [--teacher models:/newsmtsc-large@champion ...] [--directed-teacher URI ...]
        [--pairs-teacher URI ...] [--own-teacher URI ...] [--news-teacher URI ...]

Writes three files of rows, which models of 110 M parameters have answered (benchmarks/teachers/). build/transfer.jsonl,
targets shown as NewsMTSC shows its own: directed sentiment's sentences with either name, PolNeAR's with the people they
name, NewsMTSC's training sentences with people whom nobody labelled there. build/directed.jsonl: the labelled pairs of
directed sentiment turned round, and two pairs of names of each of PolNeAR's sentences. build/pairs.jsonl: up to three
pairs of names of each of our own training texts, a holder and a target that nobody labelled so, a name alone of each of
these texts and of those of data/every-pair/, and PolNeAR's pairs.

Without a teacher nothing is drawn: the answers say which text each row has, by its digest, and where the names stand.

With a teacher, rows are drawn and answered anew, and both are replaced together; the answers are the mean of all models
named. Every set is drawn with a seed of its own. Sentences near an evaluation row of NewsMTSC are left out, in
build/directed.jsonl near one of directed sentiment; the leak check of the config that trains on them finds other sets.
`--own-teacher` replaces data/pairs.jsonl and data/pairs-taught.jsonl, the pairs of our own training texts alone.
`--news-teacher` replaces data/news/pairs.jsonl and data/news/pairs-taught.jsonl: of up to five pairs of each text of
data/reports/news.jsonl those that teach most, as the teacher sees them. At most three are listed as positions there.
"""

import os
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import sha256
from itertools import chain, permutations
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
from rich.console import Console

from serving import StanceClassifier, Statement
from serving.cli import run
from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.names.mentions import find_mention
from serving.rows.read import read_rows
from serving.tables import open_writer
from training.config import DataSet
from training.data.checksums import read_parquet, update_parquet
from training.data.corpus import Corpus, LabelledStatement, draw, read_corpus
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.data.sources.reports import read_reports
from training.data.sources.teacher import answers, question_id
from training.data.unlabelled_pairs import capitalised, overlap
from training.fitting.pairs import NOTHING, UNKNOWN, of_report

SENTENCES = 6_500  # of directed sentiment
OTHERS = 10_000  # of PolNeAR, of 40 to 450 characters
NAMED = ("PERSON", "ORG", "GPE", "NORP")
BUILD, TEACHERS = Path("build"), Path("benchmarks/teachers")
OWN, NEWS = Path("data/pairs.jsonl"), Path("data/news/pairs.jsonl")
NEWS_REPORTS = Path("data/reports/news.jsonl")
STATEMENTS, EVERY_PAIR = Path("data/statements/train.jsonl"), Path("data/every-pair/train.jsonl")
NEWSMTSC = DataSet(source="newsmtsc", part="train")
DIRECTED = DataSet(source="directed_sentiment", part="train")
VALIDATED = 1150  # rows that configs/benchmarks/directed-sentiment.yaml draws to validate
EVALUATION = ("rw_validation", "mt_validation", "rw_test", "mt_test")
PLACES = ("speaker_start", "speaker_end", "target_start", "target_end")
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Row = dict[str, Any]
Span = tuple[int, int]
Names = dict[str, tuple[Span, str]]  # of a text: name -> where it first stands, and its kind


@app.command()
def main(
    teacher: Annotated[
        list[str] | None, typer.Option(help="Folder or MLflow URI of a large model for NewsMTSC; several: mean.")
    ] = None,
    directed_teacher: Annotated[list[str] | None, typer.Option(help="The same, for directed sentiment.")] = None,
    pairs_teacher: Annotated[list[str] | None, typer.Option(help="The same, for build/pairs.jsonl.")] = None,
    own_teacher: Annotated[list[str] | None, typer.Option(help="The same, for data/pairs.jsonl.")] = None,
    news_teacher: Annotated[list[str] | None, typer.Option(help="The same, for data/news/pairs.jsonl.")] = None,
) -> None:
    """Write the rows that were answered, or new ones and a model's answers. Public sets: STANCE_BENCHMARKS."""
    console = Console(stderr=True)
    BUILD.mkdir(exist_ok=True)
    texts = all_texts()
    for name, models, drawn in (
        ("transfer", teacher, draw_transfer),
        ("directed", directed_teacher, draw_directed),
        ("pairs", pairs_teacher, draw_pairs),
    ):
        kept = TEACHERS / f"{name}.parquet"
        if models:
            keep(kept, *labelled(drawn(), models, console))
        write(BUILD / f"{name}.jsonl", answered(kept, texts), console)
    if own_teacher:
        ship(OWN, *labelled(draw_own(), own_teacher, console), console)
    if news_teacher:
        ship(NEWS, *telling(*labelled(draw_news(), news_teacher, console)), console)


def labelled(rows: Iterable[Row], models: list[str], console: Console) -> tuple[list[Row], list[Row]]:
    """The rows, and the models' answers to them."""
    rows = list(rows)
    given = answers([StanceClassifier.load(uri) for uri in models], _corpus(rows), console)
    return rows, list(given)


def ship(path: Path, rows: list[Row], given: list[Row], console: Console) -> None:
    """Write rows, and the answers to them beside it."""
    write(path, rows, console)
    write(path.with_stem("pairs-taught"), given, console)


def telling(rows: list[Row], given: list[Row]) -> tuple[list[Row], list[Row]]:
    """Of every sentence two pairs with a position, one without, and a target alone that is portrayed; their answers."""
    asked: defaultdict[tuple[str, str], list[tuple[Row, Row]]] = defaultdict(list)
    for row, answer in zip(rows, given, strict=True):
        if "speaker" in row:
            kind = "position" if answer["stance_probabilities"]["neutrality"] < 0.5 else "no position"
        else:
            kind = "portrayed" if answer["sentiment_probabilities"]["neutral"] < 0.5 else "not portrayed"
        asked[row["text"], kind].append((row, answer))
    most = {"position": 2, "no position": 1, "portrayed": 1}
    texts = dict.fromkeys(row["text"] for row in rows)
    chosen = [pair for text in texts for kind, many in most.items() for pair in asked[text, kind][:many]]
    return [row for row, _ in chosen], [answer for _, answer in chosen]


def write(path: Path, rows: list[Row], console: Console) -> None:
    """JSON Lines."""
    with open_writer(path) as writer:
        for row in rows:
            writer.write(row)
    console.print(f"{path}: {len(rows):,} rows")


def keep(path: Path, rows: list[Row], given: list[Row]) -> None:
    """Write answers with the places of their rows: no text, but all that is needed to find the rows again."""
    columns: dict[str, Any] = {
        "id": [one["id"] for one in given],
        "text_digest": [_text_digest(row["text"]) for row in rows],
        **{place: pa.array([row.get(place) for row in rows], pa.int32()) for place in PLACES},
    }
    numbers = list(PLACES)
    for head, labels in HEADS.items():
        name = f"{head}_probabilities"
        if name in given[0]:
            shares = [{label: Decimal(str(p)) for label, p in one[name].items()} for one in given]
            columns[name] = pa.array(shares, pa.struct([(label, pa.decimal128(5, 4)) for label in labels]))
            numbers += [f"{name}.{label}" for label in labels]
    update_parquet(path, lambda _: pa.table(columns), tuple(numbers))


def answered(path: Path, texts: dict[str, LabelledStatement]) -> list[Row]:
    """The rows whose answers are kept there, in the same order.

    Raises:
        StancewiseError: the file has changed, or a text is not among those of data/ and STANCE_BENCHMARKS.
    """
    kept = read_parquet(path).to_pylist()
    if unknown := sum(one["text_digest"] not in texts for one in kept):
        found = f"the texts of {unknown:,} of its {len(kept):,} rows are not in data/ and STANCE_BENCHMARKS"
        raise StancewiseError(f"{path}: {found}; take the sets of its version, or answer new rows with a teacher")
    rows = []
    for one in kept:
        speaker, target = ((one[f"{name}_start"], one[f"{name}_end"]) for name in ("speaker", "target"))
        text = texts[one["text_digest"]]
        rows.append(_row(text.text, target, None if speaker[0] is None else speaker, text.group))
    return rows


def all_texts() -> dict[str, LabelledStatement]:
    """By its digest, every text that rows are drawn from: as its first row, or alone if it is another's."""
    own = [row for path in (STATEMENTS, EVERY_PAIR) for row in read_corpus(path).rows]
    public = [row.text for part in (NEWSMTSC, DIRECTED) for row in read_set(part).rows]
    others = (LabelledStatement(id="", text=text) for text in (*public, *_polnear_texts()))
    return {_text_digest(row.text): row for row in (*others, *reversed(own))}


def draw_transfer() -> Iterator[Row]:
    """The rows of build/transfer.jsonl."""
    parts = _evaluation()
    given = read_set(DIRECTED)
    near = find_leaks(given, parts)
    for row in given.keep([i for i in range(len(given.rows)) if i not in near][:SENTENCES]).rows:
        yield _row(row.text, _span(row, "target"))
        if row.speaker != row.target:
            yield _row(row.text, _span(row, "speaker"))
    yield from _polnear(parts)[0]
    yield from _unlabelled_people()


def draw_directed() -> Iterator[Row]:
    """The rows of build/directed.jsonl: labelled pairs turned round, unless that is labelled too; PolNeAR's pairs."""
    given = read_set(DIRECTED)
    labelled = {(row.text, row.speaker_start, row.target_start) for row in given.rows}
    rows = [
        _row(row.text, _span(row, "speaker"), _span(row, "target"))
        for row in given.rows
        if row.speaker != row.target and (row.text, row.target_start, row.speaker_start) not in labelled
    ]
    rows += _polnear(_evaluation())[1]
    measured = read_set(DataSet(source="directed_sentiment", part="validation"))
    near = find_leaks(_corpus(rows), [measured, draw(given, VALIDATED)])
    return (row for i, row in enumerate(rows) if i not in near)


def draw_pairs() -> Iterator[Row]:
    """The rows of build/pairs.jsonl."""
    return chain(draw_own(), _alone(STATEMENTS), _alone(EVERY_PAIR), _polnear(_evaluation())[1])


def draw_own() -> Iterator[Row]:
    """The rows of data/pairs.jsonl."""
    rng = _generator()
    for text, rows in _texts(STATEMENTS).items():
        labelled = {(row.speaker, row.target) for row in rows}
        for holder, target in _pairs(_own_names(text, rows), labelled, rng)[:3]:
            yield _row(text, _mention(text, target), _mention(text, holder), rows[0].group)


def draw_news() -> Iterator[Row]:
    """The rows of data/news/pairs.jsonl: of a text three pairs with a position, one without, and one target alone."""
    rng = _generator()
    for report in read_reports(NEWS_REPORTS):
        expressed: dict[str, Row] = {}
        others: dict[str, Row] = {}
        alone: dict[str, Row] = {}
        for example in of_report(report):
            if example.sentence.text not in report.text:  # what the reader leaves out of it is blank
                continue
            for pair, answer in zip(example.sentence.pairs, example.answers, strict=True):
                holder = pair.holder.phrase if pair.holder else None
                row = _row(example.sentence.text, pair.target.phrase, holder)
                if answer == NOTHING:
                    (others if holder else alone)[row["id"]] = row
                elif answer != UNKNOWN:
                    expressed[row["id"]] = row
        for rows, most in ((expressed, 3), (others, 1), (alone, 1)):
            yield from rng.sample(list(rows.values()), min(most, len(rows)))


def _evaluation() -> list[Corpus]:
    return [read_set(DataSet(source="newsmtsc", part=part)) for part in EVALUATION]


def _polnear_texts() -> list[str]:
    file = Path(os.environ["STANCE_BENCHMARKS"]) / "polnear/train.jsonl"
    if not file.is_file():
        raise StancewiseError(f"{file}: no such file; PolNeAR's training part belongs there, a text a line")
    every = dict.fromkeys(str(row.values["text"]) for row in read_rows(file))
    return [text for text in every if 40 <= len(text) <= 450]


def _polnear(parts: list[Corpus]) -> tuple[list[Row], list[Row]]:
    """Rows with a target alone, two people or one body of a sentence; and rows with two pairs of names of each."""
    rng, texts = _generator(), _polnear_texts()
    rng.shuffle(texts)
    texts = texts[:OTHERS]
    near = find_leaks(Corpus(Path("polnear"), [LabelledStatement(id=text, text=text) for text in texts]), parts)
    texts = [text for i, text in enumerate(texts) if i not in near]
    alone, pairs = [], []
    for text, names in zip(texts, _names(texts), strict=True):
        people = [span for span, kind in names.values() if kind == "PERSON"]
        rng.shuffle(people)
        bodies = [span for span, kind in names.values() if kind in ("ORG", "GPE")]
        chosen = people[:2] or bodies[:1] if rng.random() < 0.5 else people[:2]
        alone += [_row(text, span) for span in chosen]
        drawn = _pairs(names, set(), rng)[:2]
        pairs += [_row(text, _mention(text, target), _mention(text, holder)) for holder, target in drawn]
    return alone, pairs


def _unlabelled_people() -> Iterator[Row]:
    rng, texts = _generator(), defaultdict(list)
    for row in read_set(NEWSMTSC).rows:
        texts[row.text].append(row.target or "")
    for (text, known), names in zip(texts.items(), _names(texts), strict=True):
        people = [
            span
            for name, (span, kind) in names.items()
            if kind == "PERSON" and not any(overlap(name, one) for one in known if one)
        ]
        rng.shuffle(people)
        yield from (_row(text, span) for span in people[:2])


def _alone(path: Path) -> Iterator[Row]:
    """A name of each text, as a target without a holder that nobody labelled so."""
    rng = _generator()
    for text, rows in _texts(path).items():
        labelled = {row.target for row in rows if not row.speaker}
        names = [name for name in _own_names(text, rows) if name not in labelled]
        if names:
            yield _row(text, _mention(text, rng.choice(names)), None, rows[0].group)


def _texts(path: Path) -> dict[str, list[LabelledStatement]]:
    texts = defaultdict(list)
    for row in read_corpus(path).rows:
        texts[row.text].append(row)
    return texts


def _own_names(text: str, rows: list[LabelledStatement]) -> list[str]:
    named = {name for row in rows for name in (row.speaker, row.target) if name and name in text}
    return sorted(named | set(capitalised(text)))


def _pairs(names: Iterable[str], labelled: set[Any], rng: random.Random) -> list[tuple[str, str]]:
    pairs = [pair for pair in permutations(names, 2) if not overlap(*pair) and pair not in labelled]
    rng.shuffle(pairs)
    return pairs


def _generator() -> random.Random:
    return random.Random(1)  # noqa: S311  # draws rows, keeps no secret


def _row(text: str, target: Span, speaker: Span | None = None, group: str | None = None) -> Row:
    """A row whose names stand at these places; its id is what an answer to it is found by."""
    values: Row = {"text": text}
    for name, span in (("speaker", speaker), ("target", target)):
        if span:
            values |= {name: text[slice(*span)], f"{name}_start": span[0], f"{name}_end": span[1]}
    return {"id": question_id(Statement(**values)), **values, **({"group": group} if group else {})}


def _span(row: LabelledStatement, name: str) -> Span:
    return getattr(row, f"{name}_start"), getattr(row, f"{name}_end")


def _mention(text: str, name: str) -> Span:
    """Where the model would find the name."""
    span = find_mention(text, name)
    assert span, "names are taken from their text"
    return span


def _text_digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _corpus(rows: list[Row]) -> Corpus:
    return Corpus(Path("drawn"), [LabelledStatement.model_validate(row) for row in rows])


def _names(texts: Iterable[str]) -> Iterator[Names]:
    import spacy

    from serving.article.reading.parse import PACKAGED

    pipeline = spacy.load(PACKAGED, disable=["lemmatizer", "parser", "attribute_ruler", "tagger"])
    for document in pipeline.pipe(texts, batch_size=256):
        names: Names = {}
        for entity in document.ents:
            name = re.sub(r"['’]s$", "", entity.text)
            if entity.label_ in NAMED and len(name) > 1:
                names.setdefault(name, ((entity.start_char, entity.start_char + len(name)), entity.label_))
        yield names


if __name__ == "__main__":
    run(app)
