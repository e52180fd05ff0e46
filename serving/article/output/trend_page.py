"""Trends as one HTML page that needs nothing outside itself: a chart and a table with sentences for each pair.

Without JavaScript everything can be read; with it the page has filters and the reader's language (static/trend.js).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby

from serving.article.output.page import HEAD, POLICY, hash_of, script_of, static, words
from serving.article.output.trend import Row, Trend, balance, difference, p_value, percent, records
from serving.article.output.trend_chart import chart, day_of, sign
from serving.article.permutation import CHANGED_BELOW
from serving.article.trends import LEAST_REPORTS
from serving.labels import STANCES
from serving.names.spelling import key

MOST_PAIRS = 300  # that are shown: a page of many thousand charts would freeze
MOST_SENTENCES = 10  # of a pair in a period

SCRIPTS = ("tables.js", "words.js", "parts.js", "trend.js")
_START = """
document.querySelector("header").append(stancewise.languageChoice());
stancewise.trend(document.querySelector(".trend"));
stancewise.follow(() => {
  stancewise.translate(document);
  document.title = document.querySelector("h1").textContent;
});
"""
_PAGE = (
    HEAD
    + """<body class="stancewise-page">
<header><h1 data-words="{heading}">{title}</h1></header>
<main>
{body}
</main>
<script>{script}</script>
</body>
</html>
"""
)
_SIDES = ("source", "other")  # of a difference
_TOGETHER, _EACH = "all", "each"  # of `data-source`: whichever source, and each by itself
Pair = tuple[str | None, str]


def render(trend: Trend, each_source: bool = False) -> str:
    """One HTML page of a trend; nothing in a name or a sentence can become a part of the page.

    Args:
        trend: what is shown.
        each_source: begin with each source by itself.
    """
    style, script = static("view.css") + static("trend.css"), script_of(SCRIPTS, _START)
    heading = f"trend_title_{trend.period}"
    return _PAGE.format(
        policy=POLICY.format(script=hash_of(script), style=hash_of(style)),
        heading=heading,
        title=_english(heading, {}),
        style=style,
        script=script,
        body=view(trend, each_source),
    )


def view(trend: Trend, each_source: bool = False) -> str:
    """What `render` has between the head and the script, for a page that has both."""
    return "\n".join(_body(trend, _EACH if each_source else _TOGETHER))


def _body(trend: Trend, mode: str) -> Iterator[str]:
    shown, left_out = _chosen(trend)
    periods = sorted({row["period"] for _, _, said in shown for row in said})
    sources = _Sources(trend, mode)
    # What trend.js asks for.
    given = {
        "periods": [[period, day_of(period)] for period in periods],
        "sources": [name and _text(name) for name in sources.names],
        "mode": mode,
        "pairs": len(shown),
    }
    kind = "trend together" if mode == _TOGETHER else "trend"
    yield f'<div class="{kind}" data-given="{escape(json.dumps(given, ensure_ascii=False))}">'
    yield from (f'<p dir="auto" lang="">{_safe(note)}</p>' for note in trend.notes)
    yield _say("trend_changes", "h2")
    places = {(speaker, target): number for number, (speaker, target, _) in enumerate(shown)}
    yield from _changes(trend, places)
    if len(sources.names) > 1:
        yield from _differences(trend, places)
    yield _say("trend_shares", "h2")
    signs = " ".join(f"<span>{sign(label)} {_say(label)}</span>" for label in STANCES)
    yield f'<p class="key">{signs}</p>'
    yield _say("trend_key", "p", 'class="quiet"', least=LEAST_REPORTS)
    yield '<div class="filters"></div>'  # made by trend.js: without it they would do nothing
    said = _by_pair(records(trend.statements)) if trend.statements is not None else {}
    since = {(row["speaker"], row["target"]): row["since"] for row in trend.changed()}
    for number, (speaker, target, together) in enumerate(shown):
        pair = (speaker, target)
        rows = {_TOGETHER: together, **sources.rows(pair)}
        yield _section(number, pair, rows, said.get(pair, []), since.get(pair), periods, sources, mode)
    if not shown:
        yield _say("trend_too_little", "p")
    yield from left_out
    yield "</div>"


class _Sources:
    """The sources of a trend, each with its number: names that are spelled alike are one."""

    def __init__(self, trend: Trend, mode: str) -> None:
        rows = records(trend.sources) if trend.sources is not None else []
        found = {self._key(row["source"]): row["source"] for row in reversed(rows)}
        if len(found) == 1 and mode == _TOGETHER:
            rows, found = [], {}  # it would all be there twice
        ordered = sorted(found, key=lambda one: (not one, one))  # those without a source stand last
        self.names = [found[one] for one in ordered]
        self._numbers = {one: str(number) for number, one in enumerate(ordered)}
        self._rows = _by_pair(rows)

    @staticmethod
    def _key(source: str | None) -> str:
        return key(source) if source else ""

    def number(self, source: str | None) -> str:
        """What stands in `data-source`."""
        return self._numbers.get(self._key(source), _TOGETHER)

    def rows(self, pair: Pair) -> dict[str, list[Row]]:
        """The rows of a pair by the number of their source."""
        found: dict[str, list[Row]] = defaultdict(list)
        for row in self._rows.get(pair, []):
            found[self.number(row["source"])].append(row)
        return dict(sorted(found.items(), key=lambda one: int(one[0])))


def _chosen(trend: Trend) -> tuple[list[tuple[str | None, str, list[Row]]], list[str]]:
    """The pairs that are shown, those that changed among them, and what is said of the others."""
    pairs = list(trend.pairs())
    changed = {(row["speaker"], row["target"]) for row in trend.changed()}
    rest = max(0, MOST_PAIRS - len(changed))
    others = [(speaker, target) for speaker, target, _ in pairs if (speaker, target) not in changed]
    kept = changed | set(others[:rest])
    shown = [one for one in pairs if one[:2] in kept]
    said = []
    if len(shown) < len(pairs):
        said.append(_say("trend_most", "p", 'class="quiet"', shown=len(shown), count=len(pairs)))
    if few := trend.too_few():
        said.append(_say("trend_left_out", "p", 'class="quiet"', least=LEAST_REPORTS, count=few))
    return shown, said


def _changes(trend: Trend, places: Mapping[Pair, int]) -> Iterator[str]:
    yield _say("trend_tested", "p", 'class="quiet"', count=int(trend.changes["enough"].sum()))
    changed = trend.changed()
    if not changed:
        yield _say("trend_nothing", "p", limit=str(CHANGED_BELOW))
        return
    lines = []
    for row in changed:
        figures = (balance(row["before"]), balance(row["after"]), p_value(row["p_corrected"]), row["since"] or "")
        cells = "".join(f'<td dir="ltr">{escape(one)}</td>' for one in figures)
        lines.append(f'<tr><th scope="row">{_linked(row, places)}</th>{cells}</tr>')
    columns = ("trend_pair", "trend_before", "trend_after", "trend_p", "trend_since")
    head = "".join(_say(column, "th", 'scope="col"') for column in columns)
    yield _scrolled("changes", _say("trend_changes_caption"), head, lines)


def _differences(trend: Trend, places: Mapping[Pair, int]) -> Iterator[str]:
    if trend.differences is None:
        return
    yield _say("trend_differences", "h2")
    yield _say("trend_compared", "p", 'class="quiet"', least=LEAST_REPORTS, count=len(trend.differences))
    differing = trend.differing()
    if not differing:
        yield _say("trend_no_difference", "p", limit=str(CHANGED_BELOW))
        return
    lines = []
    for row in differing:
        sides = [f'{_name(row[one])} <span dir="ltr">{balance(row[f"balance_{one}"])}</span>' for one in _SIDES]
        cells = "".join(f"<td>{one}</td>" for one in sides)
        cells += "".join(f'<td dir="ltr">{escape(one)}</td>' for one in (difference(row), p_value(row["p_corrected"])))
        lines.append(f'<tr><th scope="row">{_linked(row, places)}</th>{cells}</tr>')
    columns = ("trend_pair", "trend_source", "trend_other_source", "trend_difference", "trend_p")
    head = "".join(_say(column, "th", 'scope="col"') for column in columns)
    yield _scrolled("differences", _say("trend_differences_caption"), head, lines)


def _linked(row: Row, places: Mapping[Pair, int]) -> str:
    """The names of a pair; they lead to its section, if it has one."""
    pair = (row["speaker"], row["target"])
    names = _names(pair)
    return f'<a href="#pair-{places[pair]}">{names}</a>' if pair in places else names


def _section(
    number: int,
    pair: Pair,
    rows: Mapping[str, Sequence[Row]],
    said: Sequence[Row],
    since: str | None,
    periods: Sequence[str],
    sources: _Sources,
    mode: str,
) -> str:
    """A pair: a chart of all sources and of each, and one table. What is not of the mode is hidden, for trend.js."""
    charts = "\n".join(_figure(place, some, periods, since, sources, mode) for place, some in rows.items())
    by_period: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for place, some in rows.items():
        for row in some:
            by_period[row["period"]].append((place, row))
    sentences = {when: list(some) for when, some in groupby(said, lambda row: row["period"])}
    lines = []
    for period in sorted(by_period):
        lines += [_row(place, row, sources, mode) for place, row in by_period[period]]
        if period in sentences:
            lines.append(_sentences(period, sentences[period], sources))
    head = _say("trend_period", "th", 'scope="col"') + _say("trend_source", "th", 'class="source" scope="col"')
    head += _say("trend_reports", "th", 'scope="col"')
    head += "".join(f'<th scope="col">{sign(label)} {_say(label)}</th>' for label in STANCES)
    table = _scrolled(f"table-{number}", _say("trend_caption"), head, lines, f"name-{number} ")
    turned = _say("trend_turned", "p", 'class="turned"', since=since) if since else ""
    return f"""<section id="pair-{number}">
