"""A comparison for the terminal and as one HTML file that needs nothing beside it."""

from io import StringIO
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.tables import whole
from training.evaluation import plots
from training.evaluation.compare import COSTS, Comparison, Side, differing_params
from training.evaluation.metrics import Metric

MOST_FLIPS = 200  # rows listed in the report


def show(comparisons: list[Comparison], sides: list[Side], console: Console) -> None:
    """Print verdicts, differences, agreement and costs."""
    console.print(_runs(sides))
    for one in comparisons:
        console.print(_differences(one))
        table = one.agreement
        console.print(
            f"rows right by both {table.both}, by {escape(one.first.name)} alone {table.first_only}, "
            f"by {escape(one.second.name)} alone {table.second_only}, by neither {table.neither} "
            f"(McNemar p {p_value(table.p)}); answered differently {len(one.flips)}",
            soft_wrap=True,
        )
        console.print(f"[bold]{escape(one.verdict)}[/]\n", soft_wrap=True)


def _runs(sides: list[Side]) -> Table:
    table = Table(title=f"{len(sides[0].tables[0]):,} rows of {sides[0].part}", title_justify="left")
    table.add_column("")
    for side in sides:
        table.add_column(escape(side.name), justify="right")
    table.add_row("run", *(side.run_id[:8] for side in sides))
    table.add_row("seeds", *(str(len(side.runs)) for side in sides))
    for name, title in COSTS.items():
        table.add_row(title, *(cost(side, name) for side in sides))
    for name, values in differing_params(sides).items():
        table.add_row(name, *map(escape, values))
    return table


def _differences(one: Comparison) -> Table:
    title = f"{one.head}: macro-F1 in percent, p {p_value(one.p)}"
    if one.adjusted_p != one.p:
        title += f", {p_value(one.adjusted_p)} by Holm"
    table = Table(title=title, title_justify="left")
    for name in ("", "rows", one.first.name, one.second.name, "difference [95 %]"):
        table.add_column(escape(name), justify="left" if not name else "right")
    whole = (f"{100 * one.first_f1.value:.1f}", f"{100 * one.second_f1.value:.1f}", points(one.difference))
    table.add_row("all", str(len(one.labels)), *whole)
    for row in one.slices:
        table.add_row(
            escape(row.name), str(row.rows), f"{100 * row.first:.1f}", f"{100 * row.second:.1f}", points(row.difference)
        )
    return table


def points(metric: Metric) -> str:
    """A difference in points with its interval, signs shown."""
    return f"{100 * metric.value:+.1f} [{100 * metric.low:+.1f}, {100 * metric.high:+.1f}]"


def p_value(p: float) -> str:
    """Three places, and no more promise than the rounds allow."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def cost(side: Side, name: str) -> str:
    """One cost of a side, with as many places as matter."""
    value = side.costs.get(name)
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def html(comparisons: list[Comparison], sides: list[Side]) -> str:
    """The report as HTML; every text from the data is escaped."""
    environment = Environment(
        loader=PackageLoader("training.evaluation"), autoescape=select_autoescape(), trim_blocks=True
    )
    environment.filters |= {"points": points, "p": p_value}
    template = environment.get_template("compare_report.html")
    return template.render(
        sides=sides,
        comparisons=[(one, _plot(one), one.flips.head(MOST_FLIPS)) for one in comparisons],
        costs={title: [cost(side, name) for side in sides] for name, title in COSTS.items()},
        params=differing_params(sides),
        most=MOST_FLIPS,
    )


def write(report: str, path: Path) -> None:
    """Write the report, whole or not at all.

    Raises:
        StancewiseError: the folder does not exist.
    """
    with whole(path) as temporary:
        temporary.write_text(report, encoding="utf-8")


def _plot(one: Comparison) -> Markup:
    figure = plots.differences([("all", one.difference), *((row.name, row.difference) for row in one.slices)])
    drawn = StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    # Matplotlib writes names as outlines or escaped text: nothing in it can become markup.
    return Markup(drawn.getvalue()[drawn.getvalue().index("<svg") :])  # noqa: S704
