"""Trends as rows and as tables on the terminal, in 80 columns."""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pandas as pd
from rich.console import Console
from rich.text import Text

from serving.article.output.rows import csv_cell
from serving.article.permutation import CHANGED_BELOW
from serving.article.trends import LEAST_REPORTS, Period
from serving.labels import STANCES
from serving.terminal import STYLES, printable, rows

Row = Mapping[str, Any]

_WIDTHS = (20, 7, 14, 14, 14)
_CHANGE_WIDTHS = (37, 8, 8, 7, 10)  # the last as wide as a day
_DIFFERENCE_WIDTHS = (26, 22, 17, 6)
_SIGNS = {"support": "+ support", "neutrality": "○ neutrality", "criticism": "− criticism"}


@dataclass(frozen=True)
class Trend:
    """What is shown: the rows of `by_period`, of `changes` and, if there are any, of `differences`.

    A page also shows the rows of `by_period` of each source, and the rows of `statements`.
    """

    period: Period
    periods: pd.DataFrame
    changes: pd.DataFrame
    notes: Sequence[str] = ()
    differences: pd.DataFrame | None = None  # with each source by itself
    sources: pd.DataFrame | None = None
    statements: pd.DataFrame | None = None

    @property
    def title(self) -> str:
        """What stands above it."""
        return f"Who stood where, by {self.period}"

    def pairs(self) -> Iterator[tuple[str | None, str, list[Row]]]:
        """Each pair with its rows of periods, if one of them has enough reports."""
        for speaker, target, said in self._all():
            if any(row["enough"] for row in said):
                yield speaker, target, said

    def too_few(self) -> int:
        """How many pairs have too few reports in every period."""
        return sum(not any(row["enough"] for row in said) for _, _, said in self._all())

    def left_out(self) -> str | None:
        """What is said of these."""
        few = self.too_few()
        return f"pairs with fewer than {LEAST_REPORTS} reports in every period, not shown: {few:,}" if few else None

    def changed(self) -> list[Row]:
        """The pairs whose position changed."""
        return [row for row in records(self.changes) if row["changed"]]

    def tested(self) -> str:
        """What was compared, and for how many pairs."""
        number = int(self.changes["enough"].sum())
        many = f"{number:,} pair{'' if number == 1 else 's'} tested"
        where = f"cut at the {self.period} where it differs most"
        return f"support minus criticism in percentage points before and after, {where}; {many}"

    def nothing(self, what: str = "change") -> str:
        """What stands in place of changes, or of differences."""
        return f"no {what} that is more than chance (corrected p below {CHANGED_BELOW})"

    def differing(self) -> list[Row]:
        """The pairs of which two sources differ."""
        return [row for row in records(self.differences) if row["differs"]] if self.differences is not None else []

    def compared(self) -> str:
        """What of the sources was compared, and how often."""
        number = 0 if self.differences is None else len(self.differences)
        many = f"{number:,} comparison{'' if number == 1 else 's'}"
        which = f"sources with {LEAST_REPORTS} or more reports of a pair"
        return f"support minus criticism in percentage points, differences with 95 % intervals; {which}; {many}"

    def _all(self) -> list[tuple[str | None, str, list[Row]]]:
        found: dict[tuple[str | None, str], list[Row]] = {}
        for row in records(self.periods):
            found.setdefault((row["speaker"], row["target"]), []).append(row)
        return [(speaker, target, said) for (speaker, target), said in found.items()]


def json_lines(table: pd.DataFrame) -> str:
    """A JSON object a line for each row of `by_period`, `changes` or `differences`; null where there is no figure."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in records(table))


def csv_table(table: pd.DataFrame) -> str:
    """The same rows as CSV; an apostrophe stands before what would be a formula."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    for row in records(table):
        writer.writerow([csv_cell(value) for value in row.values()])
    return out.getvalue()


