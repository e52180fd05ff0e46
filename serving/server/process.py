"""Start, share the port, stop in good order."""

import json
import logging
import os
import signal
import socket
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

from serving.errors import StancewiseError
from serving.server import logs
from serving.server.app import KEY_FILE_VARIABLE, VERSION_VARIABLE
from serving.server.connection import TimedProtocol
from serving.server.models import locate
from serving.server.settings import VARIABLE, ServerSettings, read_key
from serving.store import versions
from serving.tables import appendable, mend_end

log = logging.getLogger("stancewise")


def serve(settings: ServerSettings, key_file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; what was accepted by then is answered within the grace time.

    Raises:
        StancewiseError: the port is taken, the key cannot be read, the corrections cannot be written, or the model is
            not there or damaged.
    """
    logs.set_up()
    # Mistakes are said here, once, not in every worker.
    read_key(key_file)
    if settings.corrections:
        check_appendable(settings.corrections)
    version = locate(settings)
    if version:
        versions.fetch(version)
    else:
        versions.find_model(settings.model)
    os.environ[VARIABLE] = settings.model_dump_json()
    os.environ[VERSION_VARIABLE] = json.dumps(version and asdict(version))
    if key_file:
        os.environ[KEY_FILE_VARIABLE] = str(key_file.resolve())
    listening = listen(settings)
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
        timeout_keep_alive=30,
        timeout_graceful_shutdown=settings.grace,
    )
    # uvicorn raises the signal again when it has stopped; a stop in good order exits with 0.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    if settings.workers == 1:
        uvicorn.Server(config).run(sockets=[listening])
        return
    with tempfile.TemporaryDirectory(prefix="stancewise-metrics-") as counted:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = counted
        Multiprocess(config, sockets=[listening]).run()


def check_appendable(path: Path) -> None:
    """Stop at the start where corrections could not be written.

    Raises:
        StancewiseError: the file is no .jsonl or cannot be written.
    """
    if path.suffix.lower() != ".jsonl":
        raise StancewiseError(f"--corrections {path}: kept as JSON Lines; give a name that ends in .jsonl")
    with appendable(path, wait=True) as file:
        mend_end(file)


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that listens where the settings say; worker processes may inherit it.

    Raises:
        StancewiseError: the port is taken, or the host is none of this machine.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        place = f"{settings.host}:{settings.port}"
        raise StancewiseError(f"{place}: {error.strerror or error}; choose another --port, or --host") from None
    listening.listen(2048)
    host, port = listening.getsockname()[:2]
    log.info("listening", extra={"fields": {"url": f"http://{f'[{host}]' if ':' in host else host}:{port}"}})
    listening.set_inheritable(True)
    return listening
