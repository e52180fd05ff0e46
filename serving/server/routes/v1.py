"""Our own protocol: /v1/predict and /v1/model."""

import codecs
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import Response

from serving.labels import HEADS, Head
from serving.server.engine import engine_of
from serving.server.models import Served
from serving.server.problems import REFUSALS, BadShape, documented, parsed
from serving.statement import Prediction, Statement

router = APIRouter()

STATEMENT = TypeAdapter(Statement)
STATEMENTS = TypeAdapter(list[Statement])

EXAMPLE = {
    "text": "The mayor hailed the tram plan, which shopkeepers called a waste.",
    "speaker": "shopkeepers",
    "target": "the tram plan",
}
_SCHEMA = Statement.model_json_schema()
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"anyOf": [_SCHEMA, {"type": "array", "minItems": 1, "items": _SCHEMA}]},
                "examples": {
                    "one": {"summary": "one statement", "value": EXAMPLE},
                    "several": {"summary": "several", "value": [EXAMPLE, {**EXAMPLE, "speaker": "The mayor"}]},
                },
            }
        },
    }
}


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    version: str | None = Field(description="in the registry; null for a folder")
    run_id: str | None = Field(description="the MLflow run that trained it")
    runtime: str = Field(description="torch, openvino or numpy")


class HeadAnswer(BaseModel):
    """A head's answer: a label, its calibrated probability, and that of every label (they sum to 1)."""

    label: str
    probability: float
    probabilities: dict[str, float]
    abstained: bool = Field(
        description="the label's probability is below the head's threshold, or the model does not read the language"
    )


class StatementAnswer(BaseModel):
    """What the model says of one statement; a head that it was not trained for is null."""

    stance: HeadAnswer | None
    sentiment: HeadAnswer | None
    abstained: bool = Field(description="a head is too unsure to be relied on")
    language: str = Field(description="ISO 639 code of the text's language, or unknown")
    foreign: bool = Field(description="the model does not read this language: both heads abstain")


class PredictReply(BaseModel):
    """Answers in the order of the statements."""

    predictions: list[StatementAnswer]
    model: ModelName


class ModelReply(ModelName):
    """The model and how it reads."""

    heads: dict[str, list[str]] = Field(description="labels by head")
    temperatures: dict[Head, float]
    abstain_below: dict[Head, float]
    template: str
    max_length: int
    languages: list[str] | None = Field(description="it abstains on others; null: it was told to answer to all")
    schemes: list[str]


@router.post(
    "/v1/predict",
    response_model=PredictReply,
    responses=REFUSALS,
    openapi_extra=BODY,
    summary="Label one statement, or a list of them",
)
async def predict(request: Request) -> Response:
    """Stance and sentiment of each statement toward its target, calibrated, with abstention."""
    engine = engine_of(request)
    statements = parse_statements(request.state.body)
    answer = await engine.answer(request, statements)
    reply = PredictReply(
        predictions=[statement_answer(one) for one in answer.predictions], model=model_name(answer.served)
    )
    return Response(reply.model_dump_json(), media_type="application/json")


@router.get("/v1/model", responses=documented(401, 503), summary="The model that answers")
async def model(request: Request) -> ModelReply:
    """Name, version, run, labels, calibration and limits of the model that is served now."""
    served = engine_of(request).served
    settings, languages = served.classifier.settings, served.classifier.languages
    return ModelReply(
        **model_name(served).model_dump(),
        heads={head: list(HEADS[head]) for head in settings.heads},
        temperatures=settings.temperatures,
        abstain_below=settings.abstain_below,
        template=settings.template,
        max_length=settings.max_length,
        languages=None if languages is None else list(languages),
        schemes=list(settings.schemes),
    )


def parse_statements(body: bytes) -> Sequence[Statement]:
    """The statements of a body: one object, or a list of at least one.

    Raises:
        BadShape: it is neither.
    """
    if body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] != b"[":
        return [parsed(STATEMENT, body)]
    statements = parsed(STATEMENTS, body)
    if not statements:
        raise BadShape("body: an empty list; send at least one statement")
    return statements


def statement_answer(prediction: Prediction) -> StatementAnswer:
    """The prediction in the form of the protocol."""
    heads: dict[str, Any] = {
        name: head
        and HeadAnswer.model_construct(
            label=head.label,
            probability=head.probability,
            probabilities=head.probabilities,
            abstained=head.abstained,
        )
        for name, head in (("stance", prediction.stance), ("sentiment", prediction.sentiment))
    }
    return StatementAnswer.model_construct(
        **heads, abstained=prediction.abstained, language=prediction.language, foreign=prediction.foreign
    )


def model_name(served: Served) -> ModelName:
    """Which model it is."""
    return ModelName(
        name=served.name,
        version=served.version,
        run_id=served.run_id,
        runtime=served.classifier.runtime.name,
    )
