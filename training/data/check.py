"""Is a corpus fit to train and measure on? Every problem at once, as file:line."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from serving.article.text.copies import NEAR_DUPLICATE
from serving.errors import StancewiseError, describe
from serving.labels import HEADS
from serving.rows.check import values_of
from serving.rows.read import read_rows
from training.data.corpus import Corpus, LabelledStatement
from training.data.leaks import find_leaks
from training.data.similar import similar_texts

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
    files, problems = _read_all(paths)
    problems += [*_repeated_ids(files), *_repeated_statements(files)]
    for i, file in enumerate(files):
        problems += _scattered([file])
        for row, why in find_leaks(file, files[:i]).items():
            problems.append(_problem(file, row, f"{why}, which is in another split: keep both in one split"))
        problems += _balance(file, least_share, most_share)
    return sorted(problems)


def check_part(paths: list[Path]) -> list[Problem]:
    """What is wrong inside one part of an experiment, whatever the labels' shares, in order of place."""
    files, problems = _read_all(paths)
    return sorted([*problems, *_repeated_ids(files), *_repeated_statements(files), *_scattered(files)])


def check_rows(corpus: Corpus) -> list[Problem]:
    """What is wrong with rows that were read already: odd texts, ids and statements that stand there twice."""
    problems = [_problem(corpus, i, message) for i, row in enumerate(corpus.rows) for message in _row_problems(row)]
    return sorted([*problems, *_repeated_ids([corpus]), *_repeated_statements([corpus])])


def rare_labels(corpus: Corpus, least_share: float = LEAST_SHARE) -> list[str]:
    """The labels with a smaller share of their head's labelled rows, each with its share and numbers."""
    return [
        f"{head} {label} {rows / of:.1%} ({rows:,} of {of:,})"
        for head, label, rows, of in _counts(corpus)
        if rows / of < least_share
    ]


def _read_all(paths: list[Path]) -> tuple[list[Corpus], list[Problem]]:
    """The rows that can be read, and what is wrong with rows by themselves."""
    files, problems = [], []
    for path in paths:
        file, found = _read(path)
        files.append(file)
        problems += found
        problems += [_problem(file, i, message) for i, row in enumerate(file.rows) for message in _row_problems(row)]
    return files, problems


def _read(path: Path) -> tuple[Corpus, list[Problem]]:
    file, problems = Corpus(path, []), []
    for row in read_rows(path):
        if row.problem:
            problems.append(Problem(path, row.line, row.problem))
            continue
        try:
            file.rows.append(LabelledStatement.model_validate(values_of(row, row.values)))
            file.lines.append(row.line)
        except ValidationError as error:
            problems.append(Problem(path, row.line, describe(error)))
    if not file.rows and not problems:
        problems.append(Problem(path, 1, "no statements in it"))
    return file, problems


def _problem(file: Corpus, row: int, message: str) -> Problem:
    return Problem(file.path, file.lines[row], message)


def _placed(files: list[Corpus]) -> Iterator[tuple[Corpus, int, LabelledStatement]]:
    for file in files:
        for i, row in enumerate(file.rows):
            yield file, i, row


def _row_problems(row: LabelledStatement) -> Iterator[str]:
    if len(row.text) > LONGEST_TEXT:
        yield f"text: {len(row.text):,} characters, at most {LONGEST_TEXT:,}; cut it into statements"
    odd = sorted({c for c in row.text if c == "\ufffd" or (unicodedata.category(c) == "Cc" and c not in "\t\n")})
    if odd:
        yield f"text: {', '.join(f'U+{ord(c):04X}' for c in odd)} in it; the file was decoded wrongly or cut"
    if row.stance is None and row.sentiment is None:
        yield "stance and sentiment are both missing; the row would teach and measure nothing; label it or delete it"


def _repeated_ids(files: list[Corpus]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for file, i, row in _placed(files):
        if row.id in seen:
            yield _problem(file, i, f"id: {row.id!r} stands at {seen[row.id]} already; give one of them another")
        seen.setdefault(row.id, file.place(i))


def _repeated_statements(files: list[Corpus]) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], tuple[LabelledStatement, str]] = {}
    for file, i, row in _placed(files):
        key = tuple(" ".join((part or "").casefold().split()) for part in (row.text, row.speaker, row.target))
        if key not in seen:
            seen[key] = row, file.place(i)
            continue
        first, place = seen[key]
        differing = [head for head in HEADS if _contradict(getattr(first, head), getattr(row, head))]
        if differing:
            heads = " and ".join(differing)
            fix = "mend one label or delete a row"
            yield _problem(file, i, f"{heads}: contradicts the same statement at {place}; {fix}")
        else:
            yield _problem(file, i, f"repeats the statement at {place}; delete one")


def _contradict(a: str | None, b: str | None) -> bool:
    return a is not None and b is not None and a != b


def _scattered(files: list[Corpus]) -> Iterator[Problem]:
    """Texts too alike inside one split that are given different groups."""
    first: dict[str, tuple[Corpus, int, LabelledStatement]] = {}
    fix = "give both the same group"
    for file, i, row in _placed(files):
        other, j, one = first.setdefault(row.text, (file, i, row))
        if one.group != row.group:
            yield _problem(file, i, f"text: the same as at {other.place(j)}, {fix}")
    texts = list(first)
    for left, right, share in similar_texts(texts, NEAR_DUPLICATE):
        (other, j, one), (file, i, row) = first[texts[left]], first[texts[right]]
        if one.group != row.group:
            yield _problem(file, i, f"text: {share:.0%} alike with {other.place(j)}, {fix}")


def _balance(file: Corpus, least: float, most: float) -> Iterator[Problem]:
    for head, label, rows, of in _counts(file):
        if not least <= rows / of <= most:
            wanted = f"{least:.0%} to {most:.0%} wanted"
            yield Problem(file.path, 1, f"{head}: {rows / of:.1%} of {of} rows are {label}, {wanted}")


def _counts(corpus: Corpus) -> Iterator[tuple[str, str, int, int]]:
    """Head, label, rows with this label, rows with any label of the head; no head that nobody labelled."""
    for head, labels in HEADS.items():
        given = Counter(label for row in corpus.rows if (label := getattr(row, head)))
        for label in labels if given else ():
            yield head, label, given[label], given.total()
