"""Start, share the port, stop in good order."""

import os
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from serving.errors import StancewiseError
from serving.server import logs
from serving.server.settings import VARIABLE, ServerSettings, read_key


class TimedProtocol(HttpToolsProtocol):
    """Closes a connection whose request's headers do not arrive in time: uvicorn itself would wait for ever."""

    seconds = 10.0
    _late: Any = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._late = self.loop.call_later(self.seconds, self._close_idle)

    def on_headers_complete(self) -> None:
        """The headers came in time."""
        self._stop_clock()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """A later request on the same connection."""
        if self._late is None:
            self._late = self.loop.call_later(self.seconds, self._close_idle)
        super().on_message_begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing left to time."""
        self._stop_clock()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close_idle(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()


def serve(settings: ServerSettings, key_file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted by then is answered within the grace time.

    Raises:
        StancewiseError: the port is taken, the key cannot be read, or the model does not load.
    """
    read_key(key_file)  # a mistake is said here, not in every worker
    logs.set_up()
    os.environ[VARIABLE] = settings.model_dump_json()
    if key_file:
        os.environ[f"{VARIABLE}_KEY_FILE"] = str(key_file.resolve())
    TimedProtocol.seconds = settings.read_seconds
    listening = _listen(settings)
    config = uvicorn.Config(
        "serving.server.app:worker",
        factory=True,
        http=TimedProtocol,
        lifespan="on",
        workers=settings.workers,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.connections,
        timeout_graceful_shutdown=settings.grace,
    )
    # uvicorn raises the signal again when it has stopped; a stop in good order exits with 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    if settings.workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory(prefix="stancewise-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        Multiprocess(config, sockets=[listening]).run()


def _listen(settings: ServerSettings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise StancewiseError(f"{place}: {error.strerror or error}; choose another --port, or --host") from None
    listening.listen(2048)
    listening.set_inheritable(True)
    return listening
