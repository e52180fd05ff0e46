"""Is a corpus fit to train and measure on? Every problem at once, as file:line."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from serving.errors import StancewiseError, describe
from serving.inputs import find_mention
from serving.labels import HEADS
from serving.tables import read_rows
from training.data.corpus import LabelledStatement
from training.data.similar import NEAR_DUPLICATE, similar_texts

LONGEST_TEXT = 2000  # characters; a statement is a sentence or a few, a report has many statements
LEAST_SHARE = 0.05  # of a split's labelled rows that each label needs
MOST_SHARE = 0.95


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong, and where."""

    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


@dataclass(frozen=True)
class Placed:
    """A row and the place it stands in."""

    path: Path
    line: int
    row: LabelledStatement

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def corpus_files(path: Path) -> list[Path]:
    """The files of a corpus: the file itself, or every .jsonl file of a folder (one a split).

    Raises:
        StancewiseError: there is none.
    """
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise StancewiseError(f"{path}: no such file, or a folder without .jsonl files")
    return files


def check(paths: list[Path], least_share: float = LEAST_SHARE, most_share: float = MOST_SHARE) -> list[Problem]:
    """All problems of the files, taken as the splits of one corpus, in order of place."""
    problems: list[Problem] = []
    placed: list[Placed] = []
    for path in paths:
        for item in _read(path):
            (placed if isinstance(item, Placed) else problems).append(item)  # type: ignore[arg-type]
    for item in placed:
        problems += [Problem(item.path, item.line, message) for message in _row_problems(item.row)]
    problems += _repeated_ids(placed)
    problems += _repeated_statements(placed)
    problems += _leaked_groups(placed)
    problems += _near_duplicates(placed)
    for path in paths:
        problems += _balance(path, [item.row for item in placed if item.path == path], least_share, most_share)
    return sorted(problems)


def _read(path: Path) -> Iterator[Placed | Problem]:
    head = path.read_bytes()[:3]
    if head == b"\xef\xbb\xbf":
        yield Problem(path, 1, "starts with a byte order mark; save as UTF-8 without it")
    empty = True
    for row in read_rows(path):
        empty = False
        if row.problem:
            yield Problem(path, row.line, row.problem)
            continue
        try:
            yield Placed(path, row.line, LabelledStatement.model_validate(row.values))
        except ValidationError as error:
            yield Problem(path, row.line, describe(error))
    if empty:
        yield Problem(path, 1, "no statements in it")


def _row_problems(row: LabelledStatement) -> Iterator[str]:
    if not row.text.strip():
        yield "text: empty"
    if len(row.text) > LONGEST_TEXT:
        yield f"text: {len(row.text):,} characters, at most {LONGEST_TEXT:,}; cut it into statements"
    odd = sorted({c for c in row.text if c == "\ufffd" or (unicodedata.category(c) == "Cc" and c not in "\t\n")})
    if odd:
        yield f"text: {', '.join(f'U+{ord(c):04X}' for c in odd)} in it; the file was decoded wrongly or cut"
    if row.stance is None and row.sentiment is None:
        yield "stance and sentiment are both missing; the row would teach and measure nothing"
    for name in ("speaker", "target"):
        start, end, mention = getattr(row, f"{name}_start"), getattr(row, f"{name}_end"), getattr(row, name)
        if start is None and end is None:
            continue
        if start is None or end is None or mention is None:
            yield f"{name}: give {name}, {name}_start and {name}_end, or no offsets"
        elif not start < end <= len(row.text):
            yield f"{name}: offsets {start}:{end} are outside the text of {len(row.text)} characters"
        elif find_mention(row.text[start:end], mention) != (0, end - start):
            yield f"{name}: the text at {start}:{end} is not the {name} named"


def _repeated_ids(placed: list[Placed]) -> Iterator[Problem]:
    seen: dict[str, Placed] = {}
    for item in placed:
        first = seen.setdefault(item.row.id, item)
        if first is not item:
            yield Problem(item.path, item.line, f"id: {item.row.id!r} stands at {first} already")


def _repeated_statements(placed: list[Placed]) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], Placed] = {}
    for item in placed:
        row = item.row
        key = tuple(" ".join((part or "").casefold().split()) for part in (row.text, row.speaker, row.target))
        first = seen.setdefault(key, item)
        if first is item:
            continue
        differing = [head for head in HEADS if _contradict(getattr(first.row, head), getattr(row, head))]
        if differing:
            yield Problem(item.path, item.line, f"{' and '.join(differing)}: contradicts the same statement at {first}")
        else:
            yield Problem(item.path, item.line, f"repeats the statement at {first}")


def _contradict(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and a != b


def _leaked_groups(placed: list[Placed]) -> Iterator[Problem]:
    seen: dict[str, Placed] = {}
    for item in placed:
        if item.row.group is None:
            continue
        first = seen.setdefault(item.row.group, item)
        if first.path != item.path:
            yield Problem(item.path, item.line, f"group: {item.row.group!r} is also in another split, at {first}")


def _near_duplicates(placed: list[Placed]) -> Iterator[Problem]:
    """Texts too alike that stand in different splits, or in one split under different groups."""
    by_text: dict[str, list[Placed]] = defaultdict(list)
    for item in placed:
        by_text[item.row.text].append(item)
    for same in by_text.values():
        for item in same[1:]:
            if _apart(same[0], item):
                yield Problem(item.path, item.line, f"text: the same as at {same[0]}, {_remedy(same[0], item)}")
    texts = [items[0] for items in by_text.values()]
    for i, j, share in similar_texts([item.row.text for item in texts], NEAR_DUPLICATE):
        if _apart(texts[i], texts[j]):
            message = f"text: {share:.0%} alike with {texts[i]}, {_remedy(texts[i], texts[j])}"
            yield Problem(texts[j].path, texts[j].line, message)


def _apart(a: Placed, b: Placed) -> bool:
    return a.path != b.path or a.row.group != b.row.group


def _remedy(a: Placed, b: Placed) -> str:
    return "give both one group" if a.path == b.path else "which is in another split: keep both in one"


def _balance(path: Path, rows: list[LabelledStatement], least: float, most: float) -> Iterator[Problem]:
    for head, labels in HEADS.items():
        given = [getattr(row, head) for row in rows if getattr(row, head)]
        for label in labels if given else ():
            share = given.count(label) / len(given)
            if not least <= share <= most:
                wanted = f"{least:.0%} to {most:.0%} wanted"
                yield Problem(path, 1, f"{head}: {share:.1%} of {len(given)} rows are {label}, {wanted}")
