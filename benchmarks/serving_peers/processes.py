"""Processes that are measured: started in a group of their own, paused while another is, always stopped."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
# Nothing is fetched, and nobody is told: infinity and MLflow would report their use.
QUIET = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYTHONUNBUFFERED": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
STOP_SECONDS = 25.0  # a server may finish what it accepted; then it is killed


class PeerError(Exception):
    """A contender that cannot be measured; the message stands in the table instead of figures."""


def start(
    command: Sequence[str], log: Path, cwd: Path, extra: Mapping[str, str], pipes: bool = False
) -> subprocess.Popen[str]:
    """Start a process whose chatter goes to `log`; with `pipes` its standard input and output are ours."""
    environment = {**os.environ, **QUIET, **extra}
    with log.open("w", encoding="utf-8") as chatter:
        return subprocess.Popen(  # noqa: S603
            list(command),
            cwd=cwd,
            env=environment,
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else chatter,
            stderr=chatter,
            text=True,
            start_new_session=True,
        )


def last_line(log: Path) -> str:
    """What a process said last: usually the exception it died of."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def tree(pid: int) -> list[psutil.Process]:
    """The process and all its descendants that live."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def stop(process: subprocess.Popen[str]) -> None:
    """Ask the process to stop, then kill what is left of its tree."""
    members = tree(process.pid)
    _signal(members, signal.SIGCONT)
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    _signal([member for member in members if member.is_running()], signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):
                pipe.close()


@contextmanager
def running(process: subprocess.Popen[str]) -> Iterator[None]:
    """Let a paused process run inside the block: some servers poll when idle, and would cost the others' figures."""
    _signal(tree(process.pid), signal.SIGCONT)
    try:
        yield
    finally:
        pause(process)


def pause(process: subprocess.Popen[str]) -> None:
    """Take the process and its descendants off the cores until `running`."""
    _signal(tree(process.pid), signal.SIGSTOP)


def memory(pid: int) -> tuple[float, float]:
    """MB of the process tree: the sum of resident sets, and the same with shared pages counted once (PSS)."""
    resident = proportional = 0
    for member in tree(pid):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            full = member.memory_full_info()
            resident += full.rss
            proportional += full.pss
    return resident / 1e6, proportional / 1e6


def _signal(members: Sequence[psutil.Process], number: int) -> None:
    for member in members:
        with suppress(psutil.NoSuchProcess):
            member.send_signal(number)
