"""MLflow's scoring protocol: /ping, /version and /invocations, as `mlflow models serve` answers them."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.responses import PlainTextResponse, Response

from serving.rows.check import refuse_nearly, values_of
from serving.rows.read import Row
from serving.server.engine import engine_of
from serving.server.problems import REFUSALS, BadShape, bad_shape, documented, parsed
from serving.statement import QUESTION_COLUMNS, Prediction, Statement

router = APIRouter()


class Split(BaseModel):
    """A DataFrame as columns and rows."""

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class Invocation(BaseModel):
    """One of the four forms of data, and params, of which this model has none."""

    model_config = ConfigDict(extra="forbid")

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    inputs: list[Any] | dict[str, Any] | str | None = None
    instances: list[Any] | dict[str, Any] | None = None
    params: dict[str, Any] | None = None


class InvocationReply(BaseModel):
    """A row of the MLflow model's columns for every row given."""

    predictions: list[dict[str, Any]] = Field(description="stance, sentiment, their probabilities, abstained, language")


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "dataframe_split": {"type": "object"},
                        "dataframe_records": {"type": "array", "items": {"type": "object"}},
                        "inputs": {},
                        "instances": {},
                        "params": {"type": "object"},
                    },
                },
                "example": {"dataframe_records": [{"text": "Oslo hailed the accord.", "target": "the accord"}]},
            }
        },
    }
}
INVOCATION = TypeAdapter(Invocation)
STATEMENTS = TypeAdapter(list[Statement])


@router.get("/ping", summary="MLflow: whether a model is ready", responses=documented(503))
async def ping(request: Request) -> Response:
    """An empty answer once the model is ready."""
    _ = engine_of(request).served
    return Response(status_code=200)


@router.get("/version", summary="MLflow: the version of the protocol", responses=documented(401))
async def version() -> PlainTextResponse:
    """The MLflow whose protocol this is."""
    return PlainTextResponse("3.17.2")


@router.post(
    "/invocations",
    response_model=InvocationReply,
    responses=REFUSALS,
    openapi_extra=BODY,
    summary="MLflow: score a DataFrame or a list",
)
async def invocations(request: Request) -> Response:
    """Rows with `text` and optional `speaker` and `target` in, a row of labels and probabilities each out."""
    rows = parse_statements(request.state.body)
    answer = await engine_of(request).answer(request, rows) if rows else None
    predictions: Sequence[Prediction] = answer.predictions if answer else []
    reply = InvocationReply.model_construct(predictions=[one.row() for one in predictions])
    return Response(reply.model_dump_json(), media_type="application/json")


def parse_statements(body: bytes) -> list[Statement]:
    """The statements of a scoring request.

    Raises:
        BadShape: it is none of the protocol's forms, or a row is no statement.
        StancewiseError: a column is nearly a field.
    """
    form, records = _records(parsed(INVOCATION, body))
    for number, record in enumerate(records):
        refuse_nearly(f"{form}.{number}", record, QUESTION_COLUMNS)
    rows = [values_of(Row(number, record), QUESTION_COLUMNS) for number, record in enumerate(records)]
    try:
        return STATEMENTS.validate_python(rows)
    except ValidationError as error:
        raise bad_shape(error, form) from None


def _records(invocation: Invocation) -> tuple[str, list[dict[str, Any]]]:
    given = {name: value for name, value in invocation if name != "params" and value is not None}
    if len(given) != 1:
        raise BadShape("body: give exactly one of dataframe_split, dataframe_records, inputs, instances, beside params")
    [(form, value)] = given.items()
    if isinstance(value, Split):
        if any(len(row) != len(value.columns) for row in value.data):
            raise BadShape(f"{form}.data: every row needs {len(value.columns)} values, one for each column")
        return form, [dict(zip(value.columns, row, strict=True)) for row in value.data]
    if isinstance(value, str):
        return form, [{"text": value}]
    if isinstance(value, dict):
        return form, _columns(form, value)
    if all(isinstance(row, str) for row in value):
        return form, [{"text": row} for row in value]
    if all(isinstance(row, dict) for row in value):
        return form, value
    raise BadShape(f"{form}: give objects with a text, or texts")


def _columns(form: str, columns: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of a mapping of columns, or of one record."""
    lists = {name: value for name, value in columns.items() if isinstance(value, list)}
    if not lists:
        return [columns]
    if len(lists) != len(columns) or len({len(value) for value in lists.values()}) != 1:
        raise BadShape(f"{form}: all columns need lists of the same length")
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
