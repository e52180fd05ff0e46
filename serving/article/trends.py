"""Many dated reports: who stood where in each period, whose position changed, and where sources differ."""

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from serving.article.entities import Entities, merged
from serving.article.permutation import CHANGED_BELOW, Floats, Places, Test, corrected, p_values, strongest
from serving.article.statements import Article, ArticleStatement
from serving.article.text.reports import Report
from serving.errors import StancewiseError
from serving.labels import STANCES
from serving.names.spelling import key

Period = Literal["day", "week", "month"]
Days = tuple[datetime.date, datetime.date]  # the first and the last of them
Labelled = Iterable[tuple[Report, Article]]  # read several times, and never held as a whole

LEAST_REPORTS = 3  # of a period, or of one side of a change
RESAMPLES = 1_000
_SEED = 20260314  # the same reports give the same figures

PERIOD_COLUMNS = (
    *("speaker", "target", "period", "source", "reports", "statements"),
    *(f"{label}{end}" for label in STANCES for end in ("", "_low", "_high")),
    "enough",
)
CHANGE_COLUMNS = (
    *("speaker", "target", "reports_before", "reports_after", "before", "after", "difference"),
    *("p", "p_corrected", "changed", "since", "enough"),
)
DIFFERENCE_COLUMNS = (
    *("speaker", "target", "source", "other", "reports_source", "reports_other", "balance_source", "balance_other"),
    *("difference", "difference_low", "difference_high", "p", "p_corrected", "differs"),
)
STATEMENT_COLUMNS = (
    *("speaker", "target", "period", "source", "date", "report"),
    *("sentence", "language", "stance", "probability", "abstained"),
)


@dataclass(frozen=True)
class _Said:
    """What one report says of a pair: the mean over its statements."""

    date: datetime.date
    source: str | None
    statements: int
    shares: Floats  # of support, neutrality and criticism; they sum to 1
    report: str
    found: Sequence[ArticleStatement]  # none where nobody asked for them

    @property
    def balance(self) -> float:
        return float(self.shares[STANCES.index("support")] - self.shares[STANCES.index("criticism")])


@dataclass
class _Pair:
    speaker: str | None
    target: str
    said: list[_Said] = field(default_factory=list)


def by_period(
    labelled: Labelled, period: Period, by_source: bool = False, entities: Entities | None = None
) -> pd.DataFrame:
    """How each holder stood to each target in each period; pairs with most reports first.

    A report counts once, however many statements it has: shares are means over the reports of the mean probabilities
    of their statements. `_low` and `_high` are the ends of 95 % intervals, from whole reports drawn anew; a period with
    one report has none. `enough` is false where there are fewer than LEAST_REPORTS.

    Reports without a date are left out.

    Args:
        labelled: reports with their articles.
        period: how long a period is; weeks begin on Monday (2026-W11).
        by_source: a row for each source, too.
        entities: whose names are one; by default those that differ by spelling or titles (`entities.merged`).
    """
    rows: list[dict[str, Any]] = []
    for pair in _pairs(labelled, entities):
        groups: dict[tuple[str, str], list[_Said]] = {}
        for one in pair.said:
            source = key(one.source) if by_source and one.source else ""
            groups.setdefault((period_of(one.date, period), source), []).append(one)
        for (when, _), said in sorted(groups.items()):
            row: dict[str, Any] = {"speaker": pair.speaker, "target": pair.target, "period": when}
            row |= {"source": said[0].source, "reports": len(said), "statements": sum(one.statements for one in said)}
            shares = np.stack([one.shares for one in said])
            for place, (label, ends) in enumerate(zip(STANCES, _intervals(shares), strict=True)):
                row |= {label: float(shares[:, place].mean()), f"{label}_low": ends[0], f"{label}_high": ends[1]}
            rows.append(row | {"enough": len(said) >= LEAST_REPORTS})
    columns = [one for one in PERIOD_COLUMNS if by_source or one != "source"]
    return _table(rows, columns)


