"""The table of names and their entities: proposed by the program, edited by a user, followed from then on.

A CSV file with the columns `name`, `entity`, `reports` and `reason`, and any that the user adds. Of these `only_in`
has a meaning: the report that the row is about. Rows that are there are never changed; names that are new come behind
them.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

from serving.article.entities import Entities, Proposal, called, names_of, propose
from serving.article.output.rows import csv_cell
from serving.article.statements import Article
from serving.article.text.reports import Report
from serving.errors import StancewiseError
from serving.names.spelling import key
from serving.rows.check import cell, refuse_nearly
from serving.rows.read import MISSING, Row, listed, read_rows, separator_of
from serving.tables import whole

COLUMNS = ("name", "entity", "reports", "reason")
_NEEDED = COLUMNS[:2]
_ONLY_IN = "only_in"  # a column of the user's, so that two people of one name can be told apart


def follow(path: Path, labelled: Iterable[tuple[Report, Article]]) -> Entities:
    """The entities of all names as the table says; names that it lacks are added to it with a proposal.

    Args:
        path: a .csv file; it is written if there is none.
        labelled: reports with their articles; those without a date are left out.

    Raises:
        StancewiseError: as `read_table`, or the file cannot be written.
    """
    known, only_in = read_table(path)
    wanted = {report for report, _ in only_in}

    def told() -> Iterator[tuple[Report, Article]]:
        for report, article in labelled:
            wanted.difference_update(called(report.name))
            yield report, article

    proposed = propose(names_of(told()), known)
    entities = Entities(proposed, known, only_in, absent=sorted(wanted))
    if entities.proposed or not path.exists():
        _add(path, entities.proposed)
    return entities


def read_table(path: Path) -> tuple[dict[str, str], dict[tuple[str, str], str]]:
    """The entities of a table.

    Returns:
        Those of all reports by `key` of their names; of an entity that is a name with another entity, that one. Then
        those that count in one report alone, by its name and the `key`.

    Raises:
        StancewiseError: the file is no .csv, or it is there and has no such columns, an empty cell, a name with two
            entities, or names that stand for each other; or its folder is not there.
    """
    if path.suffix.lower() != ".csv":
        raise StancewiseError(f"{path}: the table of entities is a .csv file; give a name that ends so")
    if not path.exists():
        if not path.parent.is_dir():
            raise StancewiseError(f"{path}: the folder {path.parent} does not exist")
        return {}, {}
    rows = list(read_rows(path))
    columns = _columns(path)
    refuse_nearly(f"{path}:1", columns, (*COLUMNS, _ONLY_IN))
    if missing := [one for one in _NEEDED if one not in columns]:
        raise StancewiseError(
            f"{path}:1: no column {missing[0]!r}; its columns: {listed(columns) or 'none'}; "
            f"name the columns {', '.join(COLUMNS)}, or move the file away, and it is written anew"
        )
    entities: dict[str, str] = {}
    only_in: dict[tuple[str, str], str] = {}
    lines: dict[str | tuple[str, str], int] = {}
    for row in rows:
        if not row.problem and not any(row.values.values()):
            continue  # spreadsheets leave such rows
        name, entity = _names(path, row)
        report = cell(row, _ONLY_IN)
        place = (report.strip(), key(name)) if report else key(name)
        known = only_in.setdefault(place, entity) if isinstance(place, tuple) else entities.setdefault(place, entity)
        if known != entity:
            raise StancewiseError(
                f"{path}:{row.line}: entity: line {lines[place]} gives this name another entity; write the same in "
                f"both, or in {_ONLY_IN} the report that the row is about"
            )
        lines.setdefault(place, row.line)
    return {place: _last(path, place, entities, lines) for place in entities}, only_in


def note(entities: Entities, path: Path | None) -> str | None:
    """What was merged, and which rows are about no report that was given; None: nothing.

    Args:
        entities: as `follow` or `merged` gave them.
        path: of the table; None: there is none.
    """
    new = entities.proposed
    reasons = Counter(one.reason for one in new if one.entity != one.name)
    often = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    counted = ", ".join(f"{number:,} by {reason}" for reason, number in often)
    if path is None:
        return f"names that stand for another one: {counted} (--entities FILE.csv lists them)" if counted else None
    stand = f", of which stand for another one: {counted}" if counted else ""
    check = "; check the rows with a reason" if any(one.reason for one in new) else ""
    added = f"names added to {path}: {len(new):,}{stand}{check}" if new else ""
    absent = (
        f"{path}: {_ONLY_IN}: no report that counts is called {entities.absent[0]!r}{_more(len(entities.absent) - 1)}; "
        "write the name of its file"
        if entities.absent
        else ""
    )
    return "; ".join(filter(None, (added, absent))) or None


def _more(others: int) -> str:
    return f" (the same of {others:,} more)" if others else ""


def _names(path: Path, row: Row) -> tuple[str, str]:
    place = f"{path}:{row.line}"
    if row.problem:
        raise StancewiseError(f"{place}: {row.problem}")
    found = []
    for column in _NEEDED:
        value = cell(row, column)
        if value is None:
            fix = "write the name, or delete the row" if column == "name" else "write the name that it stands for"
            raise StancewiseError(f"{place}: {column}: empty; {fix}")
        plain = " ".join(value.split())
        # What would be a formula was written with an apostrophe before it.
        found.append(plain[1:] if plain[:1] == "'" and csv_cell(plain[1:]) == plain else plain)
    return found[0], found[1]


def _last(path: Path, name: str, entities: Mapping[str, str], lines: Mapping[Any, int]) -> str:
    passed = [name]
    entity = entities[name]
    while key(entity) != passed[-1] and key(entity) in entities:
        if key(entity) in passed:
            raise StancewiseError(
                f"{path}:{lines[name]}: entity: goes round in a circle with line {lines[passed[-1]]}; "
                "give one of these names itself as its entity"
            )
        passed.append(key(entity))
        entity = entities[key(entity)]
    return entity


def _add(path: Path, added: Sequence[Proposal]) -> None:
    """Write the rows behind those of the file, in its columns; whole or not at all."""
    out = StringIO(newline="")
    before = b""
    if path.exists():
        before = path.read_bytes()
        columns, between = _columns(path), separator_of(_header(path))
        ending = "\r\n" if b"\r\n" in before else "\n"
        before += b"" if before.endswith(b"\n") else ending.encode()
    else:
        # The byte order mark tells spreadsheets that it is UTF-8.
        before = "\ufeff".encode()
        columns, between, ending = list(COLUMNS), ",", "\n"
        csv.writer(out, lineterminator=ending).writerow(columns)
    usual, marked = (
        csv.writer(out, delimiter=between, lineterminator=ending),
        csv.writer(out, delimiter=between, lineterminator=ending, quoting=csv.QUOTE_NONNUMERIC),
    )
    for one in added:
        writer = usual if MISSING.isdisjoint((one.name, one.entity)) else marked  # somebody called None is not missing
        writer.writerow([csv_cell(asdict(one).get(column, "")) for column in columns])
    try:
        with whole(path) as temporary:
            temporary.write_bytes(before + out.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise StancewiseError(f"{path}: cannot be written ({error.strerror})") from None


def _header(path: Path) -> str:
    """The first line that is not blank."""
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        return next((line for line in file if line.strip()), "")


def _columns(path: Path) -> list[str]:
    header = _header(path)
    return next(csv.reader([header], delimiter=separator_of(header)), []) if header else []