<h3 id="name-{number}">{_names(pair)}</h3>
{turned}
<div class="charts">
{charts}
</div>
{table}
</section>"""


def _figure(
    place: str, rows: Sequence[Row], periods: Sequence[str], since: str | None, sources: _Sources, mode: str
) -> str:
    ends = {"first": rows[0], "last": rows[-1]} if len(rows) > 1 else {"first": rows[0]}
    values = {end: row["period"] for end, row in ends.items()}
    values |= {f"{label}_{end}": f"{row[label]:.0%}" for end, row in ends.items() for label in STANCES}
    told = "trend_chart" if len(rows) > 1 else "trend_chart_one"
    label = f'data-words-name="{told}" data-values="{_json(values)}" aria-label="{escape(_english(told, values))}"'
    caption = "" if place == _TOGETHER else f"<figcaption>{_source(sources.names[int(place)])}</figcaption>"
    drawn = chart(rows, periods, since, label)
    return f'<figure data-source="{place}"{_hidden(place, mode)}>{caption}{drawn}</figure>'


def _row(place: str, row: Row, sources: _Sources, mode: str) -> str:
    few = "" if row["enough"] else f' <span class="quiet">({_say("trend_few")})</span>'
    source = _say("trend_all_sources") if place == _TOGETHER else _source(sources.names[int(place)])
    cells = "".join(f'<td dir="ltr">{escape(percent(row, label))}</td>' for label in STANCES)
    attributes = f'data-period="{row["period"]}" data-source="{place}" data-statements="{row["statements"]}"'
    return (
        f'<tr {attributes}{_hidden(place, mode)}><th scope="row"><span dir="ltr">{row["period"]}</span></th>'
        f'<td class="source">{source}</td><td>{row["reports"]:,}{few}</td>{cells}</tr>'
    )


def _sentences(period: str, said: Sequence[Row], sources: _Sources) -> str:
    """The sentences behind the figures of a period, some of them where there are many."""
    shown = _some(said)
    told = "statements_some" if len(shown) < len(said) else "statements_all"
    summary = _say(told, "summary", shown=len(shown), count=len(said))
    items = []
    for one in shown:
        doubt = "? " if one["abstained"] else ""
        answer = f'<span class="{one["stance"]}">{sign(one["stance"])} {doubt}{_say(one["stance"])}</span>'
        source = f" · {_source(one['source'])}" if one["source"] else ""
        lang = "" if one["language"] == "unknown" else escape(one["language"])
        place = sources.number(one["source"])
        items.append(
            f'<li data-source="{place}"><p dir="auto" lang="{lang}">{_safe(one["sentence"])}</p>'
            f'<p class="quiet">{answer} <span dir="ltr">{one["probability"]:.2f}</span>'
            f' · <bdi>{one["date"]}</bdi>{source} · <bdi class="report" lang="">{_safe(one["report"])}</bdi></p></li>'
        )
    listed = "\n".join(items)
    return (
        f'<tr class="said" data-period="{period}"><td colspan="6"><details>{summary}<ul>\n{listed}\n'
        "</ul></details></td></tr>"
    )


def _some(said: Sequence[Row]) -> list[Row]:
    """At most MOST_SENTENCES, by day: of each report one before a second one, and of the sources in turn."""
    of_report: Counter[str] = Counter()
    ordered = []
    for one in said:
        of_report[one["report"]] += 1
        ordered.append((of_report[one["report"]], one))
    ordered.sort(key=lambda one: one[0])
    of_source: Counter[str] = Counter()
    turns = []
    for _, one in ordered:
        of_source[one["source"]] += 1
        turns.append((of_source[one["source"]], one))
    turns.sort(key=lambda one: one[0])
    kept = [one for _, one in turns[:MOST_SENTENCES]]
    return sorted(kept, key=lambda one: (one["date"], one["report"]))


def _scrolled(name: str, caption: str, head: str, lines: Sequence[str], of: str = "") -> str:
    body = "\n".join(lines)
    return f"""<div class="scroll" role="region" aria-labelledby="{of}{name}" tabindex="0"><table>
