"""Many dated reports: who stood where in each period, and for whom support or criticism changed."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from serving.article.statements import Article, ArticleStatement
from serving.article.text.reports import Report
from serving.errors import StancewiseError
from serving.labels import STANCES
from serving.names.spelling import key

Period = Literal["day", "week", "month"]
Days = tuple[datetime.date, datetime.date]  # the first and the last of them
Labelled = Sequence[tuple[Report, Article]]
Floats = npt.NDArray[np.float64]

LEAST_REPORTS = 3  # of a period, or of one side of a change
RESAMPLES = 1_000
PERMUTATIONS = 10_000
_AT_ONCE = 1_000
_SEED = 20260314  # the same reports give the same figures
CHANGED_BELOW = 0.05  # corrected p
_SAME = 1e-9

PERIOD_COLUMNS = (
    *("speaker", "target", "period", "source", "reports", "statements"),
    *(f"{label}{end}" for label in STANCES for end in ("", "_low", "_high")),
    "enough",
)
CHANGE_COLUMNS = (
    *("speaker", "target", "reports_before", "reports_after", "before", "after", "difference"),
    *("p", "p_corrected", "changed", "month", "enough"),
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
    found: Sequence[ArticleStatement]

    @property
    def balance(self) -> float:
        return float(self.shares[STANCES.index("support")] - self.shares[STANCES.index("criticism")])


@dataclass
class _Pair:
    speaker: str | None
    target: str
    said: list[_Said] = field(default_factory=list)


def by_period(labelled: Labelled, period: Period, by_source: bool = False) -> pd.DataFrame:
    """How each holder stood to each target in each period; pairs with most reports first.

    A report counts once, however many statements it has: shares are means over the reports of the mean probabilities
    of their statements. `_low` and `_high` are the ends of 95 % intervals, from whole reports drawn anew; a period with
    one report has none. `enough` is false where there are fewer than LEAST_REPORTS. Holders and targets are one where
    their names are written alike. Reports without a date are left out.

    Args:
        labelled: reports with their articles.
        period: how long a period is; weeks begin on Monday (2026-W11).
        by_source: a row for each source, too.
    """
    rows: list[dict[str, Any]] = []
    for pair in _pairs(labelled):
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


def changes(labelled: Labelled, before: Days | None = None, after: Days | None = None) -> pd.DataFrame:
    """Whether support minus criticism changed from one time to another; the surest changes first.

    `p` is that of a permutation test over whole reports, `p_corrected` allows for many pairs (Benjamini and Hochberg
    1995), `changed` is p_corrected < CHANGED_BELOW. `month` is the first month of the stretch that differs most from
    what was before. A pair with fewer than LEAST_REPORTS on a side is not tested.

    Args:
        labelled: reports with their articles.
        before: the first and the last day of the one time; by default the first half of the days of all reports.
        after: of the other; by default the second half.

    Raises:
        StancewiseError: only one of both is given, or they overlap.
    """
    if bool(before) != bool(after):
        raise StancewiseError("before and after: give both, or neither")
    if before is None or after is None:
        days = halves(labelled)
        if days is None:
            return _table([], CHANGE_COLUMNS)
        before, after = days
    if before[1] >= after[0]:
        raise StancewiseError("before and after: they overlap; let the one end before the other begins")
    rows = [_change(pair, before, after) for pair in _pairs(labelled)]
    tested = [row for row in rows if row["enough"]]
    for row, p in zip(tested, corrected(np.array([row["p"] for row in tested])), strict=True):
        row |= {"p_corrected": float(p), "changed": bool(p < CHANGED_BELOW)}
    rows = [row for row in rows if row["reports_before"] or row["reports_after"]]
    rows.sort(key=lambda row: (not row["enough"], row["p"], -abs(row["difference"])) if row["enough"] else (True, 1, 0))
    return _table(rows, CHANGE_COLUMNS)


def statements(labelled: Labelled, period: Period) -> pd.DataFrame:
    """The statements behind the figures of `by_period`, whose names of pairs and periods they have; by day.

    `report` is the name of the report, `sentence` the evidence, `stance` and `probability` the model's answer.
    """
    rows = [
        {"speaker": pair.speaker, "target": pair.target, "period": period_of(said.date, period)}
        | {"source": said.source, "date": said.date.isoformat(), "report": said.report}
        | {"sentence": one.sentence.text, "language": one.language}
        | {"stance": one.stance.label, "probability": one.stance.probability, "abstained": one.stance.abstained}
        for pair in _pairs(labelled)
        for said in pair.said
        for one in said.found
        if one.stance
    ]
    return _table(rows, STATEMENT_COLUMNS)


def halves(labelled: Labelled) -> tuple[Days, Days] | None:
    """The first and the second half of the days that the reports cover; None without a date."""
    days = sorted(report.date for report, _ in labelled if report.date)
    if not days:
        return None
    middle = days[0] + datetime.timedelta(days=(days[-1] - days[0]).days // 2)
    return (days[0], middle), (middle + datetime.timedelta(days=1), max(days[-1], middle + datetime.timedelta(days=1)))


def period_of(day: datetime.date, period: Period) -> str:
    """The period of a day: 2026-03-14, 2026-W11 or 2026-03; later ones sort behind earlier ones."""
    if period == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04}-W{week:02}"
    return day.isoformat()[: len("2026-03") if period == "month" else None]


def corrected(p: Floats) -> Floats:
    """p values that allow for their number, by Benjamini and Hochberg: the share of false ones among those below."""
    falling = np.argsort(p)[::-1]
    ranks = np.arange(len(p), 0, -1)
    found = np.empty(len(p))
    found[falling] = np.minimum(np.minimum.accumulate(p[falling] * len(p) / ranks), 1)
    return found


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    # As objects names that are None stay None; pandas would make them NaN.
    names = ("speaker", "target", "period", "source", "month")
    return pd.DataFrame(
        {one: pd.Series([row[one] for row in rows], dtype=object if one in names else None) for one in columns}
    )


def _pairs(labelled: Labelled) -> list[_Pair]:
    """The pairs of all dated reports, with what each report says, by day; those with most reports first."""
    pairs: dict[tuple[str | None, str], _Pair] = {}
    dated = [(report.date, report, article) for report, article in labelled if report.date]
    for date, report, article in sorted(dated, key=lambda one: one[0]):
        found: dict[tuple[str | None, str], list[ArticleStatement]] = {}
        for one in article.statements:
            if one.stance is None or one.foreign:
                continue
            names = (key(one.speaker) if one.speaker else None, key(one.target))
            pairs.setdefault(names, _Pair(one.speaker, one.target))
            found.setdefault(names, []).append(one)
        for names, said in found.items():
            shares = np.array([[one.stance.probabilities[label] for label in STANCES] for one in said if one.stance])
            pairs[names].said.append(_Said(date, report.source, len(said), shares.mean(axis=0), report.name, said))
    return sorted(pairs.values(), key=lambda pair: -len(pair.said))


def _intervals(shares: Floats) -> list[tuple[float, float]]:
    """The 95 % interval of each mean over reports.

    Args:
        shares: (reports, stances).
    """
    number = len(shares)
    if number == 1:
        return [(float("nan"), float("nan"))] * len(STANCES)
    drawn = np.random.default_rng(_SEED).multinomial(number, np.full(number, 1 / number), RESAMPLES)
    low, high = np.quantile(drawn @ shares / number, (0.025, 0.975), axis=0)
    return [(float(one), float(other)) for one, other in zip(low, high, strict=True)]


def _change(pair: _Pair, before: Days, after: Days) -> dict[str, Any]:
    earlier, later = ([one for one in pair.said if days[0] <= one.date <= days[1]] for days in (before, after))
    one, two = (np.array([said.balance for said in side]) for side in (earlier, later))
    means = [float(side.mean()) if len(side) else float("nan") for side in (one, two)]
    enough = min(len(one), len(two)) >= LEAST_REPORTS
    return {
        "speaker": pair.speaker,
        "target": pair.target,
        "reports_before": len(one),
        "reports_after": len(two),
        "before": means[0],
        "after": means[1],
        "difference": means[1] - means[0],
        "p": _p(one, two) if enough else float("nan"),
        "p_corrected": float("nan"),
        "changed": False,
        "month": _month([*earlier, *later]) if enough else None,
        "enough": enough,
    }


def _p(one: Floats, two: Floats) -> float:
    """How often reports that are dealt out anew differ as much as they do, two-sided."""
    both = np.concatenate([one, two])
    observed = abs(two.mean() - one.mean())
    random = np.random.default_rng(_SEED)
    as_much = 0
    for _ in range(PERMUTATIONS // _AT_ONCE):
        dealt = random.random((_AT_ONCE, len(both))).argsort(axis=1)[:, : len(two)]
        sums = both[dealt].sum(axis=1)
        differences = np.abs(sums / len(two) - (both.sum() - sums) / len(one))
        as_much += int((differences >= observed - _SAME).sum())
    return (1 + as_much) / (1 + PERMUTATIONS)


def _month(said: Sequence[_Said]) -> str | None:
    """The first month of the stretch that differs most from what was before; None where nothing differs.

    Differences are weighted by the number of reports on both sides, so that a few at an end do not win by chance.
    """
    balances = np.array([one.balance for one in said])
    months = np.array([period_of(one.date, "month") for one in said])
    best, found = _SAME, None
    for month in np.unique(months)[1:]:
        later = months >= month
        sides = balances[~later], balances[later]
        if min(map(len, sides)) < LEAST_REPORTS:
            continue
        weight = float(np.sqrt(len(sides[0]) * len(sides[1]) / len(balances)))
        if (differs := weight * abs(float(sides[1].mean() - sides[0].mean()))) > best + _SAME:
            best, found = differs, str(month)
    return found
