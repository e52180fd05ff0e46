"""`reference.json` in a model folder: what the model's validation rows and its answers to them looked like."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from serving.labels import Head
from serving.store.folder import read_as
from serving.tables import whole
from serving.watch.measures import Histogram

REFERENCE_FILE = "reference.json"
NONE = f"keeps no {REFERENCE_FILE} of its validation rows; train it again with this version of stancewise"

Share = Annotated[float, Field(ge=0, le=1)]


class Check(BaseModel):
    """A labelled part of the training run: how far the estimate of accuracy was off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    part: str
    rows: int = Field(gt=0)
    estimated: Share
    measured: Share


class Accuracy(BaseModel):
    """How often the head was right on labelled validation rows, and what the estimate without labels needs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    measured: Share
    rows: int = Field(gt=0)
    least: float = Field(description="as large a share of the rows had this confidence as was right")
    checks: tuple[Check, ...] = ()


class Reference(BaseModel):
    """The content of `reference.json`: counts, no texts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    rows: int = Field(gt=0)
    texts: int = Field(gt=0, description="different ones: rows on one text are not independent")
    histograms: tuple[Histogram, ...]
    accuracy: dict[Head, Accuracy] = {}
    centres: tuple[tuple[float, ...], ...] = Field(
        default=(), description="of the training rows' embeddings, each of length 1; none for a model without"
    )

    @model_validator(mode="after")
    def _estimable(self) -> "Reference":
        edges = {one.head: one.edges for one in self.histograms if one.measure == "confidence"}
        if any(one.least not in edges.get(head, ()) for head, one in self.accuracy.items()):
            raise ValueError("accuracy: least is no edge of the confidence")
        return self


def write_reference(folder: Path, reference: Reference | None) -> None:
    """Write `reference.json` whole or not at all; None: there is to be none. The settings are to be written after."""
    path = folder / REFERENCE_FILE
    if reference is None:
        path.unlink(missing_ok=True)
        return
    with whole(path) as temporary:
        temporary.write_text(reference.model_dump_json() + "\n", encoding="utf-8")


def read_reference(folder: Path) -> Reference | None:
    """Read `reference.json`; None for a model that has none, as those of earlier versions of stancewise.

    Raises:
        StancewiseError: it is no JSON or has wrong fields.
    """
    try:
        return read_as(Reference, folder / REFERENCE_FILE)
    except FileNotFoundError:
        return None
