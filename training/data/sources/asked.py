"""What the reader asks the model of a text: pairs that stand in a sentence, most of them without a position.

People label the pairs that say something. A model that never saw the others finds a position between any two names, and
the reader asks about many. Texts whose positions are all listed teach both: a pair that is asked and listed has its
stance, a pair that is asked and not listed expresses nothing. Of texts in which nobody listed all, the pairs that are
not labelled are most probably such pairs.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from serving.article.flow import questions
from serving.article.reading.positions import find_positions
from serving.article.statements import Position, Span
from serving.inputs import Offsets
from serving.labels import HEADS
from serving.statement import Statement
from training.data.corpus import Corpus, LabelledStatement, read_corpus
from training.data.names import SameName, is_name_of, same_name
from training.data.sources.reports import Listed, Report, read_reports

SURE = 0.85  # of no position, where a pair is asked and not listed: readers leave out what is faint
_NOTHING = {"stance": tuple(SURE if label == "neutrality" else (1 - SURE) / 2 for label in HEADS["stance"])}


def rows_of(report: Report) -> Iterator[LabelledStatement]:
    """Every pair that the reader asks about, and every listed position that it does not ask about.

    Pairs that match an optional position alone teach nothing and are left out.
    """
    reading, statements = questions(find_positions(report.text))
    asks = [[one for one in report.positions if _asks(position, one, report)] for position in reading.positions]
    asked: dict[int, int] = {}  # the likeliest place for each listed position: not `Bergen` for `the mayor of Bergen`
    for place in sorted(range(len(asks)), key=lambda place: _nothing(reading.positions[place])):
        for one in asks[place]:
            asked.setdefault(id(one), place)
    for place, (statement, matching) in enumerate(zip(statements, asks, strict=True)):
        if matching and all(asked[id(one)] != place for one in matching):
            continue
        certain = [one for one in matching if not one.optional]
        if matching and not certain:
            continue
        labels = {"stance": certain[0].stance} if certain else {"taught": _NOTHING}
        yield _row(f"{report.id}/{place}", report.id, statement, **labels)
    for place, one in enumerate(report.positions):
        if one.sentence is not None and id(one) not in asked and not one.optional:
            yield _row(f"{report.id}/listed-{place}", report.id, _statement(one, report), stance=one.stance)


def read_listed(path: Path) -> Corpus:
    """Reports as rows (`rows_of`), each report a group; of each report those with a label come first.

    Raises:
        StancewiseError: as `read_reports`; no parser is installed.
    """
    several = (sorted(rows_of(report), key=lambda row: row.stance is None) for report in read_reports(path))
    return Corpus(path, [row for rows in several for row in rows])


def read_asked(path: Path) -> Corpus:
    """The pairs that the reader asks about in the texts of labelled statements and that nobody labelled.

    Raises:
        StancewiseError: as `read_corpus`; no parser is installed.
    """
    corpus = read_corpus(path)
    texts: dict[str, list[LabelledStatement]] = defaultdict(list)
    for row in corpus.rows:
        texts[row.text].append(row)
    rows = []
    for text, labelled in texts.items():
        reading, statements = questions(find_positions(text))
        for place, (position, statement) in enumerate(zip(reading.positions, statements, strict=True)):
            if not any(_same_pair(position, row) for row in labelled):
                first = labelled[0]
                rows.append(_row(f"{first.id}/asked-{place}", first.group, statement, taught=_NOTHING))
    return replace(corpus, rows=rows, lines=[])


def _nothing(position: Position) -> float:
    """How probably no position is expressed."""
    return position.read["nothing"] if position.read else 0.0


def _row(id: str, group: str | None, statement: Statement, **labels: object) -> LabelledStatement:
    return LabelledStatement.model_validate({**statement.model_dump(), "id": id, "group": group, **labels})


def _asks(position: Position, listed: Listed, report: Report) -> bool:
    """Whether the reader's question is about a listed position."""
    if listed.sentence is None or not _overlap(_span(position.sentence), listed.sentence):
        return False
    if (position.speaker is None) != (listed.holder is None):
        return False
    same = same_name(report.language)
    if listed.holder is not None and not _stands_for(
        (position.speaker or "", _span(position.speaker_mention)),
        listed.holder_at,
        report.entities[listed.holder],
        same,
    ):
        return False
    target = position.target, _span(position.target_mention)
    return _stands_for(target, listed.target_at, report.entities[listed.target], same)


def _stands_for(shown: tuple[str, Offsets | None], at: Offsets | None, names: Sequence[str], same: SameName) -> bool:
    """Whether a name and its mention are those of a listed entity."""
    name, mention = shown
    if mention and at and (mention == at or (_overlap(mention, at) and mention[1] == at[1])):
        return True
    return same(name, names)


def _span(span: Span | None) -> Offsets | None:
    return (span.start, span.end) if span else None


def _overlap(one: Offsets | None, other: Offsets | None) -> bool:
    return one is not None and other is not None and one[0] < other[1] and other[0] < one[1]


def _same_pair(position: Position, row: LabelledStatement) -> bool:
    """Whether a labelled row already says what the pair is."""
    names = [position.target, position.target_mention.text]
    if row.target is None or not is_name_of(row.target, names):
        return False
    if position.speaker is None or row.speaker is None:
        return position.speaker is None and row.speaker is None
    speakers = [position.speaker, *([position.speaker_mention.text] if position.speaker_mention else [])]
    return is_name_of(row.speaker, speakers)


def _statement(listed: Listed, report: Report) -> Statement:
    """The question that the reader should have asked."""
    assert listed.sentence is not None
    start, end = listed.sentence
    values: dict[str, object] = {}
    for field, key, at in (("speaker", listed.holder, listed.holder_at), ("target", listed.target, listed.target_at)):
        if key is None:
            continue
        values[field] = report.entities[key][0]
        if at is not None:
            places = {f"{field}_start": at[0] - start, f"{field}_end": at[1] - start}
            values |= {field: report.text[slice(*at)], **places}
    return Statement.model_validate({"text": report.text[start:end], **values})
