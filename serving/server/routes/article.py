"""An article in, its statements out: /v1/article, at once or with progress, and /v1/explain."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Request
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)
from starlette.responses import Response, StreamingResponse

from serving.article.flow import article_of
from serving.article.output.summary import Pair, summarise
from serving.article.reading.parse import INSTALL, pipeline_name
from serving.article.reading.positions import Reading
from serving.article.statements import Article
from serving.article.text.files import check_text
from serving.errors import StancewiseError
from serving.explain import Explanation, explanation, versions
from serving.labels import HEADS, Head
from serving.server import prometheus
from serving.server.engine import Engine, engine_of, while_connected
from serving.server.models import Served
from serving.server.problems import (
    CLIENT_GONE,
    REFUSALS,
    BadShape,
    Failed,
    NoParser,
    Problem,
    TooLarge,
    documented,
    parsed,
    respond,
)
from serving.server.routes.v1 import EXAMPLE, ModelName, model_name
from serving.statement import NAME_CHARACTERS, Name, Prediction, Statement, Text

router = APIRouter()
log = logging.getLogger("stancewise")

STREAM = "application/x-ndjson"
MOST_TARGETS = 200
Stage = Literal["reading", "labelling"]
Tell = Callable[[Stage, int, int], None]


TargetName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_CHARACTERS)]


class Target(BaseModel):
    """What positions are looked for on, and what else it is called in the text."""

    name: TargetName
    aliases: list[TargetName] = Field(default=[], max_length=MOST_TARGETS)


def _list_of_targets(given: Any) -> Any:
    """Both forms as a list of `Target`: the place of a mistake is then a number, not a user's own words."""
    if isinstance(given, dict):
        return [{"name": name, "aliases": aliases} for name, aliases in given.items()]
    if isinstance(given, list):
        return [{"name": name} for name in given]
    return given


class ArticleQuery(BaseModel):
    """A text to read, and what to look for in it."""

    model_config = ConfigDict(extra="forbid")

    text: Text = Field(description="an article, a readout, a transcript")
    name: Name = Field(default=None, description="given back with the article")
    targets: Annotated[
        list[Target] | None,
        BeforeValidator(_list_of_targets, json_schema_input_type=dict[str, list[str]] | list[str] | None),
    ] = Field(
        default=None,
        max_length=MOST_TARGETS,
        description="names, or name -> aliases; null: every entity and issue on which a position may be taken",
    )
    all: bool = Field(default=False, description="also pairs that show no position, or too unsure a one")


class ArticleReply(BaseModel):
    """The labelled article, its holder-target pairs, and which model answered."""

    article: Article
    pairs: list[Pair]
    model: ModelName


class ExplainQuery(Statement):
    """A statement, and the label of a head that is to be explained."""

    head: Head = "stance"
    label: str | None = Field(default=None, description="null: the model's own answer")

    @model_validator(mode="after")
    def _of_the_head(self) -> Self:
        if self.label is not None and self.label not in HEADS[self.head]:
            raise ValueError(f"label: give one of {', '.join(HEADS[self.head])}")
        return self


ARTICLE_QUERY = TypeAdapter(ArticleQuery)
EXPLAIN_QUERY = TypeAdapter(ExplainQuery)

ARTICLE_EXAMPLE = {
    "name": "harbour.txt",
    "text": "The mayor hailed the tram plan. “It is a waste,” said Ada Lund, who owns a shop on the quay.",
    "targets": {"the tram plan": ["the tram"]},
}


def body_of(query: TypeAdapter[Any], example: Any) -> dict[str, Any]:
    """A route's body, for the OpenAPI document."""
    content = {"schema": query.json_schema(), "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            STREAM: {
                "schema": {
                    "type": "string",
                    "description": 'lines {"progress": {"stage", "done", "total"}}, then one {"result": ...} '
                    'or {"error": ...} with the status and retry_after beside the fields of every error',
                }
            }
        }
    }
}


@router.post(
    "/v1/article",
    response_model=ArticleReply,
    responses={**REFUSALS, **documented(501), **STREAMED},
    openapi_extra=body_of(ARTICLE_QUERY, ARTICLE_EXAMPLE),
    summary="Read an article and label who takes which position toward what",
)
async def article(request: Request) -> Response:
    """Statements with holder, target, offsets and both labels; with `Accept: application/x-ndjson` progress first.

    An article may have more statements than a request: they are labelled in pieces, between those of others.
    """
    if pipeline_name() is None:
        raise NoParser(
            "this server reads no articles: no English pipeline for spaCy is installed; install one beside it with: "
            f"{INSTALL}, and start it again"
        )
    engine = engine_of(request)
    query = parse_article(request.state.body, engine.settings.article_characters)
    request.state.fields = {"characters": len(query.text)}
    _ = engine.served
    engine.reader.take()
    told: asyncio.Queue[bytes | None] = asyncio.Queue()

    def tell(stage: Stage, done: int, total: int) -> None:
        told.put_nowait(_line(progress={"stage": stage, "done": done, "total": total}))

    def end(_: "asyncio.Task[bytes]") -> None:
        engine.reader.leave()
        told.put_nowait(None)

    task = asyncio.create_task(_label(request, engine, query, tell))
    task.add_done_callback(end)
    if STREAM in request.headers.get("accept", ""):
        return StreamingResponse(_stream(request, task, told), media_type=STREAM)
    return Response(await while_connected(request, task), media_type="application/json")


