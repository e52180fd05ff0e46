"""Real stores for the tests: an MLflow server in a process of its own, a PostgreSQL cluster in a temporary folder."""

import os
import shutil
import socket
import subprocess
import sys
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
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
        try:
            until = time.monotonic() + 120
            while True:
                assert server.poll() is None, (folder / "server.log").read_text()[-2000:]
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                    break
                except OSError:
                    assert time.monotonic() < until, (folder / "server.log").read_text()[-2000:]
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
def postgresql(folder: Path) -> Iterator[str]:
    """A cluster of our own on a free port; gives the URL of an empty database."""
    programs, port = POSTGRESQL[-1], free_port()
    data = folder / "cluster"
    data.mkdir(parents=True)
    user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        user = ["runuser", "-u", "postgres", "--"]
        for one in [data, *folder.parents, folder]:
            if one.owner() == "root" and not one.stat().st_mode & 0o001:
                one.chmod(one.stat().st_mode | 0o011)
        shutil.chown(data, "postgres")

    def run(name: str, *arguments: str) -> None:
        command = [*user, str(programs / name), *arguments]
        subprocess.run(command, cwd="/", check=True, capture_output=True, text=True, timeout=120)

    run("initdb", "-D", str(data), "-A", "trust", "-U", "stance", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
    run("pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "stance", "tracking")
        yield f"postgresql://stance@127.0.0.1:{port}/tracking"
    finally:
        run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
