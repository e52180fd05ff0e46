"""The `article` command: files in; their statements, labelled, out."""

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from serving.article.output import rows, table
from serving.article.output.rows import Format, chosen_format
from serving.article.statements import Article
from serving.article.text.dates import AmbiguousDateError, Order
from serving.article.text.files import find_files, read_text
from serving.article.text.reports import Report, is_table, read_report, read_table, without_copies
from serving.classifier import StanceClassifier
from serving.cli import EXIT_BAD_ROWS, AnyLanguageOption, DeviceOption, ModelOption, RuntimeOption, complain, errors
from serving.errors import StancewiseError
from serving.terminal import printable

_FILE_WIDTH = 120  # columns of a table that is written to a file
_MOST_NAMES = 10  # of files in a note


def article(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER|-", help="Texts; of a folder all .txt and .md files; - is standard input."),
    ],
    model: ModelOption = "models:/stance@champion",
    format: Annotated[
        Format | None,
        typer.Option(
            help="How the statements are written (default: by the extension of --output, else table).",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file to write (default: standard output).")] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=ALIAS,ALIAS]",
            help="Only positions toward this target, with other names it has; repeat for more.",
        ),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Also say which words carried each stance (jsonl and html only).")
    ] = False,
    extract: Annotated[
        Literal["html"] | None,
        typer.Option(help="html: the files are HTML pages; take their main text.", show_default=False),
    ] = None,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary", help="One row for each pair of holder and target over all files, not one for each statement."
        ),
    ] = False,
    sure: Annotated[
        bool,
        typer.Option("--sure", help="Only positions that are sure: on validation, nine in ten were right."),
    ] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Also pairs that show no position, or too unsure a one.")
    ] = False,
    trend: Annotated[
        Literal["day", "week", "month"] | None,
        typer.Option(
            help="Who stood where in each day, week or month, and what changed; also of tables with one text a row.",
            show_default=False,
        ),
    ] = None,
    by_source: Annotated[bool, typer.Option("--by-source", help="With --trend: each source by itself.")] = False,
    dates: Annotated[
        Order | None, typer.Option(help="With --trend: how dates such as 03/04/2026 are read.", show_default=False)
    ] = None,
    copies: Annotated[
        bool, typer.Option("--copies", help="With --trend: also count reports whose text another one has.")
    ] = False,
    device: DeviceOption = "auto",
    runtime: RuntimeOption = "auto",
    any_language: AnyLanguageOption = False,
) -> None:
    """Find who takes which position toward what in articles, and label each statement.

    Files are text in UTF-8. A file that cannot be read is named, the others are read, and the exit code is then 3.
    Of a text in a language that the model was not made for nothing is labelled, and a note says so.

    Examples:

        python -m serving article data/articles/state-visit.txt
        python -m serving article data/articles --output statements.jsonl --explain
        python -m serving article data/articles --summary --format csv > pairs.csv
        python -m serving article data/articles/state-visit.txt --output state-visit.html
        python -m serving article data/archive --trend month --output trend.html
        cat data/articles/state-visit.txt | python -m serving article - --target "Uruguay=Montevideo,its bid"
    """
    form = chosen_format(format, output)
    if summary and form == "html":
        raise StancewiseError("--summary: the HTML page has a summary already; leave out --summary")
    if sure and everything:
        raise StancewiseError("--sure and --all: give one of them")
    if explain and (summary or form not in ("jsonl", "html")):
        raise StancewiseError("--explain: words are shown by --format jsonl and html, without --summary")
    if trend and (summary or explain):
        raise StancewiseError("--trend: it is a summary without words; leave out --summary and --explain")
    if not trend and (by_source or dates or copies):
        raise StancewiseError("--by-source, --dates and --copies go with --trend")
    targets = parse_targets(target or [])
    reports: list[Report] = []
    notes: list[str] = []
    if trend:
        found, bad = read_reports(paths, extract == "html", dates, errors)
        if not found:
            raise typer.Exit(1)
        reports, notes = chosen_reports(found, copies, errors)
        texts = [(one.name, one.text) for one in reports]
    else:
        read, bad = read_files(paths, extract == "html", errors)
        if not read:
            raise typer.Exit(1)
        texts = [(str(path), text) for path, text in read]
    classifier = StanceClassifier.load(model, device, runtime, any_language=any_language)
    articles = label_texts(classifier, texts, targets, explain, everything, errors)
    if sure:
        articles = [_only_sure(one) for one in articles]
    if trend:
        write_trend(list(zip(reports, articles, strict=True)), trend, by_source, form, notes, output)
    else:
        write(articles, form, summary, output)
    _count(articles, bad)


def _count(articles: Sequence[Article], bad: int) -> None:
    found = sum(len(one.statements) for one in articles)
    counted = f"{len(articles):,} article{'s' if len(articles) > 1 else ''}, {found:,} statements"
    errors.print(counted + (f"; {bad:,} could not be read" if bad else ""))
    if bad:
        raise typer.Exit(EXIT_BAD_ROWS)


def _only_sure(article: Article) -> Article:
    return article.model_copy(update={"statements": [one for one in article.statements if one.sure]})


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
            files = find_files(path, pages)
        except StancewiseError as error:
            bad += 1
            complain(printable(str(error)), errors)
            continue
        for file in files:
            try:
                texts[file] = texts[file] if file in texts else read_text(file, pages)
            except StancewiseError as error:
                bad += 1
                complain(printable(str(error)), errors)
    return list(texts.items()), bad


