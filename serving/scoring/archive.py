"""Labelling of an archive: each text once, kept in a folder where the next run goes on, whatever ended this one."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from serving.article.kept import STATEMENTS, read_digests, write_part, write_reports
from serving.article.reading.parse import pipeline_name
from serving.article.text.archive import Archive, Listed, digest_of
from serving.article.text.reports import Report
from serving.classifier import StanceClassifier
from serving.errors import StancewiseError
from serving.scoring.engine import PROBLEM, READ, Advance, How, Label, read_rows
from serving.scoring.local import claimed, remove_leftovers
from serving.scoring.manifest import MANIFEST_FILE, Labeller, model_digest, with_version, write_manifest
from serving.terminal import say

AT_ONCE = {"local": 64, "spark": 2048}  # reports in a file of statements; a run that is ended loses so much at most
_OTHER = "or name another --keep"


class Begun(BaseModel):
    """The content of a folder's manifest: what all of its statements were read and labelled with."""

    model_config = ConfigDict(frozen=True)

    labeller: Labeller
    targets: dict[str, list[str]]
    everything: bool
    parser: str | None
    runtime: str | None  # None, before the model is loaded

    def begin(self, keep: Path) -> None:
        """Write the manifest of a folder that has none.

        Raises:
            StancewiseError: as `refuse_other_of`.
        """
        if not self.refuse_other_of(keep):
            write_manifest(keep, self)

    def refuse_other_of(self, keep: Path) -> bool:
        """Compare with what a folder says of itself; whether it says anything.

        Raises:
            StancewiseError: another model labelled it, something else was asked, or it is a folder of something else.
        """
        if not (keep / MANIFEST_FILE).exists():
            return False
        try:
            found = Begun.model_validate_json((keep / MANIFEST_FILE).read_text(encoding="utf-8"))
        except ValidationError:
            raise StancewiseError(
                f"{keep}: its {MANIFEST_FILE} is not one of labelled reports; name another --keep"
            ) from None
        place, model = str(keep), found.labeller.model
        self.labeller.refuse_other_labeller(found.labeller, place, f"give --model {model} and its options, {_OTHER}")
        if found.targets != self.targets:
            raise StancewiseError(f"{place}: was begun with other --target options; give the same ones, {_OTHER}")
        if found.everything != self.everything:
            was, fix = ("with", "add") if found.everything else ("without", "leave out")
            raise StancewiseError(f"{place}: was begun {was} --all; {fix} --all, {_OTHER}")
        if found.parser != self.parser:
            parsers = f"{found.parser or 'no parser'}, not with {self.parser or 'none'}"
            raise StancewiseError(f"{place}: was read with {parsers}; install what was there, {_OTHER}")
        if self.runtime and found.runtime != self.runtime:
            raise StancewiseError(
                f"{place}: was labelled on {found.runtime}, not on {self.runtime}; "
                f"give the --engine and --runtime of before, {_OTHER}"
            )
        return True


@contextmanager
def kept_in(keep: Path | None) -> Iterator[Path]:
    """The folder to keep labelled reports in; None: one for this run alone."""
    if keep:
        yield keep
        return
    with tempfile.TemporaryDirectory() as parent:
        yield Path(parent) / "labelled"


def label(
    archive: Archive,
    keep: Path,
    how: How,
    errors: Console,
    copies: bool = False,
    on_survey: Callable[[list[Listed]], None] = lambda listed: None,
) -> list[Listed]:
    """Label the texts of an archive that a folder does not hold yet, and list in it the reports that there are now.

    What could not be read or labelled is in `archive.problems` afterwards.

    Args:
        archive: the reports.
        keep: the folder; it is made if there is none.
        how: with which model.
        errors: for progress.
        copies: copies of a text count, too.
        on_survey: told which reports there are, before one is labelled.

    Returns:
        The reports, those that do not count too. If none counts, nothing was labelled or written.

    Raises:
        AmbiguousDateError: a date could be two days.
        StancewiseError: no such model, a folder of other work or of another run, no room.
    """
    if not keep.absolute().parent.is_dir():
        raise StancewiseError(f"--keep {keep}: the folder {keep.parent} does not exist")
    if keep.exists() and not keep.is_dir():
        raise StancewiseError(f"--keep {keep}: is a file; name a folder")
    model = with_version(how.model)
    folder, digest = model_digest(model)
    asked = Begun(
        labeller=Labeller(model=model, digest=digest, any_language=how.any_language),
        targets={name: list(aliases) for name, aliases in how.targets.items()},
        everything=how.everything,
        parser=pipeline_name(),
        runtime=None,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with (
            claimed(keep, "name another --keep"),
            Progress(*columns, console=errors, disable=not errors.is_terminal, speed_estimate_period=600) as bar,
        ):
            asked.refuse_other_of(keep)
            remove_leftovers(keep)
            remove_leftovers(keep / STATEMENTS)
            task = bar.add_task("reading", total=len(archive.files))
            listed = archive.survey(copies, lambda: bar.advance(task))
            on_survey(listed)
            known = read_digests(keep)
            wanted = {one.digest: one for one in listed if one.counts}
            missing = {digest: one for digest, one in wanted.items() if digest not in known}
            if known:
                say(f"{keep}: {len(wanted) - len(missing):,} of {len(wanted):,} texts are labelled already", errors)
            if missing:
                bar.reset(task, total=len(missing), description="labelling")
                at_once = AT_ONCE[how.engine]
                with _engine(how, folder) as (runtime, labels):
                    asked.model_copy(update={"runtime": runtime}).begin(keep)
                    _label(archive, keep, labels, at_once, missing, lambda number: bar.advance(task, number))
            if any(one.counts for one in listed):
                write_reports(keep, listed)
    except OSError as error:
        raise StancewiseError(
            f"{keep}: {error}; fix this and run the same command again: what is labelled is kept"
        ) from None
    return listed


def _label(
    archive: Archive, keep: Path, labels: Label, at_once: int, missing: dict[bytes, Listed], advance: Advance
) -> None:
    """Label the texts that are missing, a file of statements after another, and say of the rest why they are not."""
    reports = archive.reports(missing.keys(), {one.file for one in missing.values()})
    unread = dict(missing)
    while some := list(islice(reports, at_once)):
        rows = labels(some, advance)
        good = rows.filter(pc.is_null(rows[PROBLEM])).drop_columns([PROBLEM])
        if good.num_rows:
            write_part(keep, good)
        problems = {row["digest"]: row[PROBLEM] for row in rows.select(["digest", PROBLEM]).to_pylist()}
        for digest, problem in problems.items():
            name = unread.pop(digest).name
            if problem:
                archive.problems.append(f"{name}: {problem}")
    archive.problems += [
        f"{one.name}: changed while it was read; run the same command again" for one in unread.values()
    ]


@contextmanager
def _engine(how: How, folder: Path) -> Iterator[tuple[str, Label]]:
    """What runs the model, and the function that labels texts with it."""
    if how.engine == "spark":
        from serving.scoring.archive_spark import spark_engine

        with spark_engine(how, folder) as on_spark:
            yield "spark", on_spark
        return
    classifier = StanceClassifier.from_folder(folder, how.device, how.runtime, any_language=how.any_language)

    def labels(reports: Sequence[Report], advance: Advance) -> pa.Table:
        def texts() -> Iterator[tuple[bytes, str]]:
            for one in reports:
                yield digest_of(one.text), one.text
                advance(1)

        return pa.Table.from_pylist(list(read_rows(classifier, texts(), how.targets, how.everything)), READ)

    yield classifier.runtime.name, labels
