"""Everything that can go wrong with a request, and the one map from it to a status."""

import codecs
import json
import math
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from starlette.responses import Response

from serving.errors import StancewiseError, message
from serving.rows.check import nearly
from serving.rows.content import LOOKED_AT, other_than_text

T = TypeVar("T")

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_UNKNOWN = "has a field that is not known"
CLIENT_GONE = 499  # what proxies log for a client that did not wait


class ClientGone(Exception):  # noqa: N818
    """The client closed the connection; nobody is there to answer."""


class Problem(Exception):  # noqa: N818
    """A request that gets no predictions; its text never holds a user's text."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    kind = "invalid"

    def __init__(self, message: str, details: Sequence["Detail"] = (), retry_after: float | None = None) -> None:
        super().__init__(message)
        self.details = details
        self.retry_after = retry_after


class BadShape(Problem):
    """The body is not what the protocol asks for."""


class Unauthorized(Problem):
    """The API key is missing or wrong."""

    status = HTTPStatus.UNAUTHORIZED
    kind = "unauthorized"


class TooLarge(Problem):
    """More bytes or statements than one request may hold."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    kind = "too_large"


class TooSlow(Problem):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    kind = "too_slow"


class QueueFull(Problem):
    """More statements or articles wait than the server takes on."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    kind = "overloaded"


class NotReady(Problem):
    """No model has passed its warm-up yet, or the server is stopping."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "not_ready"


class NoParser(Problem):
    """Articles cannot be read with what is installed: rules alone would find fewer positions without a word of it."""

    status = HTTPStatus.NOT_IMPLEMENTED
    kind = "no_parser"


class TooLong(Problem):
    """An article was not read within the time that one may take."""

    kind = "too_long"


class ReaderLost(Problem):
    """The process that reads articles ended while it read this one."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "reader_lost"


class PastDeadline(Problem):
    """The answer would come too late."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "deadline"


class NotKept(Problem):
    """What was to be kept could not be written."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    kind = "not_kept"


class Failed(Problem):
    """A mistake of ours; the log says where."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    kind = "internal"

    def __init__(self) -> None:
        super().__init__("the server failed; its log says where")


class Detail(BaseModel):
    """One thing wrong with the body."""

    path: str = Field(description="the field, such as 3.target")
    problem: str


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: str = Field(description="what is wrong and what to do")
    error_type: str = Field(
        description="unauthorized, too_large, too_slow, too_long, invalid, overloaded, not_ready, no_parser, "
        "reader_lost, deadline, not_kept, unknown or internal"
    )
    details: list[Detail] = []


def parsed(kind: TypeAdapter[T], body: bytes) -> T:
    """A body of JSON as what a protocol asks for; a byte order mark before it is no part of it.

    Raises:
        BadShape: it is no JSON, or another shape.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        return kind.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        if first["type"] != "json_invalid":
            raise bad_shape(error) from None
        problem = _no_json(body) or first["msg"]
        raise BadShape(f"body: {problem}", [Detail(path="body", problem=problem)]) from None


def _no_json(body: bytes) -> str | None:
    """What a body is that does not even begin as an object or a list does."""
    send = "send JSON as UTF-8, not compressed"
    if not body.strip():
        return f"empty; {send}"
    if found := other_than_text(body[:LOOKED_AT]):
        return f"{found[0]}, not JSON; {send}"
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8 at byte {error.start}; {send}"
    if body.lstrip()[:1] not in (b"{", b"["):
        table = "a table goes through: python -m serving predict --input TABLE.csv"
        return f"CSV, a form or other plain text, not JSON; {send}; {table}"
    try:
        several = len([json.loads(line) for line in body.splitlines() if line.strip()]) > 1
    except (ValueError, RecursionError):
        return None
    return f"JSON Lines, not JSON; put the objects in one list: [{{...}}, {{...}}]; {send}" if several else None


def bad_shape(error: ValidationError, within: str = "") -> BadShape:
    """Every wrong field by its path and every unknown one by its name, without any content."""
    details = []
    errors = error.errors(include_input=False, include_context=False, include_url=False)
    for one in errors:
        parts, problem = [str(part) for part in one["loc"]], message(one["msg"])
        if one["type"] == "extra_forbidden":
            name = parts.pop()
            meant = nearly(name)
            problem = _UNKNOWN
            # A key of another form may be the user's own text.
            problem += f": {name!r}" if _KEY.fullmatch(name) else ""
            problem += f"; did you mean {meant!r}?" if meant else ""
        path = ".".join([within, *parts] if within else parts)
        details.append(Detail(path=path or "body", problem=problem))
    if errors[0]["type"] == "missing":  # an unknown name is why what is required seems to lack
        details.sort(key=lambda one: not one.problem.startswith(_UNKNOWN))
    first = details[0]
    return BadShape(f"{first.path}: {first.problem}", details[:20])


def respond(problem: Problem | StancewiseError) -> Response:
    """The answer for a problem; a StancewiseError is a statement that the model cannot read."""
    if isinstance(problem, StancewiseError):
        problem = BadShape(str(problem))
    body = ErrorBody(error=str(problem), error_type=problem.kind, details=list(problem.details))
    headers = {"content-type": "application/json"}
    if problem.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(problem.retry_after)))
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return Response(body.model_dump_json(), status_code=problem.status, headers=headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for the OpenAPI document."""
    return {status: {"model": ErrorBody, "description": HTTPStatus(status).phrase} for status in statuses}


REFUSALS = documented(401, 408, 413, 422, 429, 503)  # of every route that labels statements
