"""A real server of ours in a process of its own, on loopback."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import REPOSITORY


@dataclass(frozen=True)
class Answered:
    """A response."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self):
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server."""

    url: str
    process: subprocess.Popen
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def ask(self, path: str, body: bytes | object = None, headers: dict[str, str] | None = None) -> Answered:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"content-type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return Answered(response.status, response.read(), dict(response.headers))
        except urllib.error.HTTPError as error:
            return Answered(error.code, error.read(), dict(error.headers))

    def predict(self, body: object, **headers: str) -> Answered:
        return self.ask("/v1/predict", body, headers)

    def metric(self, name: str) -> float:
        """The sum over a metric's labels."""
        lines = self.ask("/metrics").body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]

    def wait_for(self, message: str, seconds: float = 60) -> dict:
        """The last log line with this message."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = [line for line in self.lines() if line["message"] == message]
            if found:
                return found[-1]
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"no line {message!r} in\n{self.log.read_text()}")


@contextmanager
def served(model: str | Path, log: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Start a server, wait until it is ready, stop it at the end."""
    with started(model, log, *options, **environment) as server:
        until = time.monotonic() + 120
        while server.ask("/ready").status != 200:
            assert server.process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        yield server


@contextmanager
def started(model: str | Path, log: Path, *options: str, **environment: str) -> Iterator[Server]:
    """Start a server and wait until it listens."""
    command = [sys.executable, "-m", "serving", "serve", "--model", str(model), "--port", "0", "--device", "cpu"]
    with log.open("w") as file:
        process = subprocess.Popen(
            [*command, *options],
            stderr=file,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **environment},
        )
        server = Server("", process, log)
        try:
            url = server.wait_for("listening")["url"]
            yield Server(url, process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(10)
