"""Labelled articles as files: a row a statement, or a row a holder-target pair, or one HTML page."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Literal

from serving.article.output.summary import Evidence, summarise
from serving.article.statements import Article, Span
from serving.errors import StancewiseError
from serving.explain import Explanation
from serving.labels import HEADS
from serving.statement import Prediction
from serving.tables import whole

Format = Literal["table", "jsonl", "csv", "html"]
EXTENSIONS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".html": "html", ".txt": "table"}

STATEMENT_COLUMNS = (
    *("article", "kind", "speaker", "speaker_start", "speaker_end", "cue", "cue_start", "cue_end"),
    *("target", "target_start", "target_end", "content", "sentence", "sentence_start", "sentence_end"),
    *Prediction.COLUMNS,
    "sureness",
)
PAIR_COLUMNS = (
    *("speaker", "target", "statements", *HEADS["stance"], *HEADS["sentiment"], "abstained"),
    *("stance", "probability", "evidence"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would calculate what begins so


def chosen_format(format: Format | None, output: Path | None) -> Format:
    """The format asked for, else that of the output's extension, else a table.

    Raises:
        StancewiseError: the extension says nothing, or the output's folder does not exist.
    """
    if output and not output.parent.is_dir():
        raise StancewiseError(f"{output}: the folder {output.parent} does not exist")
    if format or not output:
        return format or "table"
    if output.suffix.lower() not in EXTENSIONS:
        known = ", ".join(EXTENSIONS)
        raise StancewiseError(f"{output}: unknown extension {output.suffix!r}; use one of {known}, or give --format")
    return EXTENSIONS[output.suffix.lower()]


def json_lines(articles: Sequence[Article], summary: bool = False) -> str:
    """A JSON object a line for each statement, or for each holder-target pair."""
    rows = pair_rows(articles) if summary else statement_rows(articles)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def csv_table(articles: Sequence[Article], summary: bool = False) -> str:
    """The same rows as CSV, what is nested as JSON; an apostrophe stands before what would be a formula."""
    columns = PAIR_COLUMNS if summary else STATEMENT_COLUMNS
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in pair_rows(articles) if summary else statement_rows(articles):
        writer.writerow([csv_cell(row[column]) for column in columns])
    return out.getvalue()


def csv_cell(value: Any) -> Any:
    """A value as CSV has it: what is nested as JSON, and nothing that a spreadsheet would run."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def statement_rows(articles: Iterable[Article]) -> Iterator[dict[str, Any]]:
    """The statements as flat rows, columns `STATEMENT_COLUMNS` (and `explanation` where there is one).

    Offsets are characters into the article's text; they are None where the text does not name the holder or has no cue.
    """
    for article in articles:
        for one in article.statements:
            row = {
                "article": article.name,
                "kind": one.kind,
                "speaker": one.speaker,
                **_place("speaker", one.speaker_mention),
                "cue": one.cue.text if one.cue else None,
                **_place("cue", one.cue),
                "target": one.target,
                **_place("target", one.target_mention),
                "content": [[span.start, span.end] for span in one.content],
                "sentence": one.sentence.text,
                **_place("sentence", one.sentence),
                **Prediction(stance=one.stance, sentiment=one.sentiment, language=one.language).row(),
                "sureness": one.sureness,
            }
            yield row | ({"explanation": _explanation(one.explanation, one.sentence)} if one.explanation else {})


def _explanation(explanation: Explanation, sentence: Span) -> dict[str, Any]:
    """With offsets into the article instead of the sentence."""
    at = sentence.start
    words = [{**word.model_dump(), "start": at + word.start, "end": at + word.end} for word in explanation.words]
    return {**explanation.model_dump(), "words": words}


def _place(name: str, span: Span | None) -> dict[str, int | None]:
    return {f"{name}_start": span.start if span else None, f"{name}_end": span.end if span else None}


def pair_rows(articles: Sequence[Article]) -> Iterator[dict[str, Any]]:
    """The holder-target pairs of all articles as rows, columns `PAIR_COLUMNS`; counts leave out where it abstains."""
    for pair in summarise(articles):
        yield {
            "speaker": pair.speaker,
            "target": pair.target,
            "statements": len(pair.evidence),
            **{label: pair.stances.get(label, 0) for label in HEADS["stance"]},
            **{label: pair.sentiments.get(label, 0) for label in HEADS["sentiment"]},
            "abstained": pair.abstained,
            "stance": pair.stance,
            "probability": pair.probability,
            "evidence": [_evidence(articles, one) for one in pair.evidence],
        }


def _evidence(articles: Sequence[Article], place: Evidence) -> dict[str, Any]:
    article = articles[place.article]
    one = article.statements[place.statement]
    return {
        "article": article.name,
        "sentence": one.sentence.text,
        **_place("sentence", one.sentence),
        "stance": one.stance.label if one.stance else None,
        "probability": one.stance.probability if one.stance else None,
        "abstained": one.abstained,
    }


def write(text: str, output: Path | None) -> None:
    """Write a file whole or not at all; None: standard output.

    Raises:
        StancewiseError: the file cannot be written.
    """
    # A file's name may hold bytes that are no text.
    if output is None:
        with open(1, "w", encoding="utf-8", newline="", errors="backslashreplace", closefd=False) as out:
            out.write(text)
        return
    try:
        with whole(output) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="", errors="backslashreplace")
    except OSError as error:
        raise StancewiseError(f"{output}: cannot be written ({error.strerror})") from None