def read_reports(paths: Sequence[Path], pages: bool, order: Order | None, errors: Console) -> tuple[list[Report], int]:
    """The reports of files, folders and tables, each once, and how many could not be read: named on `errors`.

    Args:
        paths: files, folders, tables or `-`.
        pages: take the main text out of HTML.
        order: how 03/04/2026 is read.
        errors: where to.

    Raises:
        AmbiguousDateError: a date could be two days.
    """
    found: dict[Path, list[Report]] = {}
    problems: list[str] = []
    for path in dict.fromkeys(paths):
        try:
            files = [path] if is_table(path) else find_files(path, pages)
        except StancewiseError as error:
            problems.append(str(error))
            continue
        for file in files:
            if file in found:
                continue
            try:
                if is_table(file):
                    found[file], bad_rows = read_table(file, order)
                    problems += bad_rows
                else:
                    found[file] = [read_report(file, pages, order)]
            except AmbiguousDateError:
                raise
            except StancewiseError as error:
                problems.append(str(error))
    for problem in problems:
        complain(printable(problem), errors)
    return [report for reports in found.values() for report in reports], len(problems)


def chosen_reports(reports: Sequence[Report], copies: bool, errors: Console) -> tuple[list[Report], list[str]]:
    """The reports that a trend can count, and notes on the others, which are also told on `errors`.

    Raises:
        StancewiseError: there is none.
    """
    notes = []
    kept = list(reports)
    if not copies:
        kept, copied = without_copies(kept)
        if copied:
            notes.append(f"reports whose text another one has, counted once: {copied:,} (--copies counts them all)")
    undated = [one.name for one in kept if one.date is None]
    kept = [one for one in kept if one.date is not None]
    if undated:
        notes.append(f"reports without a date, left out: {len(undated):,} ({_listed(undated)})")
    for note in notes:
        errors.print(f"[bold yellow]note:[/] {escape(printable(note))}", soft_wrap=True)
    if not kept:
        raise StancewiseError(
            "no report with a date; write date: YYYY-MM-DD into its front matter, begin the file's name with it, "
            "or give a table with a column 'date'"
        )
    return kept, notes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def label_texts(
    classifier: StanceClassifier,
    texts: Sequence[tuple[str, str]],
    targets: dict[str, list[str]],
    explain: bool,
    everything: bool,
    errors: Console,
) -> list[Article]:
    """The articles with their statements; progress and notes go to `errors`."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    articles = []
    with Progress(*columns, console=errors, disable=not errors.is_terminal) as bar:
        task = bar.add_task("")
        for number, (name, text) in enumerate(texts, 1):
            place = f" {number} of {len(texts)}" if len(texts) > 1 else ""

            def show(stage: str, done: int, total: int, place: str = place) -> None:
                bar.update(task, description=f"{stage}{place}", completed=done, total=total)

            articles.append(classifier.read_article(text, targets, name, explain, show, everything))
    tell_notes(articles, errors)
    return articles


def write(articles: Sequence[Article], format: Format, summary: bool, path: Path | None) -> None:
    """Write the articles in a format; path None: to standard output.

    Raises:
        StancewiseError: the file cannot be written.
    """
    if format == "jsonl":
        rows.write(rows.json_lines(articles, summary), path)
    elif format == "csv":
        rows.write(rows.csv_table(articles, summary), path)
    elif format == "html":
        from serving.article.output.page import render

        rows.write(render(articles), path)
    elif path is None:
        table.show(articles, Console(), summary)
    else:
        text = StringIO()
        table.show(articles, Console(file=text, width=_FILE_WIDTH), summary)
        rows.write(text.getvalue(), path)


def write_trend(
    labelled: Sequence[tuple[Report, Article]],
    period: Literal["day", "week", "month"],
    by_source: bool,
    format: Format,
    notes: Sequence[str],
    path: Path | None,
) -> None:
    """Write the trend of dated reports in a format; path None: to standard output.

    Raises:
        StancewiseError: the file cannot be written.
    """
    from serving.article.output import trend, trend_page
    from serving.article.trends import by_period, changes, halves, statements

    periods = by_period(labelled, period, by_source and format != "html")
    if format == "jsonl":
        rows.write(trend.json_lines(periods), path)
        return
    if format == "csv":
        rows.write(trend.csv_table(periods), path)
        return
    days = halves(labelled)
    assert days  # every report has a date
    shown = trend.Trend(period, periods, changes(labelled), days, notes)
    if format == "html":
        sources, found = by_period(labelled, period, by_source=True), statements(labelled, period)
        rows.write(trend_page.render(replace(shown, sources=sources, statements=found), by_source), path)
    elif path is None:
        trend.show(shown, Console())
    else:
        text = StringIO()
        trend.show(shown, Console(file=text, width=_FILE_WIDTH))
        rows.write(text.getvalue(), path)


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


def tell_notes(articles: Sequence[Article], errors: Console) -> None:
    """Each note once, with the articles that have it."""
    by: dict[str, list[str]] = {}
    for article in articles:
        for note in article.notes:
            by.setdefault(note, []).append(article.name or "article")
    for note, names in by.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        errors.print(f"[bold yellow]note:[/] {escape(printable(f'{names[0]}{more}: {note}'))}", soft_wrap=True)
