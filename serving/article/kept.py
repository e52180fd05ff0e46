"""Labelled reports in a folder: the statements of every text, and a list of the reports that there are now.

Statements stand under the digest of their text. So a report that is renamed, dated anew or printed twice is not
labelled again, and one that is gone does not count, whatever the folder holds of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from serving.article.statements import Article, ArticleStatement, Span
from serving.article.text.archive import Listed
from serving.article.text.reports import Report
from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.language.detect import UNKNOWN
from serving.statement import HeadPrediction
from serving.tables import as_text, whole

STATEMENTS, REPORTS_FILE = "statements", "reports.parquet"

_SPAN = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("text", pa.string())])
_MENTIONS = ("speaker_mention", "cue", "target_mention")

# A text without statements has one row without holder and target.
SCHEMA = pa.schema([
    ("digest", pa.binary()),
    ("notes", pa.list_(pa.string())),
    *((name, pa.string()) for name in ("speaker", "target", "kind")),
    *(("sentence", pa.string()), ("sentence_start", pa.int64()), ("sentence_end", pa.int64())),
    *((name, _SPAN) for name in _MENTIONS),
    ("content", pa.list_(_SPAN)),
    *(
        field
        for head, labels in HEADS.items()
        for field in (
            (head, pa.string()),
            (f"{head}_probabilities", pa.struct([(label, pa.float64()) for label in labels])),
            (f"{head}_abstained", pa.bool_()),
        )
    ),
    *(("language", pa.string()), ("foreign", pa.bool_()), ("sureness", pa.float64()), ("sure", pa.bool_())),
])  # fmt: skip
_REPORTS = pa.schema([
    *(("report", pa.string()), ("date", pa.date32()), ("source", pa.string())),
    *(("copy_of", pa.string()), ("digest", pa.binary())),
])  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """The reports of a folder that count, each with its article, read from it whenever they are asked for.

    Neither text is kept: both are empty. Offsets are those of the text as it was.
    """

    folder: Path
    sure: bool = False  # only statements that are sure

    def __iter__(self) -> Iterator[tuple[Report, Article]]:
        """Report after report; in memory is one file of statements.

        Raises:
            StancewiseError: a file of the folder is damaged.
        """
        named = self._reports()
        for part in parts(self.folder):
            for digest, rows in groupby(read_table(part).to_pylist(), lambda row: row["digest"]):
                if digest in named:
                    article = _article(list(rows), self.sure)
                    for report in named[digest]:
                        yield report, article.model_copy(update={"name": report.name})

    def counts(self) -> tuple[int, int]:
        """How many articles and statements these are.

        Raises:
            StancewiseError: a file of the folder is damaged.
        """
        named = self._reports()
        articles = statements = 0
        for part in parts(self.folder):
            rows = read_table(part, ["digest", "target", "sure"])
            shown = (row for row in rows.to_pylist() if row["target"] is not None and (row["sure"] or not self.sure))
            of_texts = Counter(row["digest"] for row in shown)
            for digest in set(rows["digest"].to_pylist()) & named.keys():
                articles += len(named[digest])
                statements += len(named[digest]) * of_texts[digest]
        return articles, statements

    def _reports(self) -> dict[bytes, list[Report]]:
        """Those that count, by digest."""
        named: dict[bytes, list[Report]] = defaultdict(list)
        for row in read_table(self.folder / REPORTS_FILE).to_pylist():
            if row["date"] and row["copy_of"] is None:
                named[row["digest"]].append(Report(row["report"], "", row["date"], row["source"]))
        return named


def rows_of(digest: bytes, article: Article) -> list[dict[str, Any]]:
    """A text's statements as rows of SCHEMA."""
    rows = [{"digest": digest, "notes": article.notes, **_row(one)} for one in article.statements]
    return rows or [{"digest": digest, "notes": article.notes}]


def parts(folder: Path) -> list[Path]:
    """The files of statements, in the order in which they were written."""
    return sorted((folder / STATEMENTS).glob("part-*.parquet"))


def write_part(folder: Path, table: pa.Table) -> None:
    """Add a file of statements, whole or not at all."""
    (folder / STATEMENTS).mkdir(exist_ok=True)
    number = max((int(one.stem.removeprefix("part-")) for one in parts(folder)), default=-1) + 1
    with whole(folder / STATEMENTS / f"part-{number:06}.parquet") as temporary:
        pq.write_table(table, temporary)


def write_reports(folder: Path, listed: Sequence[Listed]) -> None:
    """Write the list of the reports that there are now, those that do not count too."""
    rows = [
        {
            "report": as_text(one.name),
            "date": one.date,
            "source": as_text(one.source),
            "copy_of": as_text(one.copy_of),
            "digest": one.digest,
        }
        for one in listed
    ]
    with whole(folder / REPORTS_FILE) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, _REPORTS), temporary)


def read_digests(folder: Path) -> set[bytes]:
    """The texts whose statements the folder holds.

    Raises:
        StancewiseError: a file of the folder is damaged.
    """
    return {one for part in parts(folder) for one in read_table(part, ["digest"])["digest"].to_pylist()}


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A Parquet file of the folder.

    Raises:
        StancewiseError: it is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns)
    except (pa.ArrowException, OSError) as error:
        raise StancewiseError(f"{path}: cannot be read ({error}); remove it and run the same command again") from None


def _row(one: ArticleStatement) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(one, name) for name in ("speaker", "target", "kind", "language", "foreign")}
    row |= {"sureness": one.sureness, "sure": one.sure}
    row |= {"sentence": one.sentence.text, "sentence_start": one.sentence.start, "sentence_end": one.sentence.end}
    row |= {name: span.model_dump() if (span := getattr(one, name)) else None for name in _MENTIONS}
    row["content"] = [span.model_dump() for span in one.content]
    for head in HEADS:
        answer: HeadPrediction | None = getattr(one, head)
        if answer:
            row |= {head: answer.label, f"{head}_probabilities": answer.probabilities}
            row[f"{head}_abstained"] = answer.abstained
    return row


def _article(rows: Sequence[dict[str, Any]], sure: bool) -> Article:
    statements = [_statement(row) for row in rows if row["target"] is not None and (row["sure"] or not sure)]
    return Article(text="", language=UNKNOWN, statements=statements, notes=rows[0]["notes"])


def _statement(row: dict[str, Any]) -> ArticleStatement:
    heads = {
        head: HeadPrediction(
            label=row[head], probabilities=row[f"{head}_probabilities"], abstained=row[f"{head}_abstained"]
        )
        if row[head]
        else None
        for head in HEADS
    }
    names = ("speaker", "target", "kind", "language", "foreign", "sureness", "sure", "content", *_MENTIONS)
    sentence = Span(start=row["sentence_start"], end=row["sentence_end"], text=row["sentence"])
    abstained = any(answer.abstained for answer in heads.values() if answer)
    return ArticleStatement.model_validate(
        {name: row[name] for name in names} | heads | {"sentence": sentence, "abstained": abstained}
    )