def changes(
    labelled: Labelled,
    before: Days | None = None,
    after: Days | None = None,
    period: Period = "month",
    entities: Entities | None = None,
) -> pd.DataFrame:
    """Whether support minus criticism changed, and when; the surest changes first.

    For each pair `since` is the first period of the later side of the boundary between two periods at which the means
    over reports differ most, weighted as in `permutation.differences_at`, with LEAST_REPORTS or more on both sides;
    `before` and `after` are the means on its sides. `p` is that of a permutation test over whole reports which allows
    for the choice of the boundary (`permutation.p_values`), `p_corrected` allows for many pairs (Benjamini and Hochberg
    1995), `changed` is p_corrected < CHANGED_BELOW. A pair that no boundary divides so is not tested (`enough`): all
    its reports are counted as before.

    Args:
        labelled: reports with their articles; those without a date are left out.
        before: the first and the last day of a time that is to be compared with another one.
        after: of the other one. With both, `before`, `after` and `p` are about these two times.
        period: what lies between two boundaries.
        entities: whose names are one, as in `by_period`.

    Raises:
        StancewiseError: only one of both times is given, or they overlap.
    """
    if bool(before) != bool(after):
        raise StancewiseError("before and after: give both, or neither")
    if before and after and before[1] >= after[0]:
        raise StancewiseError("before and after: they overlap; let the one end before the other begins")
    rows: list[dict[str, Any]] = []
    tests: list[Test] = []
    for pair in _pairs(labelled, entities):
        if before and after:
            early, late = (_within(pair.said, days) for days in (before, after))
            row, test = _change(pair, [*early, *late], period, len(early))
        else:
            row, test = _change(pair, pair.said, period)
        if row["reports_before"] or row["reports_after"]:
            rows.append(row)
            tests += [test] if test else []
    _test(rows, tests, "changed")
    rows.sort(key=lambda row: (row["p"], -abs(row["difference"])) if row["enough"] else (2, 0))
    return _table(rows, CHANGE_COLUMNS)


def differences(labelled: Labelled, entities: Entities | None = None) -> pd.DataFrame:
    """Where two sources differ that both have LEAST_REPORTS or more reports of a pair; the surest differences first.

    `balance_source` and `balance_other` are means of support minus criticism over the reports of both sources,
    `difference` is the first minus the second. `_low` and `_high` are the ends of its 95 % interval, from whole reports
    of each source drawn anew; an interval does not allow for the number of comparisons. `p` is that of a permutation
    test over whole reports, `p_corrected` allows for the number of all comparisons (Benjamini and Hochberg 1995), and
    `differs` is p_corrected < CHANGED_BELOW. All times are together: where a position changed, sources that reported at
    other times differ for this reason alone.

    Args:
        labelled: reports with their articles; those without a date or a source are left out.
        entities: whose names are one, as in `by_period`.
    """
    rows: list[dict[str, Any]] = []
    tests: list[Test] = []
    for pair in _pairs(labelled, entities):
        sources = _by_source(pair.said)
        random = np.random.default_rng(_SEED)
        drawn = {name: _drawn(random, len(some)) @ some / len(some) for name, some in sources.items()}
        for (source, one), (other, two) in combinations(sources.items(), 2):
            low, high = np.quantile(drawn[source] - drawn[other], (0.025, 0.975))
            row: dict[str, Any] = {"speaker": pair.speaker, "target": pair.target, "source": source, "other": other}
            row |= {"reports_source": len(one), "reports_other": len(two)}
            row |= {"balance_source": float(one.mean()), "balance_other": float(two.mean())}
            row |= {"difference": float(one.mean() - two.mean())}
            rows.append(row | {"difference_low": float(low), "difference_high": float(high)})
            tests.append((np.concatenate([one, two]), np.array([len(one)])))
    _test(rows, tests, "differs")
    rows.sort(key=lambda row: (row["p"], -abs(row["difference"])))
    return _table(rows, DIFFERENCE_COLUMNS)


def statements(labelled: Labelled, period: Period, entities: Entities | None = None) -> pd.DataFrame:
    """The statements behind the figures of `by_period`, whose names of pairs and periods they have; by day.

    `report` is the name of the report, `sentence` the evidence, `stance` and `probability` the model's answer.

    Args:
        labelled: reports with their articles; those without a date are left out.
        period: as for `by_period`.
        entities: whose names are one, as in `by_period`.
    """
    rows = [
        {"speaker": pair.speaker, "target": pair.target, "period": period_of(said.date, period)}
        | {"source": said.source, "date": said.date.isoformat(), "report": said.report}
        | {"sentence": one.sentence.text, "language": one.language}
        | {"stance": one.stance.label, "probability": one.stance.probability, "abstained": one.stance.abstained}
        for pair in _pairs(labelled, entities, sentences=True)
        for said in pair.said
        for one in said.found
        if one.stance
    ]
    return _table(rows, STATEMENT_COLUMNS)


def period_of(day: datetime.date, period: Period) -> str:
    """The period of a day: 2026-03-14, 2026-W11 or 2026-03; later ones sort behind earlier ones."""
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04}-W{week:02}"
    return day.isoformat()[: len("2026-03") if period == "month" else None]


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    # As objects names that are None stay None; pandas would make them NaN.
    names = ("speaker", "target", "period", "source", "other", "since")
    return pd.DataFrame(
        {one: pd.Series([row[one] for row in rows], dtype=object if one in names else None) for one in columns}
    )


