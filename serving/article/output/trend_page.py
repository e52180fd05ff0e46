"""Trends as one HTML page that needs nothing outside itself and no JavaScript: a chart and its table for each pair."""

import datetime
from collections.abc import Iterator, Sequence
from html import escape

from serving.article.output.page import HEAD, hash_of, static
from serving.article.output.trend import Row, Trend, balance, difference, p_value, percent
from serving.article.trends import LEAST_REPORTS
from serving.labels import STANCES

_WIDTH, _HEIGHT = 680, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 660, 14, 160  # of the plot
_LABEL_WIDTH = 76  # between two periods that are named
_ASIDE = {"support": -6, "neutrality": 0, "criticism": 6}  # marks of one period stand beside each other
_MARKS = {
    "support": '<circle cx="{x}" cy="{y}" r="4"/>',
    "neutrality": '<path d="M{x} {y}m-4.5 3.5h9l-4.5 -8z"/>',
    "criticism": '<rect x="{x}" y="{y}" width="8" height="8" transform="translate(-4 -4)"/>',
}
_STYLE = """
.trend { max-width: 46rem; }
.trend h2 { margin: 2rem 0 0.4rem; font-size: 1.125rem; }
.trend h3 { margin: 1.75rem 0 0.4rem; font-size: 1rem; overflow-wrap: anywhere; }
.trend h4 { margin: 1rem 0 0.2rem; font-size: 0.9375rem; font-weight: 500; overflow-wrap: anywhere; }
.trend .author { font-style: italic; }
.trend .quiet { color: var(--quiet); }
.trend svg { display: block; width: 100%; height: auto; }
.trend svg text { fill: var(--quiet); font: 12px system-ui, sans-serif; }
.trend .grid { stroke: var(--line); }
.trend .change { stroke: var(--ink); stroke-dasharray: 4 3; }
.trend .support { fill: var(--support); stroke: var(--support); }
.trend .neutrality { fill: var(--neutrality); stroke: var(--neutrality); }
.trend .criticism { fill: var(--criticism); stroke: var(--criticism); }
.trend svg .few { fill: var(--paper); }
.trend .scroll { overflow-x: auto; }
.trend table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
.trend caption { padding: 0.2rem 0; color: var(--quiet); text-align: start; }
.trend th, .trend td { padding: 0.15rem 0.9rem 0.15rem 0; border-bottom: 1px solid var(--line); text-align: start; }
.trend thead th { border-color: var(--ink); }
.trend tbody th { font-weight: 500; }
.trend .key svg { display: inline-block; width: 12px; height: 12px; vertical-align: -1px; }
@media print { .trend section { break-inside: avoid; } }
"""
_POLICY = "default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none'"
_PAGE = (
    HEAD
    + """<body class="stancewise-page">
<header><h1>{title}</h1></header>
<main class="trend">
{body}
</main>
</body>
</html>
"""
)


def render(trend: Trend) -> str:
    """One HTML page of a trend; nothing in a name can become a part of the page."""
    style = static("view.css") + _STYLE
    return _PAGE.format(
        policy=_POLICY.format(style=hash_of(style)),
        title=escape(trend.title),
        style=style,
        body="\n".join(_body(trend)),
    )


def start_of(period: str) -> datetime.date:
    """The first day of a period as `period_of` writes it."""
    if "W" in period:
        return datetime.date.fromisocalendar(int(period[:4]), int(period[-2:]), 1)
    return datetime.date.fromisoformat(period if period.count("-") == 2 else f"{period}-01")


def _body(trend: Trend) -> Iterator[str]:
    yield from (f"<p>{escape(note)}</p>" for note in trend.notes)
    yield "<h2>Whose position changed</h2>"
    yield f'<p class="quiet">{escape(trend.tested())}</p>'
    changed = trend.changed()
    yield _changes(changed) if changed else f"<p>{escape(trend.nothing())}</p>"
    if trend.differences is not None:
        yield "<h2>Where sources differ</h2>"
        yield f'<p class="quiet">{escape(trend.compared())}</p>'
        differing = trend.differing()
        yield _differences(differing) if differing else f"<p>{escape(trend.nothing('difference'))}</p>"
    months = {(row["speaker"], row["target"]): row["since"] for row in changed}
    pairs = list(trend.pairs())
    periods = sorted({row["period"] for _, _, said in pairs for row in said})
    key = " ".join(f"{_key(label)} {label}" for label in STANCES)
    yield f"""<h2>Shares of each stance</h2>
<p class="key">{key}</p>
<p class="quiet">Means over reports, each of which counts once for a pair, with 95 % intervals. Hollow marks: fewer than
{LEAST_REPORTS} reports, too few to rely on. Dashed line: from here on the position differs.</p>"""
    number = 0
    for place, (speaker, target, said) in enumerate(pairs):
        yield f'<section>\n<h3 id="name-{place}">{_names(speaker, target)}</h3>'
        sources = list(dict.fromkeys(row.get("source") for row in said))
        for source in sources:
            number += 1
            rows = [row for row in said if row.get("source") == source]
            if "source" in rows[0]:
                yield f'<h4 id="source-{number}">{_name(source) if source else "no source given"}</h4>'
            yield _chart(rows, periods, months.get((speaker, target)), number)
            yield _table(rows, number, f"name-{place} source-{number}" if "source" in rows[0] else f"name-{place}")
        yield "</section>"
    if not pairs:
        yield "<p>No pair has enough reports in one period; take longer periods.</p>"
    if left_out := trend.left_out():
        yield f'<p class="quiet">{escape(left_out)}</p>'


