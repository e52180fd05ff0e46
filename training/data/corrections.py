"""Labels that a reader has put right, applied when the data is read: the files of the sets stay as they are."""

from dataclasses import dataclass, replace
from pathlib import Path

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.check import cell
from serving.rows.read import read_rows, shown
from training.data.corpus import Corpus, identifier


@dataclass(frozen=True)
class Correction:
    """One label put right."""

    place: str  # file:line
    id: str
    head: str
    label: str


def read_corrections(path: Path) -> list[Correction]:
    """The rows of an audit's file whose `corrected` is filled; it needs the columns `id`, `head` and `corrected`.

    Raises:
        StancewiseError: the file cannot be read, a column is missing, or a head or label is unknown, as file:line.
    """
    found = []
    for row in read_rows(path):
        place = f"{path}:{row.line}"
        if row.problem:
            raise StancewiseError(f"{place}: {row.problem}")
        if missing := [name for name in ("id", "head", "corrected") if name not in row.values]:
            raise StancewiseError(f"{place}: no column {missing[0]}; id, head and corrected are needed")
        label = str(cell(row, "corrected") or "").strip()
        if not label:
            continue
        head = str(row.values["head"])
        if head not in HEADS:
            raise StancewiseError(f"{place}: {shown(head)} is not a head; the heads are {', '.join(HEADS)}")
        if label not in HEADS[head]:
            raise StancewiseError(
                f"{place}: corrected {shown(label)} is not a {head} label; the labels are {', '.join(HEADS[head])}"
            )
        found.append(Correction(place, str(identifier(row.values["id"])), head, label))
    return found


def correct(parts: dict[str, list[Corpus]], corrections: list[Correction]) -> tuple[dict[str, list[Corpus]], int]:
    """The parts with their labels corrected, and how many labels changed.

    Raises:
        StancewiseError: no row has the id of a correction, rows on two texts have it, or two corrections of one label
            disagree, as file:line.
    """
    wanted: dict[str, dict[str, Correction]] = {}
    for one in corrections:
        earlier = wanted.setdefault(one.id, {}).setdefault(one.head, one)
        if earlier.label != one.label:
            raise StancewiseError(f"{one.place}: {one.id} is {earlier.label} at {earlier.place}; keep one of them")
    _find_each(parts, corrections)
    changed = 0
    corrected: dict[str, list[Corpus]] = {}
    for part, sets in parts.items():
        corrected[part] = []
        for corpus in sets:
            rows = []
            for row in corpus.rows:
                labels = {head: one.label for head, one in wanted.get(row.id, {}).items()}
                if labels:
                    changed += sum(getattr(row, head) != label for head, label in labels.items())
                    votes = None if "stance" in labels else row.stance_votes
                    row = row.model_copy(update={**labels, "stance_votes": votes})  # noqa: PLW2901
                rows.append(row)
            corrected[part].append(replace(corpus, rows=rows))
    return corrected, changed


def _find_each(parts: dict[str, list[Corpus]], corrections: list[Correction]) -> None:
    """Refuse a correction of a row that is not there, or of one of several: sets may give equal ids to other texts."""
    places: dict[str, dict[str, str]] = {one.id: {} for one in corrections}  # id -> text -> its first place
    for sets in parts.values():
        for corpus in sets:
            for i, row in enumerate(corpus.rows):
                if row.id in places:
                    places[row.id].setdefault(row.text, corpus.place(i))
    for one in corrections:
        found = list(places[one.id].values())
        if not found:
            raise StancewiseError(
                f"{one.place}: no row of these sets has the id {shown(one.id)}; correct the id, or remove the row"
            )
        if len(found) > 1:
            raise StancewiseError(f"{one.place}: {' and '.join(found)} have the id {shown(one.id)}; rename all but one")