@router.post(
    "/v1/explain",
    response_model=Explanation,
    responses=REFUSALS,
    openapi_extra=body_of(EXPLAIN_QUERY, {**EXAMPLE, "head": "stance"}),
    summary="Which words of a statement carried its label",
)
async def explain(request: Request) -> Response:
    """The effect of leaving out each word; the model is asked about as many versions as the text has words, and two."""
    engine = engine_of(request)
    query = parsed(EXPLAIN_QUERY, request.state.body)
    words, asked = versions(query)
    request.state.fields = {"statements": len(asked)}
    answers, _ = await while_connected(request, engine.answer_in_pieces(asked, counted=False))
    for answer in answers:
        if isinstance(answer, StancewiseError):
            raise answer
    predictions = [answer for answer in answers if isinstance(answer, Prediction)]
    found = explanation(query, words, query.head, predictions, query.label)
    if found is None:
        raise BadShape(f"head: the model was not trained for {query.head}")
    return Response(found.model_dump_json(), media_type="application/json")


def parse_article(body: bytes, most: int) -> ArticleQuery:
    """The query of a body.

    Args:
        body: JSON.
        most: characters that the text may have.

    Raises:
        BadShape: it is no such query.
        TooLarge: the text is too long.
        StancewiseError: the text is empty or no text.
    """
    query = parsed(ARTICLE_QUERY, body)
    if len(query.text) > most:
        raise TooLarge(f"the text has {len(query.text):,} characters; send at most {most:,} at once")
    check_text(query.text)
    return query


async def _label(request: Request, engine: Engine, query: ArticleQuery, tell: Tell) -> bytes:
    """The JSON of the reply; runs until it is cancelled or done."""
    tell("reading", 0, len(query.text))
    start = time.perf_counter()
    targets = {one.name: one.aliases for one in query.targets} if query.targets else None
    reading, statements = await engine.reader.read(
        query.text, targets, lambda done, total: tell("reading", done, total), engine.served.classifier, query.all
    )
    seconds = time.perf_counter() - start
    prometheus.READING.observe(seconds)
    request.state.fields |= {"statements": len(statements), "read_ms": round(1000 * seconds, 2)}
    tell("labelling", 0, len(statements))
    answers, served = await engine.answer_in_pieces(statements, lambda done, total: tell("labelling", done, total))
    # Thousands of statements take a while to write: not on the event loop.
    return await asyncio.to_thread(_reply, query, reading, answers, served)


def _reply(
    query: ArticleQuery, reading: Reading, answers: Sequence[Prediction | StancewiseError], served: Served
) -> bytes:
    found = article_of(reading, answers, query.name)
    return ArticleReply(article=found, pairs=summarise([found]), model=model_name(served)).model_dump_json().encode()


async def _stream(
    request: Request, task: "asyncio.Task[bytes]", told: "asyncio.Queue[bytes | None]"
) -> AsyncIterator[bytes]:
    """Progress while there is any, then the result, or the error that would have been the answer."""
    state = request.state
    state.outcome = CLIENT_GONE
    try:
        while line := await told.get():
            yield line
        result = task.result()
        state.outcome = 200
        yield b'{"result": ' + result + b"}\n"
    except (Problem, StancewiseError) as problem:
        yield _refusal(request, problem)
    except Exception:
        # The status is sent, and an answer that breaks off would not say whose mistake it is.
        log.exception("a request failed", extra={"fields": {"request_id": state.request_id}})
        yield _refusal(request, Failed())
    finally:
        task.cancel()


def _refusal(request: Request, problem: Problem | StancewiseError) -> bytes:
    """The last line of a stream in place of the answer that the problem would have had."""
    refusal = respond(problem)
    request.state.outcome = refusal.status_code
    later = refusal.headers.get("retry-after")
    more = {"status": refusal.status_code, "retry_after": later and int(later)}
    return _line(error={**json.loads(bytes(refusal.body)), **more})


def _line(**content: Any) -> bytes:
    return json.dumps(content).encode() + b"\n"
