"""The data of one experiment: its sets read, checked against each other, joined into parts."""

from pathlib import Path

from rich.console import Console

from serving.errors import StancewiseError
from training.config import Data, DataSet
from training.data.check import check
from training.data.corpus import Corpus, join
from training.data.corrections import correct, read_corrections
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.data.summary import summary

_SHOWN_PROBLEMS = 20


def read_data(data: Data, console: Console) -> dict[str, Corpus]:
    """Corpora by part: `train`, `validation`, and `test` or, where there are several, `test_<set>` for each.

    Says what it found when the data is more than files of our own format, which have passed the full check.

    Raises:
        StancewiseError: a set or corrections that cannot be read, every problem of `training check`, leaks.
    """
    wanted = {"train": data.train, "validation": data.validation}
    if data.test:
        several = len(data.test) > 1
        wanted |= {f"test_{one.name}" if several else "test": (one,) for one in data.test}
    _check_statements(wanted)
    parts = {part: [read_set(one) for one in sets] for part, sets in wanted.items()}
    if data.corrections:
        parts, changed = correct(parts, read_corrections(data.corrections))
        console.print(f"{data.corrections}: {changed:,} labels corrected", soft_wrap=True)
    if any(one.source != "statements" for sets in wanted.values() for one in sets):
        parts = _without_leaks(parts, data, console)
        console.print(summary(parts))
    return {part: join(sets) for part, sets in parts.items()}


def _check_statements(wanted: dict[str, tuple[DataSet, ...]]) -> None:
    paths: list[Path] = []
    for part, sets in wanted.items():
        for one in sets:
            if one.source == "statements" and one.path is not None:
                if not one.path.is_file():
                    key = part.partition("_")[0]
                    raise StancewiseError(f"data.{key}: {one.path}: no such file (paths start at the working folder)")
                paths.append(one.path)
    _raise([str(problem) for problem in check(paths)])


def _without_leaks(parts: dict[str, list[Corpus]], data: Data, console: Console) -> dict[str, list[Corpus]]:
    """Later parts stay whole: validation gives way to test, train to both."""
    held_out = [corpus for part, sets in parts.items() if part.startswith("test") for corpus in sets]
    for part in ("validation", "train"):
        kept = []
        for corpus in parts[part]:
            leaks = find_leaks(corpus, held_out)
            kept.append(corpus)
            if not leaks:
                continue
            if data.leaks == "error":
                fix = "mend the file, or set data.leaks to drop (leave such rows out) or allow (only count them)"
                _raise([f"{corpus.place(i)}: {why}" for i, why in leaks.items()], fix)
            found = f"data.{part}: {corpus.name}: {len(leaks):,} of {len(corpus.rows):,} rows share a story or a text"
            if data.leaks == "drop":
                kept[-1] = corpus.keep(set(range(len(corpus.rows))) - leaks.keys())
                if not kept[-1].rows:
                    raise StancewiseError(f"{found} with a later part; none is left")
            done = "left out" if data.leaks == "drop" else "kept, as data.leaks allows"
            console.print(f"{found} with a later part: {done}", soft_wrap=True)
        parts = {**parts, part: kept}
        held_out += kept
    return parts


def _raise(problems: list[str], fix: str | None = None) -> None:
    if problems:
        rest = len(problems) - _SHOWN_PROBLEMS
        more = [f"... and {rest} more"] if rest > 0 else []
        raise StancewiseError("\n".join(problems[:_SHOWN_PROBLEMS] + more + ([fix] if fix else [])))
