"""From a text to its labelled statements: read, asked of the model in pieces, and explained."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import ValidationError

from serving.article.read import read
from serving.article.statements import Article, Position, labelled
from serving.errors import StancewiseError, describe
from serving.explain import Explanation
from serving.statement import Statement

if TYPE_CHECKING:
    from serving.classifier import StanceClassifier

Stage = Literal["reading", "labelling", "explaining"]
OnProgress = Callable[[Stage, int, int], None]
Targets = Mapping[str, Sequence[str]] | Sequence[str]
Answer = TypeVar("Answer")

LABELLED_AT_ONCE = 64  # statements between two reports of progress
EXPLAINED_AT_ONCE = 4  # each is asked again for every word


def label_article(
    classifier: "StanceClassifier",
    text: str,
    targets: Targets | None,
    name: str | None,
    explain: bool,
    on_progress: OnProgress | None,
) -> Article:
    """See `StanceClassifier.read_article`."""
    report = on_progress or (lambda stage, done, total: None)
    reading = read(text, given_targets(targets), lambda done, total: report("reading", done, total))

    def labelling(done: int) -> None:
        report("labelling", done, len(reading.positions))

    asked = _ask(classifier.predict, reading.positions, LABELLED_AT_ONCE, labelling)
    answers = [(position, answer) for position, answer in asked if not isinstance(answer, StancewiseError)]
    positions = [position for position, _ in answers]
    explanations: list[Explanation | None] | None = None
    problems = problems_of("labelled", [answer for _, answer in asked])
    if explain:
        explained = _ask(
            classifier.explain, positions, EXPLAINED_AT_ONCE, lambda done: report("explaining", done, len(positions))
        )
        problems += problems_of("explained", [answer for _, answer in explained])
        explanations = [None if isinstance(answer, StancewiseError) else answer for _, answer in explained]
    statements = labelled(positions, [answer for _, answer in answers], explanations)
    return Article(name=name, text=text, statements=statements, notes=[*reading.notes, *problems])


def given_targets(targets: Targets | None) -> dict[str, Sequence[str]] | None:
    """Targets as name -> aliases; None if there are none: then they are to be found.

    Raises:
        StancewiseError: a name or an alias is blank.
    """
    if not targets:
        return None
    if isinstance(targets, str):
        targets = [targets]
    given: dict[str, Sequence[str]] = dict(targets if isinstance(targets, Mapping) else [(one, ()) for one in targets])
    if not all(one.strip() for name, aliases in given.items() for one in (name, *aliases)):
        raise StancewiseError("targets: a name is blank; give the words that stand for it in the text")
    return given


def _ask(
    ask: Callable[[Sequence[Statement]], Sequence[Answer]],
    positions: Sequence[Position],
    at_once: int,
    report: Callable[[int], None],
) -> list[tuple[Position, Answer | StancewiseError]]:
    """Every position with the answer to its statement, or with the reason why there is none."""
    found: list[tuple[Position, Answer | StancewiseError]] = []
    for start in range(0, len(positions), at_once):
        piece = positions[start : start + at_once]
        answers: Sequence[Answer | StancewiseError]
        try:
            answers = ask([position.statement() for position in piece])
        except (StancewiseError, ValidationError):
            answers = [_alone(ask, position) for position in piece]
        found += zip(piece, answers, strict=True)
        report(len(found))
    return found


def _alone(ask: Callable[[Sequence[Statement]], Sequence[Answer]], position: Position) -> Answer | StancewiseError:
    try:
        return ask([position.statement()])[0]
    except ValidationError as error:
        return StancewiseError(describe(error))
    except StancewiseError as error:
        return error


def problems_of(done: str, answers: Sequence[object]) -> list[str]:
    """One note for each reason."""
    reasons = Counter(str(answer) for answer in answers if isinstance(answer, StancewiseError))
    return [f"statements that could not be {done}: {count:,} ({reason})" for reason, count in reasons.items()]
