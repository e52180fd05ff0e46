"""What the labels of a table mean, by the config's map."""

from pathlib import Path
from typing import Any, cast

from serving.errors import StancewiseError
from serving.labels import HEADS
from serving.rows.read import shown
from training.config import DataSet, label_word

_SHOWN = 20  # unknown labels; a column of texts has as many as rows


class LabelMap:
    """The map of one table, which notes the labels that it does not know, so that all are said at once."""

    def __init__(self, wanted: DataSet) -> None:
        own: dict[str, dict[str, str | None]] = {head: {one: one for one in labels} for head, labels in HEADS.items()}
        self.path = cast(Path, wanted.path)
        self.maps = own | dict(wanted.labels)
        self.unknown: dict[tuple[str, str], list[int]] = {}  # field and label -> lines

    def ours(self, field: str, value: Any, missing: bool, line: int) -> str | None:
        """The label of a cell; None: it is mapped to nothing, missing, or unknown.

        Args:
            field: `stance`, `sentiment` or `stance_votes`.
            value: of the cell; a map may give a missing one a meaning too, such as `NA: neutrality`.
            missing: whether it stands for no value.
            line: of the file.
        """
        known, word = self.maps[_head(field)], label_word(value)
        if word not in known and not missing:
            self.unknown.setdefault((field, word), []).append(line)
        return known.get(word)

    def refuse_unknown(self) -> None:
        """Raise StancewiseError if there was an unknown label: each with its first line and its number of rows."""
        if not self.unknown:
            return
        problems = [
            f"{self.path}:{lines[0]}: {field}: label {shown(word)} is not in the map (rows with it: {len(lines):,})"
            for (field, word), lines in self.unknown.items()
        ]
        if len(problems) > _SHOWN:
            problems = [*problems[:_SHOWN], f"... and {len(problems) - _SHOWN:,} more labels"]
        for head in dict.fromkeys(_head(field) for field, _ in self.unknown):
            known = f"{head}: known: {', '.join(self.maps[head])}"
            fix = f"add the label to labels.{head} in the config (null: such a row has no {head}), or correct the rows"
            problems.append(f"{known}; {fix}")
        raise StancewiseError("\n".join(problems))


def _head(field: str) -> str:
    return field.removesuffix("_votes")
