"""The data of one experiment: own files checked, sets read, leaks settled, sets joined into parts."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from serving.errors import StancewiseError
from training.config import Data, DataSet
from training.data.check import LEAST_SHARE, check_part, rare_labels
from training.data.corpus import Corpus, join
from training.data.corrections import correct, read_corrections
from training.data.leaks import find_leaks
from training.data.sources import read_set
from training.data.summary import summary

_SHOWN_PROBLEMS = 20

Sets = dict[str, list[Corpus]]  # part -> its sets


def read_data(data: Data, console: Console) -> dict[str, Corpus]:
    """Corpora by part: `train`, `validation`, and `test` or, where there are several, `test_<set>` for each.

    Says which rows leak, where `data.leaks` lets them pass, which labels are rare, and, when the data is more than
    files of our own format, what the sets hold.

    Raises:
        StancewiseError: a set or corrections that cannot be read, every problem of our own files, every leak.
    """
    wanted = {"train": data.train, "validation": data.validation}
    if data.test:
        several = len(data.test) > 1
        wanted |= {f"test_{one.name}" if several else "test": (one,) for one in data.test}
    found = [str(problem) for part, sets in wanted.items() for problem in check_part(_own_files(part, sets))]
    refuse(list(dict.fromkeys(found)))  # a file may stand in two parts
    parts = {part: [read_set(one) for one in sets] for part, sets in wanted.items()}
    if data.corrections:
        parts, changed = correct(parts, read_corrections(data.corrections))
        console.print(f"{data.corrections}: {changed:,} labels corrected", soft_wrap=True)
    parts = _without_leaks(parts, data, console)
    if any(one.source != "statements" for sets in wanted.values() for one in sets):
        console.print(summary(parts))
    joined = {part: join(sets) for part, sets in parts.items()}
    _warn_of_rare_labels(joined, console)
    return joined


def _own_files(part: str, sets: tuple[DataSet, ...]) -> list[Path]:
    paths = [one.path for one in sets if one.source == "statements" and one.path is not None]
    for path in paths:
        if not path.is_file():
            key = part.partition("_")[0]
            raise StancewiseError(f"data.{key}: {path}: no such file (paths start at the working folder)")
    return paths


def _without_leaks(parts: Sets, data: Data, console: Console) -> Sets:
    """Later parts stay whole: validation gives way to test, train to both."""
    held_out = [corpus for part, sets in parts.items() if part.startswith("test") for corpus in sets]
    kept: Sets = {}
    problems = []
    for part in ("validation", "train"):
        kept[part] = []
        for corpus in parts[part]:
            leaks = find_leaks(corpus, held_out)
            problems += [f"{corpus.place(i)}: {why}, which is in a later part" for i, why in leaks.items()]
            rest = corpus.keep(set(range(len(corpus.rows))) - leaks.keys()) if data.leaks == "drop" else corpus
            if leaks and data.leaks != "error":
                done = "left out" if data.leaks == "drop" else "kept, as data.leaks allows"
                found = f"{len(leaks):,} of {len(corpus.rows):,} rows share a story or a text with a later part"
                console.print(f"data.{part}: {corpus.name}: {found}: {done}", soft_wrap=True)
            if not rest.rows:
                every = "every row shares a story or a text with a later part"
                raise StancewiseError(f"data.{part}: {corpus.path}: {every}, none is left; give another file")
            kept[part].append(rest)
        held_out += kept[part]
    if data.leaks == "error":
        refuse(
            problems, "correct the files, or set data.leaks to drop (leave such rows out) or allow (only count them)"
        )
    return {**parts, **kept}


def _warn_of_rare_labels(parts: dict[str, Corpus], console: Console) -> None:
    rare = [f"{part} {label}" for part, corpus in parts.items() for label in rare_labels(corpus)]
    if rare:
        meaning = "the model may miss them, and their figures are uncertain"
        fix = "docs/train.md says when loss.class_weights=balanced helps"
        console.print(
            f"[yellow]labels under {LEAST_SHARE:.0%} of a part[/]: {escape(', '.join(rare))}: {meaning}; {fix}",
            soft_wrap=True,
        )


def refuse(problems: list[str], fix: str | None = None) -> None:
    """Raise StancewiseError that lists problems, the first of many, if there is one."""
    if problems:
        rest = len(problems) - _SHOWN_PROBLEMS
        more = [f"... and {rest:,} more"] if rest > 0 else []
        raise StancewiseError("\n".join(problems[:_SHOWN_PROBLEMS] + more + ([fix] if fix else [])))
