"""An archive of reports: read one at a time, as often as it takes, and never held in memory as a whole."""

import datetime
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.article.text.copies import Outline, find_copies, outline
from serving.article.text.dates import AmbiguousDateError, Order
from serving.article.text.files import STANDARD_INPUT, find_files
from serving.article.text.reports import Report, is_table, read_report, rows_of_table
from serving.errors import StancewiseError

_MOST_NAMES = 10  # in a note


@dataclass(frozen=True, slots=True)
class Listed:
    """A report without its text."""

    name: str
    date: datetime.date | None
    source: str | None
    digest: bytes  # of the text as it is read
    file: Path
    copy_of: str | None = None  # name of the report that counts in its place

    @property
    def counts(self) -> bool:
        """Whether a trend counts it."""
        return self.date is not None and self.copy_of is None


class Archive:
    """The reports of files, folders and tables, each file once."""

    def __init__(self, paths: Sequence[Path], pages: bool = False, order: Order | None = None) -> None:
        """Find the files; none is read yet.

        Args:
            paths: files, folders, tables or `-`.
            pages: take the main text out of HTML.
            order: how 03/04/2026 is read.
        """
        self.pages, self.order = pages, order
        self.problems: list[str] = []  # what could not be read, with its place
        self._once: dict[Path, Report] = {}  # what cannot be read a second time
        files: dict[Path, None] = {}
        for path in paths:
            try:
                files |= dict.fromkeys([path] if is_table(path) else find_files(path, pages))
            except StancewiseError as error:
                self.problems.append(str(error))
        self.files = list(files)

    def survey(self, copies: bool = False, on_file: Callable[[], None] = lambda: None) -> list[Listed]:
        """Read everything once, and say which reports there are and which of them are copies.

        Files and rows that cannot be read are in `problems` afterwards. Of a table that would be misread no row counts.

        Args:
            copies: copies count, too.
            on_file: called after each file.

        Raises:
            AmbiguousDateError: a date could be two days.
        """
        found: list[Listed] = []
        outlines: list[Outline] = []
        for file in self.files:
            reports, of_texts, problems = [], [], []
            try:
                for one in self._read(file):
                    if isinstance(one, StancewiseError):
                        problems.append(str(one))
                        continue
                    reports.append(Listed(one.name, one.date, one.source, digest_of(one.text), file))
                    of_texts.append(outline(one.text))
            except AmbiguousDateError:
                raise
            except StancewiseError as error:
                reports, of_texts, problems = [], [], [str(error)]
            found += reports
            outlines += of_texts
            self.problems += problems
            on_file()
        if copies:
            return found
        copied = find_copies(outlines, [one.date for one in found])
        return [
            Listed(one.name, one.date, one.source, one.digest, one.file, found[copied[place]].name)
            if place in copied
            else one
            for place, one in enumerate(found)
        ]

    def reports(self, digests: Collection[bytes], files: Collection[Path]) -> Iterator[Report]:
        """Read the texts of these digests, each once, out of these files."""
        missing = set(digests)
        for file in (one for one in self.files if one in files):
            try:
                for one in self._read(file):
                    if isinstance(one, Report) and (digest := digest_of(one.text)) in missing:
                        missing.remove(digest)
                        yield one
            except StancewiseError:  # it is another file by now
                continue

    def _read(self, file: Path) -> Iterator[Report | StancewiseError]:
        if is_table(file):
            yield from rows_of_table(file, self.order)
        elif file in self._once:
            yield self._once[file]
        else:
            report = read_report(file, self.pages, self.order)
            if file == STANDARD_INPUT or not file.is_file():
                self._once[file] = report
            yield report


def digest_of(text: str) -> bytes:
    """16 bytes that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def notes(listed: Sequence[Listed]) -> list[str]:
    """What to say of the reports that do not count."""
    said = []
    copied = [f"{one.name} of {one.copy_of}" for one in listed if one.copy_of is not None]
    if copied:
        what = "reports whose text is a copy of another one, or nearly one, counted once"
        said.append(f"{what}: {len(copied):,} ({_some(copied)}; --copies counts them all)")
    undated = [one.name for one in listed if one.date is None and one.copy_of is None]
    if undated:
        said.append(f"reports without a date, left out: {len(undated):,} ({_some(undated)})")
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more
