"""The `article` command: files in; their statements, labelled, out."""

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from serving.article import output, source, table
from serving.article.output import Format
from serving.article.statements import Article
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.terminal import printable

_FILE_WIDTH = 120  # columns of a table that is written to a file


def read_files(paths: Sequence[Path], pages: bool, errors: Console) -> tuple[list[tuple[Path, str]], int]:
    """The texts of files and folders, each once, and how many could not be read: these are named on `errors`.

    Args:
        paths: files, folders or `-`.
        pages: take the main text out of HTML.
        errors: where to.
    """
    texts: dict[Path, str] = {}
    bad = 0
    for path in dict.fromkeys(paths):
        try:
            files = source.find_files(path, pages)
        except StancewiseError as error:
            bad += 1
            _complain(error, errors)
            continue
        for file in files:
            try:
                texts[file] = texts[file] if file in texts else source.read_text(file, pages)
            except StancewiseError as error:
                bad += 1
                _complain(error, errors)
    return list(texts.items()), bad


def label_texts(
    classifier: StanceClassifier,
    texts: Sequence[tuple[Path, str]],
    targets: dict[str, list[str]],
    explain: bool,
    errors: Console,
) -> list[Article]:
    """The articles with their statements; progress and notes go to `errors`."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    articles = []
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("")
        for number, (path, text) in enumerate(texts, 1):
            place = f" {number} of {len(texts)}" if len(texts) > 1 else ""

            def show(stage: str, done: int, total: int, place: str = place) -> None:
                bar.update(task, description=f"{stage}{place}", completed=done, total=total)

            articles.append(classifier.read_article(text, targets, str(path), explain, show))
    tell_notes(articles, errors)
    return articles


def write(articles: Sequence[Article], format: Format, summary: bool, path: Path | None) -> None:
    """Write the articles in a format; path None: to standard output.

    Raises:
        StancewiseError: the file cannot be written.
    """
    if format == "jsonl":
        output.write(output.json_lines(articles, summary), path)
    elif format == "csv":
        output.write(output.csv_table(articles, summary), path)
    elif format == "html":
        from serving.article.page import render

        output.write(render(articles), path)
    elif path is None:
        table.show(articles, Console(), summary)
    else:
        text = StringIO()
        table.show(articles, Console(file=text, width=_FILE_WIDTH), summary)
        output.write(text.getvalue(), path)


def parse_targets(given: Sequence[str]) -> dict[str, list[str]]:
    """Targets as they are given on the command line, NAME or NAME=ALIAS,ALIAS; name -> aliases.

    Raises:
        StancewiseError: a name or an alias is blank.
    """
    targets: dict[str, list[str]] = {}
    for one in given:
        name, equals, aliases = one.partition("=")
        names = [name.strip(), *(alias.strip() for alias in aliases.split(",") if equals)]
        if not all(names):
            raise StancewiseError("--target: a name is blank; write NAME, or NAME=ALIAS,ALIAS")
        targets.setdefault(names[0], []).extend(names[1:])
    return targets


def _complain(error: StancewiseError, errors: Console) -> None:
    errors.print(f"[bold red]error:[/] {escape(printable(str(error)))}", soft_wrap=True)


def tell_notes(articles: Sequence[Article], errors: Console) -> None:
    """Each note once, with the articles that have it."""
    by: dict[str, list[str]] = {}
    for article in articles:
        for note in article.notes:
            by.setdefault(note, []).append(article.name or "article")
    for note, names in by.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        errors.print(f"[bold yellow]note:[/] {escape(printable(f'{names[0]}{more}: {note}'))}", soft_wrap=True)
