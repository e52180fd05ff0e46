"""A plain client in Python that checks answers."""

import http.client
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.artifact import ModelSettings
from serving.labels import Logits
from serving_peers.processes import PeerError
from serving_peers.servers import HOST, Running
from serving_peers.texts import Texts


class Client:
    """One keep-alive connection."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.connection = http.client.HTTPConnection(HOST, running.port, timeout=30)

    def post(self, body: bytes) -> tuple[int, Any]:
        """Status, and what the reply's JSON holds (None if it holds none).

        Raises:
            PeerError: the connection breaks.
        """
        try:
            self.connection.request("POST", self.running.server.path, body, {"Content-Type": "application/json"})
            reply = self.connection.getresponse()
            content = reply.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise PeerError(f"{type(error).__name__}: {error}") from None
        try:
            return reply.status, json.loads(content)
        except ValueError:
            return reply.status, None

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def bodies(running: Running, texts: Texts) -> list[bytes]:
    """The request of every statement, in this server's protocol."""
    pairs = zip(texts.statements, texts.rendered, strict=True)
    return [json.dumps(running.server.body(*pair)).encode() for pair in pairs]


def check(client: Client, requests: Sequence[bytes], expected: Logits, settings: ModelSettings) -> float:
    """The largest difference of a probability from the expected ones.

    Raises:
        PeerError: a reply is not 200 or cannot be read.
    """
    worst = 0.0
    for request, probabilities in zip(requests, expected, strict=False):
        status, reply = client.post(request)
        if status != 200:
            raise PeerError(f"status {status} for a good request")
        try:
            found = client.running.server.read(reply, settings)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise PeerError(f"a reply of another form ({type(error).__name__}: {error})") from None
        worst = max(worst, float(np.abs(found - probabilities).max()))
    return worst


def after_error(client: Client, request: bytes, expected: Logits, settings: ModelSettings) -> str:
    """How a connection fares that has sent half a JSON object: the status, and whether it goes on to answer."""
    status, _ = client.post(b'{"text": ')
    # http.client opens a new connection by itself when the server has said that it closes this one.
    kept = client.connection.sock is not None
    try:
        check(client, [request], expected[:1], settings)
    except PeerError as error:
        return f"{status}, then {error}"
    return f"{status}, goes on" if kept else f"{status}, closes"
