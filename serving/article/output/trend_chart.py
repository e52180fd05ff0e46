"""The chart of one pair by time, as SVG: marks that differ in shape and colour, with their intervals."""

import datetime
from collections.abc import Sequence

from serving.article.output.trend import Row
from serving.labels import STANCES

_WIDTH, _HEIGHT = 440, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 432, 12, 150  # of the plot
_ENDS = _LEFT + 24, _RIGHT - 30  # where the first and the last period stand
_LABEL_WIDTH = 78  # between two periods that are named
_ASIDE = {"support": -6, "neutrality": 0, "criticism": 6}  # marks of one period stand beside each other
_BEFORE = 14  # from the line of a change to the first mark behind it
_MARKS = {
    "support": '<circle cx="{x}" cy="{y}" r="4"/>',
    "neutrality": '<path d="M{x} {y}m-4.5 3.5h9l-4.5 -8z"/>',
    "criticism": '<rect x="{x}" y="{y}" width="8" height="8" transform="translate(-4 -4)"/>',
}


def start_of(period: str) -> datetime.date:
    """The first day of a period as `period_of` writes it."""
    if "W" in period:
        return datetime.date.fromisocalendar(int(period[:4]), int(period[-2:]), 1)
    return datetime.date.fromisoformat(period if period.count("-") == 2 else f"{period}-01")


def day_of(period: str) -> int:
    """The first day of a period as a number: days lie as far from each other as their numbers."""
    return start_of(period).toordinal()


def chart(rows: Sequence[Row], periods: Sequence[str], since: str | None, attributes: str) -> str:
    """The shares of one pair by time; a period of all charts stands at the same place.

    What has a place in time has `data-day`, and the ends of the plot are in `data-ends`: by these trend.js moves it
    when it shows a part of the time.

    Args:
        rows: of `by_period`, for one pair and at most one source.
        periods: those of all charts, in order.
        since: from which period on the position differs.
        attributes: of the element, as HTML.
    """
    first, last = day_of(periods[0]), day_of(periods[-1])

    def at(day: int) -> str:
        part = (day - first) / (last - first) if last > first else 0.5
        return f'data-day="{day}" transform="translate({_ENDS[0] + part * (_ENDS[1] - _ENDS[0]):.1f} 0)"'

    parts = []
    for share in (0, 0.5, 1):
        y = _up(share)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    parts += [
        f'<text class="when" y="{_BOTTOM + 20}" text-anchor="middle" {at(day_of(period))}>{period}</text>'
        for period in _named(periods)
    ]
    if since and first < day_of(since) <= last:
        parts.append(f'<g class="change" {at(day_of(since))}><path d="M{-_BEFORE} {_TOP}V{_BOTTOM}"/></g>')
    for row in rows:
        few = "" if row["enough"] else ' class="few"'
        marks = "".join(_mark(row, label) for label in reversed(STANCES))
        parts.append(f'<g{few} data-period="{row["period"]}" {at(day_of(row["period"]))}>{marks}</g>')
    drawn = "\n".join(parts)
    ends = f'data-ends="{_ENDS[0]} {_ENDS[1]}" data-apart="{_LABEL_WIDTH}"'
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" {ends} {attributes}>\n{drawn}\n</svg>'


def sign(label: str) -> str:
    """The mark of a stance, for a key."""
    mark = _MARKS[label].format(x=6, y=6)
    return f'<svg class="sign" viewBox="0 0 12 12" aria-hidden="true"><g class="{label}">{mark}</g></svg>'


def _named(periods: Sequence[str]) -> list[str]:
    """Those periods whose names have room."""
    first, last = day_of(periods[0]), day_of(periods[-1])
    scale = (_ENDS[1] - _ENDS[0]) / max(1, last - first)
    found = [periods[0]]
    for period in periods[1:]:
        if scale * (day_of(period) - day_of(found[-1])) >= _LABEL_WIDTH:
            found.append(period)
    return found


def _mark(row: Row, label: str) -> str:
    x = _ASIDE[label]
    low, high = row[f"{label}_low"], row[f"{label}_high"]
    bar = "" if low is None else f'<path d="M{x} {_up(low)}V{_up(high)}"/>'
    return f'<g class="{label}">{bar}{_MARKS[label].format(x=x, y=_up(row[label]))}</g>'


def _up(share: float) -> float:
    return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)