def _changes(changed: Sequence[Row]) -> str:
    lines = [
        f'<tr><th scope="row">{_names(row["speaker"], row["target"])}</th><td>{balance(row["before"])}</td>'
        f"<td>{balance(row['after'])}</td><td>{escape(p_value(row['p_corrected']))}</td>"
        f"<td>{escape(row['since'] or '')}</td></tr>"
        for row in changed
    ]
    headings = ("Holder and target", "Before", "After", "Corrected p", "From")
    return _scrolled("Changes, in percentage points", headings, lines, "changes")


def _differences(differing: Sequence[Row]) -> str:
    lines = []
    for row in differing:
        sides = "".join(f"<td>{_name(row[one])} {balance(row[f'balance_{one}'])}</td>" for one in ("source", "other"))
        figures = f"<td>{escape(difference(row))}</td><td>{escape(p_value(row['p_corrected']))}</td>"
        lines.append(f'<tr><th scope="row">{_names(row["speaker"], row["target"])}</th>{sides}{figures}</tr>')
    headings = ("Holder and target", "Source", "Other source", "Difference", "Corrected p")
    return _scrolled("Differences, in percentage points", headings, lines, "differences")


def _table(rows: Sequence[Row], number: int, of: str) -> str:
    lines = []
    for row in rows:
        cells = "".join(f"<td>{escape(percent(row, label))}</td>" for label in STANCES)
        few = "" if row["enough"] else " (too few)"
        reports = f"<td>{row['reports']:,}{few}</td><td>{row['statements']:,}</td>"
        lines.append(f'<tr><th scope="row">{escape(row["period"])}</th>{reports}{cells}</tr>')
    headings = ("Period", "Reports", "Statements", *(label.title() for label in STANCES))
    return _scrolled("Shares with 95 % intervals", headings, lines, f"table-{number}", of)


def _scrolled(caption: str, headings: Sequence[str], lines: Sequence[str], name: str, of: str = "") -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in headings)
    body = "\n".join(lines)
    return f"""<div class="scroll" role="region" aria-labelledby="{of} {name}" tabindex="0"><table>
<caption id="{name}">{escape(caption)}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>"""


def _chart(rows: Sequence[Row], periods: Sequence[str], month: str | None, number: int) -> str:
    """The shares of one pair by time; months of all charts stand at the same place."""
    first, last = start_of(periods[0]), start_of(periods[-1])

    def across(day: datetime.date) -> float:
        part = (day - first).days / (last - first).days if last > first else 0.5
        return round(_LEFT + 20 + part * (_RIGHT - _LEFT - 40), 1)

    parts = []
    for share in (0, 0.5, 1):
        y = _up(share)
        parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    free = 0.0
    for period in periods:
        if (x := across(start_of(period))) >= free:
            parts.append(f'<text x="{x}" y="{_BOTTOM + 20}" text-anchor="middle">{escape(period)}</text>')
            free = x + _LABEL_WIDTH
    if month and first < start_of(month) <= last:
        x = across(start_of(month)) - 14
        parts.append(f'<path class="change" d="M{x} {_TOP}V{_BOTTOM}"/>')
    for row in rows:
        for label in reversed(STANCES):
            x = across(start_of(row["period"])) + _ASIDE[label]
            few = "" if row["enough"] else " few"
            low, high = row[f"{label}_low"], row[f"{label}_high"]
            bar = "" if low is None else f'<path d="M{x:.1f} {_up(low)}V{_up(high)}"/>'
            mark = _MARKS[label].format(x=f"{x:.1f}", y=_up(row[label]))
            parts.append(f'<g class="{label}{few}">{bar}{mark}</g>')
    drawn = "\n".join(parts)
    return f"""<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(_told(rows, month))}">
{drawn}
</svg>"""


def _told(rows: Sequence[Row], month: str | None) -> str:
    """A chart in words."""
    ends = (rows[0], rows[-1]) if len(rows) > 1 else (rows[0],)
    said = [f"{row['period']}: " + ", ".join(f"{label} {row[label]:.0%}" for label in STANCES) for row in ends]
    change = f"; the position changed from {month} on" if month else ""
    return f"Chart of shares by period. {'; '.join(said)}{change}. The table below has every figure."


def _up(share: float) -> float:
    return round(_BOTTOM - share * (_BOTTOM - _TOP), 1)


def _key(label: str) -> str:
    mark = _MARKS[label].format(x=6, y=6)
    return f'<svg viewBox="0 0 12 12" aria-hidden="true"><g class="{label}">{mark}</g></svg>'


def _names(speaker: str | None, target: str) -> str:
    holder = _name(speaker) if speaker else '<span class="author">the author</span>'
    return f"{holder} → {_name(target)}"


def _name(name: str) -> str:
    return f"<bdi>{escape(' '.join(name.split()))}</bdi>"
