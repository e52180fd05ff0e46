"""Real stores for the tests: an MLflow server in a process of its own, a PostgreSQL cluster in a temporary folder."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def mlflow_server(folder: Path, backend: str, port: int) -> Iterator[subprocess.Popen]:
    """A server on loopback that keeps artifacts itself; stopped at the end, if it still runs."""
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    with answering(command, f"http://127.0.0.1:{port}/health", folder / "server.log") as server:
        yield server


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """An S3-compatible server that keeps what it is given in memory; gives its URL."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with answering(command, f"{url}/moto-api/data.json", folder / "s3.log"):
        yield url


@contextmanager
def answering(
    command: list[str], url: str, log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen]:
    """A process in the log's folder that answers at the URL; stopped at the end, if it still runs."""
    with log.open("a") as file:
        server = subprocess.Popen(
            command, cwd=log.parent, stdout=file, stderr=file, start_new_session=True, env=environment
        )
        try:
            until = time.monotonic() + 120
            while True:
                assert server.poll() is None, log.read_text()[-2000:]
                try:
                    urllib.request.urlopen(url, timeout=2).close()
                    break
                except OSError:
                    assert time.monotonic() < until, log.read_text()[-2000:]
                    time.sleep(0.3)
            yield server
        finally:
            stop(server)


def stop(server: subprocess.Popen) -> None:
    """Stop the server and its workers."""
    if server.poll() is None:
        os.killpg(server.pid, 15)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait(20)


@contextmanager
def postgresql() -> Iterator[str]:
    """A cluster of our own on a free port that trusts everybody; gives the URL of an empty database."""
    with cluster("trust") as (sockets, port):
        command = [str(POSTGRESQL[-1] / "createdb"), "-h", str(sockets), "-p", str(port), "-U", "postgres", "tracking"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
        yield f"postgresql://postgres@127.0.0.1:{port}/tracking"


@contextmanager
def cluster(authentication: str) -> Iterator[tuple[Path, int]]:
    """A PostgreSQL cluster: the folder of its socket, where `postgres` needs no password, and its port on 127.0.0.1."""
    programs, port = POSTGRESQL[-1], free_port()
    # Not below pytest's folders: those are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        if user:
            shutil.chown(folder, user)

        def run(name: str, *arguments: str) -> None:
            command = [str(programs / name), "-D", folder, *arguments]
            subprocess.run(command, cwd="/", user=user, check=True, capture_output=True, text=True, timeout=120)

        access = ["--auth-local", "trust", "--auth-host", authentication]
        run("initdb", *access, "-U", "postgres", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield Path(folder), port
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
