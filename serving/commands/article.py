"""The `article` command: files in; their statements, labelled, out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from serving.article import entity_table
from serving.article.entities import Entities, merged
from serving.article.output import rows, table
from serving.article.output.rows import Format, chosen_format
from serving.article.statements import Article
from serving.article.text.archive import Archive, Listed, notes
from serving.article.text.dates import Order
from serving.article.text.files import find_files, read_text
from serving.classifier import StanceClassifier
from serving.cli import EXIT_BAD_ROWS, AnyLanguageOption, DeviceOption, ModelOption, RuntimeOption, complain, errors
from serving.errors import StancewiseError
from serving.terminal import printable, say

if TYPE_CHECKING:
    from serving.article.trends import Labelled
    from serving.scoring.engine import How

_FILE_WIDTH = 120  # columns of a table that is written to a file


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
        bool,
        typer.Option("--copies", help="With --trend: also count reports whose text is a copy, or nearly one."),
    ] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With --trend: keep what is labelled here; the same command goes on, and labels only new reports.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "spark"], typer.Option(help="With --keep: where reports are labelled, as for score.")
    ] = "local",
    entities: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="With --trend: the table of names that stand for one entity; written first, then yours to edit.",
            show_default=False,
        ),
    ] = None,
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
        python -m serving article data/archive --trend month --keep labelled
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
    _check_trend(bool(trend), by_source or bool(dates) or copies or bool(keep), entities)
    if engine == "spark" and (not keep or device != "auto" or runtime != "auto"):
        raise StancewiseError("--engine spark: give --keep; each executor chooses --device and --runtime itself")
    targets = parse_targets(target or [])
    if trend:
        from serving.scoring.engine import How

        how = How(model, targets, everything, any_language, device, runtime, engine)
        archive = Archive(paths, extract == "html", dates)
        show_trend(archive, how, copies, keep, sure, entities, Shown(trend, by_source, form, output))
        return
    read, bad = read_files(paths, extract == "html", errors)
    if not read:
        raise typer.Exit(1)
    texts = [(str(path), text) for path, text in read]
    classifier = StanceClassifier.load(model, device, runtime, any_language=any_language)
    articles = label_texts(classifier, texts, targets, explain, everything, errors)
    if sure:
        articles = [_only_sure(one) for one in articles]
    write(articles, form, summary, output)
    _count(len(articles), sum(len(one.statements) for one in articles), bad)


def _check_trend(trend: bool, others: bool, entities: Path | None) -> None:
    if not trend and (others or entities):
        raise StancewiseError("--by-source, --dates, --copies, --keep and --entities go with --trend")
    if entities:
        entity_table.read_table(entities)  # its mistakes are told before the work begins


def _count(articles: int, statements: int, bad: int) -> None:
    counted = (
        f"{articles:,} article{'s' if articles > 1 else ''}, {statements:,} statement{'s' if statements != 1 else ''}"
    )
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


@dataclass(frozen=True)
class Shown:
    """How a trend is shown."""

    period: Literal["day", "week", "month"]
    by_source: bool
    format: Format
    output: Path | None


def show_trend(
    archive: Archive, how: "How", copies: bool, keep: Path | None, sure: bool, entities: Path | None, shown: Shown
) -> None:
    """Label an archive's reports and show their trend; what is told goes to `errors`.

    Args:
        archive: the reports.
        how: with which model.
        copies: copies of a text count, too.
        keep: the folder for labelled reports; None: they are not kept.
        sure: only statements that are sure.
        entities: the table of names; None: none.
        shown: how.

    Raises:
        StancewiseError: no report has a date, `keep` is of other work, or a file cannot be written.
        Exit: nothing could be read, or something could not.
    """
    from serving.article.kept import Kept
    from serving.scoring.archive import kept_in, label

    said: list[str] = []
    told = 0

    def tell_problems() -> None:
        nonlocal told
        for problem in archive.problems[told:]:
            complain(printable(problem), errors)
        told = len(archive.problems)

    def survey(listed: list[Listed]) -> None:
        tell_problems()
        said.extend(notes(listed))
        for note in said:
            tell(note, errors)

    with kept_in(keep) as folder:
        listed = label(archive, folder, how, errors, copies, survey)
        tell_problems()
        if not listed:
            raise typer.Exit(1)
        if not any(one.counts for one in listed):
            raise StancewiseError(
                "no report with a date; write date: YYYY-MM-DD into its front matter, begin the file's name with it, "
                "or give a table with a column 'date'"
            )
        kept = Kept(folder, sure)
        articles, statements = kept.counts()
        if articles:
            tell_notes((article for _, article in kept), errors)
            known, note = entities_of(kept, entities, errors)
            write_trend(kept, shown.period, shown.by_source, shown.format, known, [*said, *note], shown.output)
        _count(articles, statements, len(archive.problems))


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


def entities_of(labelled: "Labelled", path: Path | None, errors: Console) -> tuple[Entities, list[str]]:
    """The entities of all names, by the table if there is one, and notes on them, which are also told on `errors`.

    Raises:
        StancewiseError: the table is wrong or cannot be written.
    """
    entities = entity_table.follow(path, labelled) if path else merged(labelled)
    note = entity_table.note(entities, path)
    if note:
        tell(note, errors)
    return entities, [note] if note else []


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
    labelled: "Labelled",
    period: Literal["day", "week", "month"],
    by_source: bool,
    format: Format,
    entities: Entities,
    notes: Sequence[str],
    path: Path | None,
) -> None:
    """Write the trend of dated reports in a format; path None: to standard output.

    Of rows in a file `trend.csv` the changes stand in `trend.changes.csv`, and those by source have
    `trend.differences.csv`: they are tables of their own. Standard output has the periods alone.

    Raises:
        StancewiseError: the file cannot be written.
    """
    from serving.article.output import trend, trend_page
    from serving.article.trends import by_period, changes, differences, statements

    periods = by_period(labelled, period, by_source and format != "html", entities)
    changed = changes(labelled, period=period, entities=entities)
    differing = differences(labelled, entities) if by_source or format == "html" else None
    if format in ("jsonl", "csv"):
        as_text = trend.json_lines if format == "jsonl" else trend.csv_table
        more = {"changes": changed} | ({} if differing is None else {"differences": differing})
        for name, found in more.items():
            if path:
                beside = path.with_suffix(f".{name}{path.suffix}")
                rows.write(as_text(found), beside)
                say(f"also written: {beside}", errors)
        rows.write(as_text(periods), path)
        return
    shown = trend.Trend(period, periods, changed, notes, differing)
    if format == "html":
        sources = by_period(labelled, period, by_source=True, entities=entities)
        said = statements(labelled, period, entities)
        rows.write(trend_page.render(replace(shown, sources=sources, statements=said), by_source), path)
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


def tell_notes(articles: Iterable[Article], errors: Console) -> None:
    """Each note once, with the articles that have it."""
    by: dict[str, list[str]] = {}
    for article in articles:
        for note in article.notes:
            by.setdefault(note, []).append(article.name or "article")
    for note, names in by.items():
        more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
        tell(f"{names[0]}{more}: {note}", errors)


def tell(note: str, errors: Console) -> None:
    """Print a note."""
    errors.print(f"[bold yellow]note:[/] {escape(printable(note))}", soft_wrap=True)
