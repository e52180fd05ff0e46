"""The classification protocol of text-embeddings-inference, which Hugging Face clients speak too: /predict."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.responses import Response

from serving.server.engine import engine_of
from serving.server.problems import REFUSALS, BadShape, bad_shape, parsed
from serving.statement import Prediction, Statement

router = APIRouter()


class Parameters(BaseModel):
    """What huggingface_hub's client may ask for."""

    model_config = ConfigDict(extra="ignore")

    top_k: int | None = None
    function_to_apply: str | None = None


class Query(BaseModel):
    """A text, a pair of text and target, or a batch: a list of lists of one or two."""

    model_config = ConfigDict(extra="ignore")

    inputs: str | list[str] | list[list[str]]
    parameters: Parameters | None = None
    raw_scores: bool = False


class Score(BaseModel):
    """A label, such as `stance:support`, with its calibrated probability."""

    score: float
    label: str


EXAMPLES = {
    "single": {"value": {"inputs": "The mayor hailed the tram plan."}},
    "pair": {"value": {"inputs": ["The mayor hailed the tram plan.", "the tram plan"]}},
    "batch": {"value": {"inputs": [["It rained."], ["The mayor hailed the tram plan.", "the tram plan"]]}},
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Query.model_json_schema(), "examples": EXAMPLES}},
    }
}
QUERY = TypeAdapter(Query)
SCORES = TypeAdapter(list[Score] | list[list[Score]])


@router.post(
    "/predict",
    response_model=list[Score] | list[list[Score]],
    responses=REFUSALS,
    openapi_extra=BODY,
    summary="text-embeddings-inference: classify a text, a text and its target, or a batch",
)
async def predict(request: Request) -> Response:
    """The labels of both heads, the most probable first; each head's probabilities sum to 1."""
    query, statements, batch = parse_query(request.state.body)
    answer = await engine_of(request).answer(request, statements)
    top = query.parameters.top_k if query.parameters else None
    scores = [_scores(one)[:top] for one in answer.predictions]
    # The client of huggingface_hub sends parameters and expects a list in a list, as the Hub's own servers answer.
    reply = scores if batch or query.parameters is not None else scores[0]
    return Response(SCORES.dump_json(reply), media_type="application/json")


def parse_query(body: bytes) -> tuple[Query, list[Statement], bool]:
    """The query, its statements, and whether they came as a batch.

    Raises:
        BadShape: the body is no such query.
    """
    query = parsed(QUERY, body)
    if query.raw_scores or (query.parameters and query.parameters.function_to_apply not in (None, "softmax")):
        raise BadShape("raw_scores: only calibrated probabilities are served; leave it out")
    inputs = query.inputs
    batch = isinstance(inputs, list) and any(isinstance(one, list) for one in inputs)
    rows: list[Any] = list(inputs) if batch else [[inputs] if isinstance(inputs, str) else inputs]
    if not rows or any(len(row) not in (1, 2) for row in rows):
        raise BadShape("inputs: give a text, [text, target], or a list of such lists")
    try:
        return query, [Statement(text=row[0], target=row[1] if len(row) > 1 else None) for row in rows], batch
    except ValidationError as error:
        raise bad_shape(error, "inputs") from None


def _scores(prediction: Prediction) -> list[Score]:
    scores = [
        Score(score=probability, label=f"{name}:{label}")
        for name, head in (("stance", prediction.stance), ("sentiment", prediction.sentiment))
        if head
        for label, probability in head.probabilities.items()
    ]
    return sorted(scores, key=lambda score: -score.score)
