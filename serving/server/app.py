"""The application: routes, limits around them, and what happens at start and stop."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from fastapi import FastAPI, Request
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from serving.article.isolated import end_with_parent
from serving.errors import StancewiseError
from serving.server import drift, logs, page, prometheus
from serving.server.connection import TimedProtocol
from serving.server.engine import Engine, engine_of
from serving.server.gate import Application, Gate
from serving.server.problems import CLIENT_GONE, ClientGone, Failed, Problem, documented, respond
from serving.server.routes import article, correction, invocations, tei, trend, v1
from serving.server.settings import VARIABLE, ServerSettings, read_key
from serving.store.versions import Version

VERSION_VARIABLE = f"{VARIABLE}_VERSION"
KEY_FILE_VARIABLE = f"{VARIABLE}_KEY_FILE"

log = logging.getLogger("stancewise")


def create_app(settings: ServerSettings, version: Version | None, key: SecretStr | None) -> Application:
    """The ASGI application; a lone worker answers /health at once and loads the model meanwhile."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = app.state.engine = Engine(settings, version)
        if settings.workers > 1:
            # Connections go to whichever worker accepts them: one that is not ready must not.
            await engine.start()
        tasks = asyncio.create_task(_live(engine))
        try:
            yield
        finally:
            tasks.cancel()
            with suppress(asyncio.CancelledError):
                await tasks
            await asyncio.to_thread(engine.stop)

    app = FastAPI(
        title="stancewise",
        description="Stance and sentiment of statements toward a target, with calibrated probabilities and abstention.",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its pages fetch scripts from elsewhere
        redoc_url=None,
    )
    for router in (v1.router, article.router, trend.router, invocations.router, tei.router, page.router(settings)):
        app.include_router(router)
    if settings.corrections:
        app.include_router(correction.router)

    @app.get("/health", summary="Whether the process lives")
    async def health() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/ready", summary="Whether a model has passed its warm-up", responses=documented(503))
    async def ready(request: Request) -> dict[str, str]:
        served = engine_of(request).served
        return {"status": "ready", "model": served.name, "version": served.version or ""}

    @app.get("/metrics", summary="For Prometheus", response_class=Response, responses=documented(401))
    async def measured(request: Request) -> Response:
        queue = request.app.state.engine.queue
        text = prometheus.exposition() + (drift.exposition(queue.served.window) if queue else b"")
        return Response(text, media_type="text/plain; version=0.0.4")

    @app.exception_handler(Problem)
    @app.exception_handler(StancewiseError)
    async def refuse(request: Request, problem: Problem | StancewiseError) -> Response:
        return respond(problem)

    @app.exception_handler(ClientGone)
    async def gone(request: Request, error: ClientGone) -> Response:
        return Response(status_code=CLIENT_GONE)  # for the log alone

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        return respond(Failed())

    @app.exception_handler(404)
    async def unknown(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "no such path; see /openapi.json", "error_type": "unknown", "details": []}, 404)

    return Gate(app, settings, key, frozenset(app.openapi()["paths"]) | page.PAGE_PATHS)


async def _live(engine: Engine) -> None:
    try:
        if engine.queue is None:
            await engine.start()
        await engine.watch()
    except StancewiseError as error:
        log.error("the model cannot be loaded", extra={"fields": {"cause": str(error)}})
        logging.shutdown()
        os._exit(1)  # nothing was accepted yet, and there is nothing to serve


def worker() -> Application:
    """The application of a worker process, from what its parent left in the environment."""
    end_with_parent()
    logs.set_up()
    settings = ServerSettings.model_validate_json(os.environ[VARIABLE])
    version = json.loads(os.environ[VERSION_VARIABLE])
    key_file = os.environ.get(KEY_FILE_VARIABLE)
    TimedProtocol.seconds = settings.read_seconds
    return create_app(settings, version and Version(**version), read_key(Path(key_file) if key_file else None))