def percent(row: Row, label: str) -> str:
    """A share with its interval: `85% [80, 90]`."""
    low, high = row[f"{label}_low"], row[f"{label}_high"]
    return f"{row[label]:.0%}" + ("" if low is None else f" [{100 * low:.0f}, {100 * high:.0f}]")


def balance(value: float) -> str:
    """Support minus criticism, in percentage points."""
    return f"{round(100 * value):+}".replace("-", "−")


def difference(row: Row) -> str:
    """How two sources differ, with the interval: `+85 [+60, +98]`."""
    low, high = balance(row["difference_low"]), balance(row["difference_high"])
    return f"{balance(row['difference'])} [{low}, {high}]"


def show(trend: Trend, console: Console) -> None:
    """Print each pair with its periods, then the changes."""
    console.print(Text(trend.title, style="bold"))
    fewer = f"?: fewer than {LEAST_REPORTS} reports, too few to rely on"
    console.print(Text(f"shares of each stance, mean over reports, with 95 % intervals; {fewer}", style="dim"))
    headings = ("", "reports", *_SIGNS.values())
    shown = False
    for speaker, target, said in trend.pairs():
        console.print(Text(f"\n{names(speaker, target)}", style="bold"))
        if not shown:
            console.print(rows(_WIDTHS, [[Text(one, style="dim") for one in headings]]))
        shown = True
        console.print(rows(_WIDTHS, [_period(row) for row in said]))
    if not shown:
        console.print(Text("no pair has enough reports in one period; take longer periods", style="dim"))
    if left_out := trend.left_out():
        console.print(Text(f"\n{left_out} (--output lists them)", style="dim"))
    console.print(Text("\nWhose position changed", style="bold"))
    console.print(Text(trend.tested(), style="dim"))
    changed = [_change(row) for row in trend.changed()]
    _list(changed, _CHANGE_WIDTHS, ("holder → target", "before", "after", "p", "from"), trend.nothing(), console)
    if trend.differences is None:
        return
    console.print(Text("\nWhere sources differ", style="bold"))
    console.print(Text(trend.compared(), style="dim"))
    differing = [_difference(row) for row in trend.differing()]
    headings = ("holder → target", "sources", "difference", "p")
    _list(differing, _DIFFERENCE_WIDTHS, headings, trend.nothing("difference"), console)


def names(speaker: str | None, target: str) -> str:
    """A pair on one line."""
    return printable(f"{speaker or '(author)'} → {target}")


def p_value(p: float) -> str:
    """A corrected p value."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _period(row: Row) -> list[Text]:
    when = " ".join(str(one) for one in (row["period"], row.get("source")) if one)
    style = "" if row["enough"] else "dim"
    shares = [Text(percent(row, label), style=style or STYLES.get(label, "yellow")) for label in STANCES]
    return [Text(printable(when), style=style), Text(f"{row['reports']}{'' if row['enough'] else ' ?'}"), *shares]


def _change(row: Row) -> list[Text]:
    style = STYLES["support" if row["difference"] > 0 else "criticism"]
    figures = (balance(row["before"]), balance(row["after"]), p_value(row["p_corrected"]), row["since"] or "")
    return [Text(names(row["speaker"], row["target"])), *(Text(one, style=style) for one in figures)]


def _difference(row: Row) -> list[Text]:
    sides = [printable(f"{balance(row[f'balance_{one}'])} {row[one]}") for one in ("source", "other")]
    names_of = Text(names(row["speaker"], row["target"]))
    return [names_of, Text("\n".join(sides)), Text(difference(row)), Text(p_value(row["p_corrected"]))]


def _list(
    lines: Sequence[Sequence[Text]], widths: Sequence[int], headings: Sequence[str], nothing: str, console: Console
) -> None:
    if lines:
        console.print(rows(widths, [[Text(one, style="dim") for one in headings], *lines]))
    else:
        console.print(nothing)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with values that JSON knows; None for NaN."""
    return [
        {str(name): None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
