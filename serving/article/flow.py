"""From a text to its labelled statements: read, turned into questions for the model, made an article of the answers.

`questions` and `article_of` are pure; who asks the model stands between them (`read_article` here, the server's queue).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from pydantic import ValidationError

from serving.article.reading.judging import LEAST, Judged
from serving.article.reading.positions import Reading, find_positions
from serving.article.statements import Article, ArticleStatement, Position
from serving.errors import StancewiseError, describe
from serving.explain import Explanation, Predict, explain
from serving.language.detect import foreign_note
from serving.runtime.reader import Limits
from serving.statement import HeadPrediction, Prediction, Statement

Stage = Literal["reading", "labelling", "explaining"]
OnProgress = Callable[[Stage, int, int], None]
Targets = Mapping[str, Sequence[str]] | Sequence[str]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

ASKED_SHARE = 0.3  # weight of the classifier's answer beside that of what chose the pair
LABELLED_AT_ONCE = 64  # statements between two reports of progress
EXPLAINED_AT_ONCE = 4  # each is asked again for every word


def read_article(
    predict: Predict,
    text: str,
    targets: Targets | None = None,
    name: str | None = None,
    explained: bool = False,
    on_progress: OnProgress | None = None,
    judged: Judged | None = None,
    everything: bool = False,
    languages: tuple[str, ...] | None = None,
) -> Article:
    """See `StanceClassifier.read_article`, which hands in its `predict`, its reader and its languages."""
    report = on_progress or (lambda stage, done, total: None)
    found = find_positions(
        text, given_targets(targets), lambda done, total: report("reading", done, total), judged, everything, languages
    )
    reading, asked = questions(found)
    answers = _ask(predict, asked, LABELLED_AT_ONCE, lambda done: report("labelling", done, len(asked)))
    if not explained:
        return article_of(reading, answers, name)
    shown = {
        place: stance
        for place, (position, answer) in enumerate(zip(reading.positions, answers, strict=True))
        if isinstance(answer, Prediction) and (stance := _shown(reading, position, answer))
    }
    explanations = _ask(
        lambda rows: explain(predict, [row for row, _ in rows], "stance", [label for _, label in rows]),
        [(asked[place], stance.label if stance else None) for place, (stance, _) in shown.items()],
        EXPLAINED_AT_ONCE,
        lambda done: report("explaining", done, len(shown)),
    )
    return article_of(reading, answers, name, dict(zip(shown, explanations, strict=True)))


def questions(reading: Reading) -> tuple[Reading, list[Statement]]:
    """The positions that the model can be asked about, and the question for each; a note says what was left out."""
    positions, statements, refused = [], [], []
    for position in reading.positions:
        try:
            statements.append(position.statement())
            positions.append(position)
        except ValidationError as error:  # a name longer than a statement may have
            refused.append(StancewiseError(describe(error)))
    return replace(reading, positions=positions, notes=[*reading.notes, *_notes("labelled", refused)]), statements


def article_of(
    reading: Reading,
    answers: Sequence[Prediction | StancewiseError],
    name: str | None = None,
    explanations: Mapping[int, Explanation | StancewiseError | None] | None = None,
) -> Article:
    """The article of a reading.

    Args:
        reading: as `questions` gave it.
        answers: one for each of its positions, in order; where there is none, the reason.
        name: of the article.
        explanations: by place of the position.
    """
    explanations = explanations or {}
    statements = []
    for place, (position, answer) in enumerate(zip(reading.positions, answers, strict=True)):
        if isinstance(answer, StancewiseError):
            continue
        shown = _shown(reading, position, answer)
        if shown is None:
            continue
        stance, sureness = shown
        words = explanations.get(place)
        statements.append(
            ArticleStatement(
                **dict(position),
                stance=stance,
                sentiment=answer.sentiment,
                abstained=Prediction(stance=stance, sentiment=answer.sentiment).abstained,
                language=answer.language,
                foreign=answer.foreign,
                sureness=sureness,
                sure=bool(reading.judged and sureness and sureness >= reading.judged.limits.sure_above),
                explanation=None if isinstance(words, StancewiseError) else words,
            )
        )
    if not reading.everything:
        statements = _surest(statements)
    notes = [*reading.notes, *_notes("labelled", answers), *_notes("explained", [*explanations.values()])]
    others = Counter(answer.language for answer in answers if isinstance(answer, Prediction) and answer.foreign)
    if note := foreign_note(others):
        notes.append(f"statements {note}")
    return Article(
        name=name,
        text=reading.text,
        language=reading.language,
        foreign=reading.foreign,
        statements=statements,
        notes=notes,
    )


def _shown(
    reading: Reading, position: Position, answer: Prediction
) -> tuple[HeadPrediction | None, float | None] | None:
    """The stance of a position and its sureness (None: nothing chose it); None: it is not to be shown.

    Where nothing chose it, neutrality is no position: a mere mention has the same label as a declared one.
    """
    if answer.foreign:
        return (answer.stance, None) if reading.everything else None
    if not reading.judged:
        taken = answer.stance is None or not (answer.stance.abstained or answer.stance.label == "neutrality")
        return (answer.stance, None) if reading.everything or taken else None
    if not position.read:
        return _by_classifier(reading, reading.judged.limits, answer.stance)
    if answer.stance is None:
        expressed = 1 - position.read["nothing"]
        return (None, expressed) if reading.everything or expressed >= reading.judged.limits.shown_above else None
    stance, sureness = together(position.read, answer.stance)
    if sureness >= reading.judged.limits.least(stance.label):
        return stance, sureness
    return (stance.model_copy(update={"abstained": True}), sureness) if reading.everything else None


def _by_classifier(
    reading: Reading, limits: Limits, stance: HeadPrediction | None
) -> tuple[HeadPrediction | None, float | None] | None:
    """The same for a pair that the classifier alone chooses: how sure it is of the stance."""
    if stance is None:
        return None, None
    taken = not stance.abstained and stance.label != "neutrality" and stance.probability >= limits.shown_above
    if taken:
        return stance, stance.probability
    return (stance.model_copy(update={"abstained": True}), stance.probability) if reading.everything else None


def _surest(statements: Sequence[ArticleStatement]) -> list[ArticleStatement]:
    """Of pairs that the classifier alone chose the surest for each mention of a target, and of A and B, B and A.

    Asked about everybody in a sentence it gives a position to whoever stands near its words.
    """
    best: dict[object, float] = {}
    keys = [_rivals(one) for one in statements]
    for one, rivals in zip(statements, keys, strict=True):
        for rival in rivals:
            best[rival] = max(best.get(rival, 0.0), one.sureness or 0.0)
    pairs = zip(statements, keys, strict=True)
    return [one for one, rivals in pairs if all((one.sureness or 0.0) >= best[rival] for rival in rivals)]


def _rivals(one: ArticleStatement) -> list[object]:
    """What only one statement chosen by the classifier alone may have; others have none."""
    if one.read is not None or one.sureness is None:
        return []
    names = frozenset({one.speaker, one.target})
    return [(one.sentence.start, one.target_mention.start), (one.sentence.start, names)]


def together(read: Mapping[str, float], stance: HeadPrediction) -> tuple[HeadPrediction, float]:
    """The stance of an expressed position, and how sure it is that it is expressed and this one.

    A logarithmic opinion pool (Genest and Zidek 1986, "Combining Probability Distributions") of what chose the pair,
    which sees a whole sentence and its grammar, and of the classifier, which was asked about this pair alone and calls
    neutrality also what expresses nothing.

    Args:
        read: the probabilities of nothing and of each stance.
        stance: the classifier's answer.
    """
    said = {"nothing": stance.probabilities["neutrality"], **stance.probabilities}
    pooled = {
        answer: max(read[answer], LEAST) ** (1 - ASKED_SHARE) * max(said[answer], LEAST) ** ASKED_SHARE
        for answer in said
    }
    sureness = {answer: value / sum(pooled.values()) for answer, value in pooled.items()}
    expressed = 1 - sureness["nothing"]
    chances = {label: sureness[label] / expressed for label in stance.probabilities}
    label = max(chances, key=chances.__getitem__)
    return HeadPrediction(label=label, probabilities=chances, abstained=False), sureness[label]


def given_targets(targets: Targets | None) -> dict[str, Sequence[str]] | None:
    """Targets as name -> aliases; None if there are none: then they are to be found.

    Raises:
        StancewiseError: a name or an alias is blank, or is no string.
    """
    if not targets:
        return None
    if isinstance(targets, str):
        targets = [targets]
    given: dict[str, Sequence[str]] = dict(targets if isinstance(targets, Mapping) else [(one, ()) for one in targets])
    if any(isinstance(aliases, str) for aliases in given.values()):
        raise StancewiseError('targets: other names for a target are a list: {"the accord": ["the deal", "the pact"]}')
    if not all(isinstance(one, str) for name, aliases in given.items() for one in (name, *aliases)):
        raise StancewiseError("targets: a name is no string; give the words that stand for it in the text")
    if not all(one.strip() for name, aliases in given.items() for one in (name, *aliases)):
        raise StancewiseError("targets: a name is blank; give the words that stand for it in the text")
    return given


def _ask(
    ask: Callable[[Sequence[Asked]], Sequence[Answer]],
    asked: Sequence[Asked],
    at_once: int,
    report: Callable[[int], None],
) -> list[Answer | StancewiseError]:
    """The answer to everything asked, or the reason why there is none."""
    found: list[Answer | StancewiseError] = []
    for start in range(0, len(asked), at_once):
        some = asked[start : start + at_once]
        try:
            found += ask(some)
        except StancewiseError:
            found += [_ask_one(ask, one) for one in some]
        report(len(found))
    return found


def _ask_one(ask: Callable[[Sequence[Asked]], Sequence[Answer]], one: Asked) -> Answer | StancewiseError:
    try:
        return ask([one])[0]
    except StancewiseError as error:
        return error


def _notes(done: str, answers: Sequence[object]) -> list[str]:
    """One note for each reason."""
    reasons = Counter(str(answer) for answer in answers if isinstance(answer, StancewiseError))
    return [f"statements that could not be {done}: {count:,} ({reason})" for reason, count in reasons.items()]