<caption id="{name}">{caption}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>"""


def _by_pair(rows: Sequence[Row]) -> dict[Pair, list[Row]]:
    found: dict[Pair, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["speaker"], row["target"]].append(row)
    return found


def _hidden(place: str, mode: str) -> str:
    return "" if (place == _TOGETHER) == (mode == _TOGETHER) else " hidden"


def _say(key: str, tag: str = "span", attributes: str = "", **values: int | str) -> str:
    """An element with words of static/words, in English; trend.js puts those of the reader's language."""
    given = f' data-values="{_json(values)}"' if values else ""
    attributes = f" {attributes}" if attributes else ""
    return f'<{tag}{attributes} data-words="{key}"{given}>{escape(_english(key, values))}</{tag}>'


def _english(key: str, values: Mapping[str, int | str]) -> str:
    entry = words()["en"][key]
    text = entry if isinstance(entry, str) else entry["one" if values["count"] == 1 else "other"]
    return text.format_map({name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()})


def _json(values: Mapping[str, int | str]) -> str:
    return escape(json.dumps(values, ensure_ascii=False))


def _source(source: str | None) -> str:
    return _name(source) if source else _say("trend_no_source")


def _names(pair: Pair) -> str:
    speaker, target = pair
    holder = _name(speaker) if speaker else _say("author", attributes='class="author"')
    return f'{holder} <span class="arrow">→</span> {_name(target)}'


def _name(name: str) -> str:
    return f'<bdi lang="">{_safe(" ".join(name.split()))}</bdi>'


def _safe(text: str) -> str:
    return escape(_text(text))


def _text(text: str) -> str:
    """As UTF-8 can be written: names of files may hold other bytes."""
    return text.encode("utf-8", "replace").decode()
