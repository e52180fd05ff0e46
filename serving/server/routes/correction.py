"""What a reader puts right: /v1/correction keeps a statement with its right label, as a row of training data."""

import asyncio
import uuid
from pathlib import Path
from typing import Any, Literal, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, TypeAdapter, model_validator
from starlette.responses import Response

from serving.errors import StancewiseError
from serving.server.engine import engine_of
from serving.server.problems import REFUSALS, NotKept, documented, parsed
from serving.server.routes.v1 import EXAMPLE, model_name
from serving.statement import Statement
from serving.tables import append_row, appendable, mend_end

NOTE_CHARACTERS = 2000

router = APIRouter()


class Correction(Statement):
    """A statement and what is right for it."""

    stance: Literal["support", "neutrality", "criticism"] | None = Field(default=None, description="the right stance")
    sentiment: Literal["positive", "neutral", "negative"] | None = Field(
        default=None, description="the right sentiment"
    )
    note: str | None = Field(default=None, max_length=NOTE_CHARACTERS, description="why, in the reader's words")

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.stance is None and self.sentiment is None:
            raise ValueError("stance, sentiment: give the right label of one of them at least")
        return self


class CorrectionReply(BaseModel):
    """The row is on the disk."""

    id: str = Field(description="of the row in the file of corrections")


CORRECTION = TypeAdapter(Correction)
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": Correction.model_json_schema(),
                "example": {**EXAMPLE, "stance": "criticism", "note": "they call it a waste"},
            }
        },
    }
}


@router.post(
    "/v1/correction",
    response_model=CorrectionReply,
    responses={**REFUSALS, **documented(507)},
    openapi_extra=BODY,
    summary="Keep the right label of a statement as training data",
)
async def correction(request: Request) -> Response:
    """Only with `--corrections FILE`. The file is a training table; `model_answer` is what the served model says."""
    engine = engine_of(request)
    given = parsed(CORRECTION, request.state.body)
    statement = Statement.model_validate(given.model_dump(include=set(Statement.model_fields)))
    answer = await engine.answer(request, [statement])
    said = {**model_name(answer.served).model_dump(), **answer.predictions[0].row()}
    row = {"id": uuid.uuid4().hex, **given.model_dump(exclude_none=True), "model_answer": said}
    assert engine.settings.corrections
    await asyncio.to_thread(keep, engine.settings.corrections, row)
    return Response(CorrectionReply(id=row["id"]).model_dump_json(), media_type="application/json")


def keep(path: Path, row: dict[str, Any]) -> None:
    """Add a row to the file, which the workers of the server share; it is on the disk when this returns.

    Raises:
        NotKept: the file cannot be written.
    """
    try:
        with appendable(path, wait=True) as file:
            mend_end(file)
            append_row(file, row)
    except (OSError, StancewiseError):
        raise NotKept("the correction could not be written; the server's operator has to look at its disk") from None
