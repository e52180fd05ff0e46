"""Which words carried a prediction: the effect of leaving each one out.

Leave-one-out (Li, Monroe and Jurafsky 2016, "Understanding Neural Networks through Representation Erasure") needs no
gradients and so works on every runtime. Words do not add up in a transformer: the sum of the effects is reported beside
the effect of leaving all of them out.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serving.errors import StancewiseError
from serving.inputs import Offsets, mention_span
from serving.labels import Head
from serving.names.spelling import INVISIBLE
from serving.names.words import segments
from serving.statement import HeadPrediction, Prediction, Statement

MOST_WORDS = 400  # of a text: every word is a statement more for the model
_MARKS = "\u0300-\u036f\u064b-\u0652\u0670"  # accents and vowel signs that stand behind their letter
_WORD = re.compile(rf"\w[\w{_MARKS}]*(?:(?:[-‐‑.'’]|[{INVISIBLE}]+)\w[\w{_MARKS}]*)*")
_LEAST = 1e-6  # probabilities are kept so far from 0 and 1, so that log-odds stay finite

Predict = Callable[[Sequence[Statement]], Sequence[Prediction]]


class WordEffect(BaseModel):
    """A word and what it does to the prediction."""

    model_config = ConfigDict(frozen=True)

    start: int = Field(description="characters into the statement's text")
    end: int
    text: str
    effect: float = Field(description="by how much the label's log-odds fall without the word; negative: they rise")


class Explanation(BaseModel):
    """The words of a text by their effect on one head's label. Holder and target stay: they are the question."""

    model_config = ConfigDict(frozen=True)

    head: Head
    label: str
    words: list[WordEffect] = Field(description="in the order of the text")
    total: float = Field(description="the sum of all effects")
    whole: float = Field(description="by how much the log-odds fall without all of these words at once")

    @property
    def share(self) -> float | None:
        """The sum check: `total / whole`; 1 where words add up, None where leaving all out changes nothing."""
        return self.total / self.whole if abs(self.whole) > _LEAST else None


def explain(
    predict: Predict, statements: Iterable[Statement], head: Head, labels: Sequence[str | None] = ()
) -> list[Explanation | None]:
    """One explanation per statement, in order; None where the model was not trained for the head.

    Args:
        predict: labels statements, such as `StanceClassifier.predict`; gets words + 2 versions of every statement.
        statements: what to explain.
        head: `stance` or `sentiment`.
        labels: which label of each is explained; None or none given: the model's own.

    Raises:
        StancewiseError: a text has more than `MOST_WORDS` words, or a target is too long for the model.
    """
    rows = list(statements)
    asked = [versions(row) for row in rows]
    answers = iter(predict([one for _, several in asked for one in several]))
    return [
        explanation(row, words, head, [next(answers) for _ in several], label)
        for row, (words, several), label in zip(rows, asked, labels or [None] * len(rows), strict=True)
    ]


def versions(statement: Statement) -> tuple[list[Offsets], list[Statement]]:
    """The words to leave out, and what the model is asked: the statement, it without each word, it without all of them.

    Raises:
        StancewiseError: the text has more than `MOST_WORDS` words.
    """
    fixed = with_offsets(statement)
    words = _words(fixed)
    return words, [fixed, *(without(fixed, [word]) for word in words), without(fixed, words)]


def explanation(
    statement: Statement,
    words: Sequence[Offsets],
    head: Head,
    answers: Sequence[Prediction],
    label: str | None = None,
) -> Explanation | None:
    """What the answers to the `versions` of a statement say of a label (None: the model's own).

    None where the model was not trained for the head.
    """
    first: HeadPrediction | None = getattr(answers[0], head)
    if first is None:
        return None
    label = label or first.label
    odds = [_log_odds(getattr(answer, head).probabilities[label]) for answer in answers]
    effects = [odds[0] - one for one in odds[1:-1]]
    return Explanation(
        head=head,
        label=label,
        words=[
            WordEffect(start=start, end=end, text=statement.text[start:end], effect=effect)
            for (start, end), effect in zip(words, effects, strict=True)
        ],
        total=sum(effects),
        whole=odds[0] - odds[-1],
    )


def with_offsets(statement: Statement) -> Statement:
    """The statement with its mentions' places: without a word between, `the new accord` would be `the accord`."""
    places: dict[str, int] = {}
    for field, span in _mentions(statement):
        places |= {f"{field}_start": span[0], f"{field}_end": span[1]}
    return statement.model_copy(update=places)


def without(statement: Statement, spans: Sequence[Offsets]) -> Statement:
    """The statement with these stretches (in order, apart) of its text left out; mentions keep their place."""
    kept, at = [], 0
    for start, end in spans:
        kept.append(statement.text[at:start])
        at = end
    moved = {
        field: place - sum(min(end, place) - start for start, end in spans if start < place)
        for field in ("speaker_start", "speaker_end", "target_start", "target_end")
        if (place := getattr(statement, field)) is not None
    }
    return statement.model_copy(update={"text": "".join([*kept, statement.text[at:]]), **moved})


def _mentions(one: Statement) -> Iterator[tuple[str, Offsets]]:
    if span := mention_span(one.text, one.speaker, one.speaker_start, one.speaker_end):
        yield "speaker", span
    if span := mention_span(one.text, one.target, one.target_start, one.target_end):
        yield "target", span


def _words(statement: Statement) -> list[Offsets]:
    held = [span for _, span in _mentions(statement)]
    words = list(_spans(statement.text))
    if len(words) > MOST_WORDS:
        raise StancewiseError(
            f"text: {len(words):,} words are too many to leave out one by one; explain at most {MOST_WORDS} at once"
        )
    return [(a, b) for a, b in words if not any(a < end and start < b for start, end in held)]


def _spans(text: str) -> Iterator[Offsets]:
    """Every word; those of Chinese as a dictionary divides it."""
    for match in _WORD.finditer(text):
        at, end = match.span()
        for first, last in segments(match[0]):  # a run of letters may hold words of two scripts
            if at < match.start() + first:
                yield at, match.start() + first
            yield match.start() + first, match.start() + last
            at = match.start() + last
        if at < end:
            yield at, end


def _log_odds(probability: float) -> float:
    kept = min(max(probability, _LEAST), 1 - _LEAST)
    return float(np.log(kept / (1 - kept)))
