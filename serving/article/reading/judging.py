"""Pairs of a sentence that wait to be judged, what judges them, and which of them are then positions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from serving.article.reading.attribution import Attribution
from serving.article.reading.entities import Entity
from serving.article.statements import Kind, Position
from serving.inputs import Offsets
from serving.runtime.pairs import ANSWERS, PairedSentence, Scores
from serving.runtime.reader import Limits, ReaderSettings

Judge = Callable[[Sequence[PairedSentence]], Sequence[Scores]]
LINEAR_SHARE = 0.25  # weight of the linear model's answer beside the reader's
LEAST = 1e-4  # probability: nobody is so sure that others do not count
FAINT = 0.03  # probability that a position is expressed: the classifier is not asked about what is less likely
JUDGED_AT_ONCE = 64  # sentences that wait for the reader's model: so a long text needs no more memory


@dataclass(frozen=True)
class Holder:
    """Who a stretch of text belongs to."""

    name: str | None  # None: the author
    kind: Kind
    entity: Entity | None = None


@dataclass(frozen=True)
class Draft:
    """A pair of a sentence by the names it would be shown with, before the reader's model has judged it."""

    pair: int  # its place among the pairs that are judged
    holder: Holder
    target: str
    source: Offsets | None  # the holder's mention
    target_mention: Offsets
    attribution: Attribution | None


@dataclass(frozen=True)
class Drafted:
    """A sentence that waits to be judged."""

    asked: PairedSentence
    scores: Scores | None  # what the linear model says of its pairs; None: it does not know the language
    drafts: list[Draft]
    show: Callable[[Draft], Position]


@dataclass(frozen=True)
class Judged:
    """What says beside the linear model which pairs express a position, and how sure the two must be."""

    judge: Judge | None
    limits: Limits
    unparsed: "Judged | None" = None  # the same in languages without a parser; None: the classifier alone chooses
    languages: tuple[str, ...] = ()  # those without a parser that it knows

    def without_judge(self) -> "Judged":
        """Its limits alone, for who asks no more."""
        return replace(self, judge=None, unparsed=None)


def judged_by(judge: Judge, settings: ReaderSettings) -> Judged:
    """What a reader's model and its settings make of pairs."""
    languages = tuple(one for one in settings.languages if one != "en")
    unparsed = Judged(judge, settings.unparsed) if settings.unparsed else None
    return Judged(judge, settings, unparsed, languages)


def expressed(drafted: Sequence[Drafted], judged: Judged) -> Iterator[Position]:
    """The pairs that express a position, in the order of the text; of one phrase the likeliest target."""
    scores = judged.judge([one.asked for one in drafted]) if judged.judge else [None] * len(drafted)
    for one, read in zip(drafted, scores, strict=True):
        found = _pooled(read, one.scores)
        kept: list[Draft] = []
        for draft in sorted(one.drafts, key=lambda draft: found[draft.pair, 0]):
            if 1 - found[draft.pair, 0] < FAINT:
                break
            taken = [other for other in kept if other.holder.name == draft.holder.name]
            if not any(
                other.target == draft.target or _nested(draft.target_mention, other.target_mention) for other in taken
            ):
                kept.append(draft)
        for draft in sorted(kept, key=lambda draft: draft.target_mention[0]):
            chances = dict(zip(ANSWERS, found[draft.pair].tolist(), strict=True))
            yield one.show(draft).model_copy(update={"read": chances})


def _pooled(read: Scores | None, by_grammar: Scores | None) -> Scores:
    """What reader and linear model say together: a logarithmic opinion pool, as `flow.together`; shape (pairs, 4)."""
    if read is None or by_grammar is None:
        alone = by_grammar if read is None else read
        assert alone is not None
        return alone
    found = np.maximum(read, LEAST) ** (1 - LINEAR_SHARE) * np.maximum(by_grammar, LEAST) ** LINEAR_SHARE
    shares: Scores = found / found.sum(axis=1, keepdims=True)
    return shares


def _nested(one: Offsets, other: Offsets) -> bool:
    return (other[0] <= one[0] and one[1] <= other[1]) or (one[0] <= other[0] and other[1] <= one[1])
