"""Tables to label, with any column names and label words, which are remembered in a YAML beside the table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from serving.errors import StancewiseError, describe
from serving.labels import HEADS, Head
from serving.rows.read import Row, read_rows
from serving.tables import whole
from training.config import DataSet, Labels
from training.data.corpus import LabelledStatement
from training.data.sources.table import statements_of


class Maps(BaseModel):
    """Our field -> its column, and head -> its label -> ours, as under `source: table` in a config."""

    model_config = ConfigDict(extra="forbid")

    columns: dict[str, str] = {}
    labels: dict[Head, Labels] = {}


def read_statements(path: Path, maps: Maps) -> list[LabelledStatement]:
    """Every row of a table; rows may have labels, or none.

    Raises:
        StancewiseError: a file that cannot be read, a column or label that the maps do not fit, offsets that are
            wrong, or two rows of one id.
    """
    return statements_from(list(read_rows(path)), path, maps)


def statements_from(rows: list[Row], path: Path, maps: Maps) -> list[LabelledStatement]:
    """The statements of rows that were read from a file.

    Raises:
        StancewiseError: as `read_statements`.
    """
    if not rows:
        raise StancewiseError(f"{path}: no rows in it")
    try:
        wanted = DataSet(source="table", path=path, columns=maps.columns, labels=maps.labels)
    except ValidationError as error:
        raise StancewiseError(f"{path}: {describe(error)}") from None
    found = statements_of(rows, wanted)
    seen: dict[str, int] = {}
    for row, one in zip(rows, found, strict=True):
        if one.id in seen:
            raise StancewiseError(f"{path}:{row.line}: its id stands at line {seen[one.id]} already; ids must differ")
        seen[one.id] = row.line
    return found


def maps_of(path: Path, columns: str | None, labels: str | None) -> tuple[Maps, str | None]:
    """The maps of a table: those given, else those remembered; given ones are remembered.

    Args:
        path: of the table; `statements.csv` has its maps in `statements.yaml`.
        columns: OURS=THEIRS, with commas between; None: not given.
        labels: THEIRS=OURS, with commas between; nothing behind the last `=`: such a row has no label.

    Returns:
        the maps, and what the user should be told.

    Raises:
        StancewiseError: the maps cannot be read, or the YAML beside the table is something else.
    """
    beside = path.with_suffix(".yaml")
    kept = _remembered(beside)
    if columns is None and labels is None:
        told = f"columns and labels as in {beside}" if kept and (kept.columns or kept.labels) else None
        return kept or Maps(), told
    if kept is None and beside.exists():
        raise StancewiseError(
            f"{beside}: holds something else than columns and labels, and they are remembered there; rename it, or "
            "the table"
        )
    maps = Maps(
        columns=_pairs(columns, "--columns") if columns is not None else (kept or Maps()).columns,
        labels=_by_head(_pairs(labels, "--labels", last=True)) if labels is not None else (kept or Maps()).labels,
    )
    try:
        with whole(beside) as file:
            file.write_text(yaml.safe_dump(maps.model_dump(exclude_defaults=True), allow_unicode=True), "utf-8")
    except OSError as error:
        return maps, f"{beside} cannot be written ({error.strerror}): give --columns and --labels again next time"
    return maps, f"columns and labels are remembered in {beside}"


def _remembered(path: Path) -> Maps | None:
    """The maps in a YAML beside a table; None: there are none, or it holds something else, such as a config."""
    if not path.is_file():
        return None
    try:
        return Maps.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError):
        return None


def _pairs(given: str, option: str, last: bool = False) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in given.split(","):
        left, equals, right = pair.rpartition("=") if last else pair.partition("=")
        if not equals or not left.strip():
            example = "pro=support,contra=criticism" if last else "text=sentence,speaker=mp"
            raise StancewiseError(f"{option}: pairs with = and commas between are needed, such as {example}")
        found[left.strip()] = right.strip()
    return found


def _by_head(pairs: Mapping[str, str]) -> dict[Head, Labels]:
    """Which head a label is of shows in our word for it; a label that means nothing means nothing in both."""
    heads: dict[Any, Any] = {}
    for theirs, ours in pairs.items():
        of = [head for head, own in HEADS.items() if ours in own]
        if ours and not of:
            known = ", ".join(label for own in HEADS.values() for label in own)
            raise StancewiseError(f"--labels: behind = one of our labels is needed, or nothing: {known}")
        for head in of or HEADS:
            heads.setdefault(head, {})[theirs] = ours or None
    given = {head: labels for head, labels in heads.items() if any(labels.values())}
    return {head: {**{own: own for own in HEADS[head]}, **labels} for head, labels in given.items()}
