"""What every request passes through: key, size and pace of the body, request id, log line, metrics, errors."""

import asyncio
import hmac
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from pydantic import SecretStr

from serving.errors import StancewiseError
from serving.server import prometheus
from serving.server.page import PAGE_PATHS
from serving.server.problems import CLIENT_GONE, ClientGone, Problem, TooLarge, TooSlow, Unauthorized, respond
from serving.server.settings import ServerSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/health", "/ready", "/ping"})  # no key: they say nothing but whether the server lives
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

log = logging.getLogger("stancewise")


class Gate:
    """The application around the routes.

    The body is read here, whole and within its limits, and lies in `request.state.body`. A route that streams leaves
    what came of it in `request.state.outcome`: a status that counts instead of the 200 the stream began with.
    """

    def __init__(
        self,
        app: Application,
        settings: ServerSettings,
        key: SecretStr | None,
        paths: frozenset[str],
        open_paths: frozenset[str] = OPEN_PATHS | PAGE_PATHS,
    ) -> None:
        self.app = app
        self.settings = settings
        self.key = key.get_secret_value().encode() if key else None
        self.paths = paths  # of the routes: only these are logged and counted by name
        self.open_paths = open_paths

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex.encode()
        state = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        status = CLIENT_GONE

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        try:
            self._check_key(scope["path"], headers)
            state["body"] = await self._body(headers, receive) if scope["method"] == "POST" else b""
            state["start"] = time.perf_counter()
            await self.app(scope, receive, sending)
        except (Problem, StancewiseError) as problem:
            response = respond(problem)
            if isinstance(problem, TooLarge | TooSlow):
                response.headers["connection"] = "close"  # the rest of the body is not read
            await response(scope, receive, sending)
        except ClientGone:
            pass
        except Exception:
            log.exception("a request failed", extra={"fields": {"request_id": request_id.decode()}})
        finally:
            outcome = state.get("outcome", status)
            self._note(scope, state, request_id.decode(), outcome, time.perf_counter() - start)

    def _check_key(self, path: str, headers: dict[bytes, bytes]) -> None:
        if self.key is None or path in self.open_paths:
            return
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self.key):
            raise Unauthorized("the API key is missing or wrong; send it as: Authorization: Bearer KEY")

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        most = self.settings.body_bytes
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > most:
            raise TooLarge(f"the body has more than {most:,} bytes; send fewer statements at once")
        chunks, size = [], 0
        try:
            async with asyncio.timeout(self.settings.read_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGone
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > most:
                        raise TooLarge(f"the body has more than {most:,} bytes; send fewer statements at once")
                    chunks.append(chunk)
                    if not message.get("more_body"):
                        return b"".join(chunks)
        except TimeoutError:
            raise TooSlow(f"the body did not arrive within {self.settings.read_seconds:g} seconds") from None

    def _note(
        self, scope: MutableMapping[str, Any], state: dict[str, Any], request_id: str, status: int, seconds: float
    ) -> None:
        path = scope["path"] if scope["path"] in self.paths else "other"
        prometheus.REQUESTS.labels(path, str(status)).inc()
        if path in OPEN_PATHS or path == "/metrics":
            return
        fields = {
            "request_id": request_id,
            "method": scope["method"] if path != "other" else "other",
            "path": path,
            "status": status,
            "ms": round(1000 * seconds, 2),
            **state.get("fields", {}),
        }
        log.info("request", extra={"fields": fields})
