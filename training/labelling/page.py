"""The page where one person labels: a few routes on loopback around a session, behind a key that its address holds."""

import asyncio
import json
import logging
import secrets
import signal
import sys
from collections.abc import Callable
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, SecretStr, TypeAdapter
from starlette.responses import JSONResponse, Response

from serving.classifier import StanceClassifier
from serving.errors import StancewiseError, full_disk
from serving.labels import HEADS
from serving.language.detect import UNKNOWN, language_of
from serving.names.mentions import find_mention
from serving.server import logs, page
from serving.server.gate import Application, Gate
from serving.server.problems import Failed, NotKept, Problem, parsed, respond
from serving.server.process import listen
from serving.server.settings import ServerSettings
from serving.statement import Statement
from training.data.corpus import LabelledStatement
from training.labelling.answers import Answered, Given, Mentions, Session
from training.labelling.guide import guide

STATIC = {file.name: file.read_bytes() for file in (files("training.labelling") / "static").iterdir()}
SHARED = ("view.css", "app.css", "icon.svg")  # of the server's page
PATHS = frozenset({"/", *(f"/static/{name}" for name in (*STATIC, *SHARED))})

ANSWER, MENTIONS = TypeAdapter(Given), TypeAdapter(Mentions)


class Taken(Problem):
    """The statement was answered in another window."""

    status = HTTPStatus.CONFLICT
    kind = "answered"


class Skipped(BaseModel):
    """Which statement to skip."""

    model_config = ConfigDict(extra="forbid")

    id: str


SKIPPED = TypeAdapter(Skipped)


def serve(
    session: Session,
    port: int,
    model: StanceClassifier | None,
    model_name: str,
    suggest: bool,
    tell: Callable[[str], None],
) -> None:
    """Answer the page until SIGTERM or SIGINT.

    Args:
        session: of the labeller.
        port: on 127.0.0.1; 0 takes any free one.
        model: whose answers are shown, if there is one.
        model_name: as the user gave it.
        suggest: shown at once, not only when asked for.
        tell: takes the address of the page, once it answers.

    Raises:
        StancewiseError: the port is taken.
    """
    logs.set_up()
    logging.getLogger("stancewise").setLevel(logging.WARNING)
    settings = ServerSettings(model=model_name or "none", port=port, body_bytes=1 << 20)
    key = secrets.token_urlsafe(16)
    listening = listen(settings)
    # Behind the # the key is sent nowhere: not in the first request, not in a referrer.
    tell(f"http://127.0.0.1:{listening.getsockname()[1]}/#{key}")
    app = create_app(session, model, model_name, suggest, settings, SecretStr(key))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=2
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises the signal again when it has stopped
    uvicorn.Server(config).run(sockets=[listening])


def create_app(
    session: Session,
    model: StanceClassifier | None,
    model_name: str,
    suggest: bool,
    settings: ServerSettings,
    key: SecretStr,
) -> Application:
    """The ASGI application. Its routes run on one thread, one after the other: each step is whole."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(_files())
    app.include_router(_steps(session, model, model_name, suggest))

    @app.exception_handler(Problem)
    @app.exception_handler(StancewiseError)
    async def refuse(request: Request, problem: Problem | StancewiseError) -> Response:
        return respond(problem)

    @app.exception_handler(Answered)
    async def taken(request: Request, error: Answered) -> Response:
        return respond(Taken("this statement was answered in another window; the next one is shown"))

    @app.exception_handler(OSError)
    async def not_written(request: Request, error: OSError) -> Response:
        why = full_disk(error) or f"the answer was not written ({error.strerror}); nothing is lost but this one"
        return respond(NotKept(str(why)))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return respond(Failed())

    return Gate(app, settings, key, PATHS, open_paths=PATHS)


def _files() -> APIRouter:
    made = APIRouter()
    shared = {name: page.FILES[name] for name in SHARED}
    for name, content in (STATIC | shared).items():
        path = "/" if name == page.PAGE else f"/static/{name}"
        made.add_api_route(path, page.sender(content, f"{page.KINDS[name.rpartition('.')[2]]}; charset=utf-8"))
    return made


def _steps(session: Session, model: StanceClassifier | None, model_name: str, suggest: bool) -> APIRouter:
    made = APIRouter()
    rules = guide()

    def state(chosen: LabelledStatement | None = None) -> JSONResponse:
        asked = session.next()
        return JSONResponse(
            {
                "statement": asked and _shown(asked, chosen or asked),
                "done": len(session.answers),
                "total": len(session.statements),
                "seconds_left": session.seconds_left(),
                "can_undo": session.can_undo(),
                "output": session.path.name,
            }
        )

    @made.get("/start")
    async def start() -> Response:
        about = {"model": model_name if model else None, "suggest": suggest, "guide": rules and _nested(rules)}
        return JSONResponse({**about, "state": json.loads(bytes(state().body))})

    @made.get("/next")
    async def following() -> Response:
        return state()

    @made.post("/answer")
    async def answer(request: Request) -> Response:
        session.answer(parsed(ANSWER, request.state.body))
        return state()

    @made.post("/skip")
    async def skip(request: Request) -> Response:
        session.skip(parsed(SKIPPED, request.state.body).id)
        return state()

    @made.post("/undo")
    async def undo(request: Request) -> Response:
        return state(session.undo())

    @made.post("/suggestion")
    async def suggestion(request: Request) -> Response:
        given = parsed(MENTIONS, request.state.body)
        statement = session.statement(given)
        if model is None:
            raise Problem("no model was named; start the command with --model")
        [prediction] = await asyncio.to_thread(model.predict, [statement])
        said = {"model": model_name, "run_id": model.settings.run_id, **prediction.row()}
        session.shown[given.id] = said
        return JSONResponse(said)

    return made


def _shown(asked: LabelledStatement, chosen: LabelledStatement) -> dict[str, Any]:
    """A statement for the page: where its mentions stand, and what is chosen for it."""
    language = asked.language or language_of(asked.text, None)
    return {
        "id": asked.id,
        "text": asked.text,
        "language": "" if language == UNKNOWN else language,
        "chosen": {head: getattr(chosen, head) for head in HEADS} | {"note": chosen.note or ""},
        **{name: _mention(chosen, name) for name in ("speaker", "target")},
        "mended": [name for name in ("speaker", "target") if _fields(asked, name) != _fields(chosen, name)],
    }


def _fields(statement: Statement, name: str) -> list[Any]:
    return [getattr(statement, field) for field in (name, f"{name}_start", f"{name}_end")]


def _mention(statement: Statement, name: str) -> dict[str, Any] | None:
    """A name and where it stands in the text, in characters; null without a name."""
    words, start, end = _fields(statement, name)
    if words is None:
        return None
    if start is None:
        start, end = find_mention(statement.text, words) or (None, None)
    return {"words": words, "start": start, "end": end}


def _nested(rules: Any) -> Any:
    return {
        "stance": rules.stance._asdict(),
        "sentiment": rules.sentiment._asdict(),
        "cases": [one._asdict() for one in rules.cases],
    }
