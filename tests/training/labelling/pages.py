"""A page for labelling on loopback: its server runs in a thread of the test."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from serving.server.process import listen
from serving.server.settings import ServerSettings
from training.data.corpus import LabelledStatement
from training.labelling.answers import Session, session
from training.labelling.page import create_app

KEY = "heron-7"


@dataclass(frozen=True)
class Labelling:
    """A page that answers."""

    host: str
    session: Session

    @property
    def url(self) -> str:
        return f"{self.host}/#{KEY}"

    def rows(self) -> list[dict]:
        return [json.loads(line) for line in self.session.path.read_text("utf-8").splitlines()]

    def ask(
        self, path: str, body: object = None, key: str | None = KEY, headers: dict | None = None
    ) -> tuple[int, dict]:
        return ask(self.host, path, body, key, headers)


def ask(
    host: str, path: str, body: object = None, key: str | None = KEY, headers: dict | None = None
) -> tuple[int, dict]:
    """Status and JSON of an answer."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{host}{path}", data, headers or {})
    if key:
        request.add_header("authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@contextmanager
def labelling(path: Path, rows: list[dict], model=None, suggest: bool = False) -> Iterator[Labelling]:
    """The page for these rows."""
    statements = [LabelledStatement.model_validate({"id": str(i), **row}) for i, row in enumerate(rows, 1)]
    settings = ServerSettings(model="none", port=0, body_bytes=1 << 20)
    with session(path, statements) as (opened, _):
        listening = listen(settings)
        app = create_app(opened, model, "tiny" if model else "", suggest, settings, SecretStr(KEY))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Labelling(f"http://127.0.0.1:{listening.getsockname()[1]}", opened)
        finally:
            server.should_exit = True
            thread.join()
