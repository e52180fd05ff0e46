"""Markdown, and the few figures that every table needs."""

from collections.abc import Sequence
from statistics import median


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; a row that is too short ends in empty cells."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    lines += ["| " + " | ".join([*row, *[""] * (len(header) - len(row))]) + " |" for row in rows]
    return "\n".join(lines)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Median over rounds of one side divided by the other, with its smallest and largest."""
    if not ours or not theirs:
        return "–"
    rounds = [a / b for a, b in zip(ours, theirs, strict=False) if b]
    if not rounds:
        return "–"
    return f"{median(rounds):.2f} ({min(rounds):.2f}–{max(rounds):.2f})"


def middle(values: Sequence[float], digits: int = 1) -> str:
    """The median, for a cell."""
    return f"{median(values):,.{digits}f}" if values else "–"


def cell(reason: object) -> str:
    """Why there are no figures, in one line that cannot break the table."""
    return " ".join(str(reason).split()).replace("|", "/")[:160]
