"""How many positions of a text are found, and how many that are shown are right.

A shown position is right if its stance is that of a listed one, and the names shown for holder and target are names of
the listed entities (`training.data.names`): their heads agree, and neither has a modifier that the other lacks while
lacking one of the other's ("rice accord" is "the accord", but neither "rice" nor "the oil accord"). Each listed
position is matched once. Optional positions count neither as found nor as missed, those that no sentence expresses are
not looked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from serving.article.statements import Article
from training.data.names import SameName, same_name
from training.data.sources.reports import Report
from training.evaluation.metrics import Floats


@dataclass(frozen=True)
class Shown:
    """A position as a user sees it; the author has no name."""

    speaker: str | None
    target: str
    stance: str


@dataclass(frozen=True)
class Tally:
    """Of one text: shown positions that are right, all shown and all listed ones that count."""

    right: int
    shown: int
    listed: int


def shown(article: Article, least: float = 0.0) -> Iterator[Shown]:
    """What a user sees of an article; of what a reader found, what is this sure at least."""
    for one in article.statements:
        if one.stance and not one.stance.abstained and (one.sureness is None or one.sureness >= least):
            yield Shown(one.speaker, one.target, one.stance.label)


def tally(
    shown: Iterable[Shown], report: Report, stances: Sequence[str], same: SameName | None = None
) -> tuple[Tally, list[Shown], list[Shown]]:
    """The numbers of a text, the shown positions that are wrong and the listed ones that are missed.

    Args:
        shown: what a user sees; the same position twice counts once.
        report: the text with what a reader lists.
        stances: that are counted, such as support and criticism.
        same: whether a name is one of those of an entity; None: by the rule of the text's language.
    """
    same = same or same_name(report.language)
    given = [one for one in dict.fromkeys(shown) if one.stance in stances]
    listed = _listed(report, stances)
    worth = np.array([[_worth(one, other, report, same) for other in listed] for one in given])
    worth = worth.reshape(len(given), len(listed))
    rows, columns = linear_sum_assignment(worth, maximize=True)
    pairs = {int(row): listed[column] for row, column in zip(rows, columns, strict=True) if worth[row, column] > 0}
    right = [row for row, one in pairs.items() if not one.optional]
    neither = len(pairs) - len(right)
    certain = [one for one in listed if not one.optional]
    numbers = Tally(len(right), len(given) - neither, len(certain))
    matched = [pairs[row] for row in right]
    missed = [one for one in certain if one not in matched]
    names = report.entities
    return (
        numbers,
        [one for row, one in enumerate(given) if row not in pairs],
        [Shown(names[one.holder][0] if one.holder else None, names[one.target][0], one.stance) for one in missed],
    )


def figures(tallies: Sequence[Tally]) -> Floats:
    """Precision, recall and F1 over texts, shape (3,)."""
    right, shown, listed = np.array([[one.right, one.shown, one.listed] for one in tallies]).sum(0)
    precision, recall = right / max(shown, 1), right / max(listed, 1)
    return np.array([precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)])


@dataclass(frozen=True)
class _Position:
    holder: str | None
    target: str
    stance: str
    optional: bool


def _listed(report: Report, stances: Sequence[str]) -> list[_Position]:
    """One for each pair and stance; it is optional where no sentence makes it certain."""
    certain: dict[tuple[str | None, str, str], bool] = {}
    for one in report.positions:
        if one.stance in stances and one.sentence is not None:
            key = (one.holder, one.target, one.stance)
            certain[key] = certain.get(key, False) or not one.optional
    return [_Position(*key, optional=not sure) for key, sure in certain.items()]


def _worth(shown: Shown, listed: _Position, report: Report, same: SameName) -> float:
    """0: another position; certain ones are matched before optional ones."""
    names = report.entities
    holder = shown.speaker is listed.holder or (
        shown.speaker is not None and listed.holder is not None and same(shown.speaker, names[listed.holder])
    )
    if shown.stance != listed.stance or not holder or not same(shown.target, names[listed.target]):
        return 0.0
    return 1.0 if listed.optional else 2.0