def _pairs(labelled: Labelled, entities: Entities | None, sentences: bool = False) -> list[_Pair]:
    """The pairs of all dated reports, with what each report says, by day; those with most reports first.

    Args:
        labelled: reports with their articles.
        entities: whose names are one.
        sentences: keep the statements, too; an archive may have more than memory should hold without need.
    """
    entities = entities or merged(labelled)
    pairs: dict[tuple[str | None, str], _Pair] = {}
    for report, article in labelled:
        if report.date is None:
            continue
        found: dict[tuple[str | None, str], list[ArticleStatement]] = {}
        for one in article.statements:
            if one.stance is None or one.foreign:
                continue
            speaker = entities.of(one.speaker, report.name) if one.speaker else None
            target = entities.of(one.target, report.name)
            names = (key(speaker) if speaker else None, key(target))
            pairs.setdefault(names, _Pair(speaker, target))
            found.setdefault(names, []).append(one)
        for names, said in found.items():
            shares = np.array([[one.stance.probabilities[label] for label in STANCES] for one in said if one.stance])
            kept = said if sentences else ()
            one_report = _Said(report.date, report.source, len(said), shares.mean(axis=0), report.name, kept)
            pairs[names].said.append(one_report)
    for pair in pairs.values():
        # The same figures in whatever order reports are read.
        pair.said.sort(key=lambda one: (one.date, *one.shares))
    return sorted(pairs.values(), key=lambda pair: -len(pair.said))


def _intervals(shares: Floats) -> list[tuple[float, float]]:
    """The 95 % interval of each mean over reports.

    Args:
        shares: (reports, stances).
    """
    number = len(shares)
    if number == 1:
        return [(float("nan"), float("nan"))] * len(STANCES)
    drawn = _drawn(np.random.default_rng(_SEED), number)
    low, high = np.quantile(drawn @ shares / number, (0.025, 0.975), axis=0)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]


def _by_source(said: Sequence[_Said]) -> dict[str, Floats]:
    """The balances of the reports of each source that has enough, sources by name."""
    groups: dict[str, list[_Said]] = {}
    for one in said:
        if one.source:
            groups.setdefault(key(one.source), []).append(one)
    enough = [some for _, some in sorted(groups.items()) if len(some) >= LEAST_REPORTS]
    return {str(some[0].source): np.sort([one.balance for one in some]) for some in enough}


def _drawn(random: np.random.Generator, number: int) -> npt.NDArray[np.int64]:
    """How often each of some reports is drawn.

    Returns:
        (RESAMPLES, number).
    """
    return random.multinomial(number, np.full(number, 1 / number), RESAMPLES)


def _change(
    pair: _Pair, said: Sequence[_Said], period: Period, cut: int | None = None
) -> tuple[dict[str, Any], Test | None]:
    """What changed for a pair, and the test of it if there are enough reports.

    Args:
        pair: who of what.
        said: its reports in order.
        period: what lies between two boundaries.
        cut: how many of them are of the earlier of two times; None: the strongest boundary is looked for.
    """
    number = len(said)
    balances = np.array([one.balance for one in said])
    periods = [period_of(one.date, period) for one in said]
    boundaries = _enough([place for place in range(1, number) if periods[place] != periods[place - 1]], number)
    best = int(boundaries[strongest(balances, boundaries)]) if len(boundaries) else number
    tested = boundaries if cut is None else _enough([cut], number)
    cut = best if cut is None else cut
    before, after = (float(side.mean()) if len(side) else float("nan") for side in np.split(balances, [cut]))
    row = {
        "speaker": pair.speaker,
        "target": pair.target,
        "reports_before": cut,
        "reports_after": number - cut,
        "before": before,
        "after": after,
        "difference": after - before,
        "since": periods[best] if len(tested) and best < number else None,
        "enough": len(tested) > 0,
    }
    return row, (balances, tested) if len(tested) else None


def _enough(cuts: Sequence[int], number: int) -> Places:
    """The cuts that leave LEAST_REPORTS or more of a number of reports on both sides."""
    return np.array([one for one in cuts if LEAST_REPORTS <= one <= number - LEAST_REPORTS], dtype=np.intp)


def _test(rows: Sequence[dict[str, Any]], tests: Sequence[Test], name: str) -> None:
    """Add the p values to the rows, of which those that do not lack `enough` are tested, in order."""
    p = p_values(tests)
    results = iter(zip(p, corrected(p), strict=True))
    for row in rows:
        one, other = next(results) if row.get("enough", True) else (float("nan"), float("nan"))
        row |= {"p": float(one), "p_corrected": float(other), name: bool(other < CHANGED_BELOW)}


def _within(said: Sequence[_Said], days: Days) -> list[_Said]:
    return [one for one in said if days[0] <= one.date <= days[1]]
