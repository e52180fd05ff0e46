"""Clients in Python: a plain one that checks answers, and one that keeps to a rate."""

import asyncio
import http.client
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from serving.labels import Logits
from serving.store.folder import ModelSettings
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


async def _post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> int:
    writer.write(message)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    [length] = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    await reader.readexactly(length)
    return int(head.split(None, 2)[1])


async def _paced(
    running: Running, messages: Sequence[bytes], rate: float | None, clients: int, seconds: float
) -> list[float]:
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    opened = [await asyncio.open_connection(HOST, running.port) for _ in range(clients)]
    for connection in opened:
        free.put_nowait(connection)
    times: list[float] = []

    async def one(number: int, due: float) -> None:
        connection = await free.get()
        if await _post(*connection, messages[number % len(messages)]) != 200:
            raise PeerError("a reply that is not 200")
        times.append(1000 * (time.perf_counter() - due))
        free.put_nowait(connection)

    start = time.perf_counter()
    try:
        if rate is None:
            while time.perf_counter() - start < seconds:
                await one(len(times), time.perf_counter())
        else:
            async with asyncio.TaskGroup() as tasks:
                for number in range(max(1, int(rate * seconds))):
                    # Latency counts from when the request was due, not from when a connection was free for it.
                    due = start + number / rate
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                    tasks.create_task(one(number, due))
    finally:
        for _, writer in opened:
            writer.close()
    return times


def paced(running: Running, requests: Sequence[bytes], rate: float | None, clients: int, seconds: float) -> list[float]:
    """Milliseconds of requests at a constant rate, whatever the server does; without a rate one after the other.

    wrk knows no rate, so this load comes from Python and takes a part of the same cores: figures are a little too high.

    Raises:
        PeerError: a reply is not 200, or the answers do not come.
    """
    header = (
        f"POST {running.server.path} HTTP/1.1\r\nHost: {HOST}:{running.port}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    messages = [(header % len(request)).encode() + request for request in requests]

    async def bounded() -> list[float]:
        return await asyncio.wait_for(_paced(running, messages, rate, clients, seconds), seconds + 60)

    try:
        return asyncio.run(bounded())
    except* (PeerError, OSError, ValueError, EOFError, TimeoutError) as group:
        error = group.exceptions[0]
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        problem = PeerError(f"at a constant rate: {type(error).__name__} {error}")
    raise problem
