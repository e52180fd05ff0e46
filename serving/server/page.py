"""The page in the server: a few files of the package, sent under a strict content-security policy."""

import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files

from fastapi import APIRouter, Request
from starlette.responses import Response

from serving.article.output.page import SCRIPTS, TABLES, tables
from serving.server.settings import ServerSettings

KINDS = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
_STATIC = files("serving.article") / "static"
FILES = {file.name: file.read_bytes() for file in _STATIC.iterdir() if file.name.rpartition(".")[2] in KINDS}
FILES[TABLES] = tables().encode()
PAGE = "index.html"
# No key: these are the same for everyone, and the page asks for it.
PAGE_PATHS = frozenset("/" if name == PAGE else f"/static/{name}" for name in FILES)

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no string becomes HTML or code, by mistake either
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # kept, but asked about each time: a new version of the server shows at once
}


def router(settings: ServerSettings) -> APIRouter:
    """A route for each file; the page itself learns its scripts, how much it may send, and if readers may correct."""
    made = APIRouter()
    scripts = "\n".join(f'<script src="static/{name}" defer></script>' for name in SCRIPTS)
    for name, content in FILES.items():
        path, sent = f"/static/{name}", content
        if name == PAGE:
            given = {
                "characters": settings.article_characters,
                "bytes": settings.body_bytes,
                "corrections": str(settings.corrections is not None).lower(),
                "scripts": scripts,
            }
            path, sent = "/", content
            for key, value in given.items():
                sent = sent.replace(f"{{{key}}}".encode(), str(value).encode())
        kind = f"{KINDS[name.rpartition('.')[2]]}; charset=utf-8"
        made.add_api_route(path, sender(sent, kind), include_in_schema=False)
    return made


def sender(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    """Answers with one file, or with 304 to whoever has it."""
    headers = {**HEADERS, "content-type": kind, "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}

    async def send(request: Request) -> Response:
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers)

    return send
