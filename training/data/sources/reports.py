"""Whole texts with all their positions: who takes which side toward what, and where it stands.

One JSON object a line: `text`, the `entities` (key -> the names that the text gives it, the clearest first) and the
`positions`. Everything that is not listed is no position. A file may leave the texts out; they are then read from
elsewhere, by id.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serving.errors import StancewiseError, describe
from serving.inputs import Offsets
from training.data.corpus import Stance
from training.data.sources.lines import read_text

Key = Annotated[str, Field(min_length=1)]


class Listed(BaseModel):
    """A position in one sentence, as a reader lists it. Neutrality is listed only where it is declared."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    holder: Key | None = Field(description="key of an entity; null: the author")
    target: Key
    stance: Stance
    sentence: Offsets | None = Field(description="characters of the text; null: no single sentence expresses it")
    holder_at: Offsets | None = Field(default=None, description="the words for the holder in the sentence, if any")
    target_at: Offsets | None = None
    optional: bool = Field(default=False, description="a careful reader may leave it out")


class Report(BaseModel):
    """A text with its entities and positions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Key
    language: str = Field(default="en", description="ISO 639 code")
    kind: str | None = None
    messy: bool = Field(default=False, description="as cut from a web page: captions, credits, menus")
    text: Key
    entities: dict[Key, Annotated[tuple[str, ...], Field(min_length=1)]]
    positions: tuple[Listed, ...]


def read_reports(path: Path, texts: Mapping[str, str] | None = None) -> list[Report]:
    """The reports of a file, in order.

    Args:
        path: JSON Lines.
        texts: id -> text, for a file without texts.

    Raises:
        StancewiseError: no such file, or a line that is no report, as file:line.
    """
    reports: list[Report] = []
    ids: set[str] = set()
    for number, line in enumerate(read_text(path).removesuffix("\n").split("\n"), 1):
        try:
            values: dict[str, Any] = json.loads(line)
            if texts is not None:
                values |= {"text": texts.get(values["id"])}
            report = Report.model_validate(values)
            _check(report)
        except ValidationError as error:
            raise StancewiseError(f"{path}:{number}: {describe(error)}") from None
        except (ValueError, KeyError, TypeError) as error:
            raise StancewiseError(f"{path}:{number}: {error}; correct this line") from None
        if report.id in ids:
            raise StancewiseError(f"{path}:{number}: id {report.id} stands twice; give every report its own")
        ids.add(report.id)
        reports.append(report)
    return reports


def _check(report: Report) -> None:
    """Raise ValueError where keys, names or offsets do not fit the text."""
    for key, names in report.entities.items():
        for name in names:
            if name not in report.text:
                raise ValueError(f"entities.{key}: a name is not in the text")
    for place, one in enumerate(report.positions):
        where = f"positions[{place}]"
        for named in (one.holder, one.target):
            if named is not None and named not in report.entities:
                raise ValueError(f"{where}: {named} is no entity of this report")
        around = one.sentence
        for field in ("sentence", "holder_at", "target_at"):
            span: Any = getattr(one, field)
            if span is None:
                continue
            start, end = around or (0, 0)
            if not 0 <= start <= span[0] < span[1] <= min(end, len(report.text)):
                raise ValueError(f"{where}.{field}: not inside the sentence, or the sentence not inside the text")
