"""Everything that can go wrong with a request, and the one map from it to a status."""

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from serving.errors import StancewiseError, message

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


class PastDeadline(Problem):
    """The answer would come too late."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    kind = "deadline"


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
        description="unauthorized, too_large, too_slow, invalid, overloaded, not_ready, no_parser or deadline"
    )
    details: list[Detail] = []


def bad_shape(error: ValidationError, within: str = "") -> BadShape:
    """Every wrong field by its path, without any of its content."""
    details = []
    for one in error.errors(include_input=False, include_context=False, include_url=False):
        known = one["type"] != "extra_forbidden"
        # The name of an unknown field is the user's own text.
        path = ".".join(str(part) for part in (*([within] if within else []), *one["loc"][: None if known else -1]))
        problem = message(one["msg"]) if known else "has a field that is not known"
        details.append(Detail(path=path or "body", problem=problem))
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
