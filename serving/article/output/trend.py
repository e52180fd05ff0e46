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
from serving.article.trends import CHANGED_BELOW, LEAST_REPORTS, Days, Period
from serving.labels import STANCES
from serving.terminal import STYLES, printable, rows

Row = Mapping[str, Any]

_WIDTHS = (20, 7, 14, 14, 14)
_CHANGE_WIDTHS = (38, 8, 8, 7, 7)
_SIGNS = {"support": "+ support", "neutrality": "○ neutrality", "criticism": "− criticism"}


@dataclass(frozen=True)
class Trend:
    """What is shown: the rows of `by_period` and of `changes`, and what these are about.

    A page also shows the rows of `by_period` of each source, and the rows of `statements`.
    """

    period: Period
    periods: pd.DataFrame
    changes: pd.DataFrame
    halves: tuple[Days, Days]
    notes: Sequence[str] = ()
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
        times = " against ".join(f"{one} to {other}" for one, other in self.halves)
        return (
            f"support minus criticism in percentage points, {times}; {number:,} pair{'' if number == 1 else 's'} tested"
        )

    def nothing(self) -> str:
        """What stands in place of changes."""
        return f"no change that is more than chance (corrected p below {CHANGED_BELOW})"

    def _all(self) -> list[tuple[str | None, str, list[Row]]]:
        found: dict[tuple[str | None, str], list[Row]] = {}
        for row in records(self.periods):
            found.setdefault((row["speaker"], row["target"]), []).append(row)
        return [(speaker, target, said) for (speaker, target), said in found.items()]


def json_lines(periods: pd.DataFrame) -> str:
    """A JSON object a line for each row of `by_period`; null where there is no interval."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in records(periods))


def csv_table(periods: pd.DataFrame) -> str:
    """The same rows as CSV; an apostrophe stands before what would be a formula."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(periods.columns)
    for row in records(periods):
        writer.writerow([csv_cell(value) for value in row.values()])
    return out.getvalue()


def percent(row: Row, label: str) -> str:
    """A share with its interval: `85% [80, 90]`."""
    low, high = row[f"{label}_low"], row[f"{label}_high"]
    return f"{row[label]:.0%}" + ("" if low is None else f" [{100 * low:.0f}, {100 * high:.0f}]")


def balance(value: float) -> str:
    """Support minus criticism, in percentage points."""
    return f"{100 * value:+.0f}".replace("-", "−")


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
    if found := trend.changed():
        headings = ("holder → target", "before", "after", "p", "from")
        console.print(rows(_CHANGE_WIDTHS, [[Text(one, style="dim") for one in headings], *map(_change, found)]))
    else:
        console.print(trend.nothing())


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
    figures = (balance(row["before"]), balance(row["after"]), p_value(row["p_corrected"]), row["month"] or "")
    return [Text(names(row["speaker"], row["target"])), *(Text(one, style=style) for one in figures)]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows with values that JSON knows; None for NaN."""
    return [
        {str(name): None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
