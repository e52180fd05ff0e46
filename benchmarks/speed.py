"""How fast the model is served, beside what one would serve it with instead; all in one run, on the same checkpoint.

    python benchmarks/speed.py prepare
    python benchmarks/speed.py --model models:/stance@champion [--only in-process,http,cold,limit]

The name is not serving.py: that would hide the package of this name from every script in this folder.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from serving_peers import cold, environments, inprocess, limit, over_http, texts
from serving_peers.servers import SERVERS, Context
from serving_peers.table import markdown

from serving.cli import run
from serving.errors import StancewiseError
from serving.store.folder import read_settings
from serving.store.versions import find_model

PARTS = ("in-process", "http", "cold", "limit")
DEFAULT_PEERS = Path("~/.cache/stancewise/peers")
PeersOption = Annotated[Path, typer.Option("--peers-dir", help="Where the peers' environments are kept.")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
console = Console(stderr=True)


@app.command()
def prepare(peers_dir: PeersOption = DEFAULT_PEERS) -> None:
    """Build an environment for every peer (4 GB); one that does not install is named in the tables with its reason."""
    with console.status("") as status:
        environments.prepare(peers_dir.expanduser(), _reporter(status.update))


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="Folder or MLflow URI; with int8/ for the int8 figures.")] = None,
    only: Annotated[str, typer.Option(help="Parts to run, with commas between.")] = ",".join(PARTS),
    contenders: Annotated[str, typer.Option(help="Those whose name holds one of these words; empty: all.")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="Of measuring, each contender and figure.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="Turns over which the seconds are spread.")] = 5,
    statements: Annotated[int, typer.Option(min=64, help="Different statements that are used.")] = 1024,
    clients: Annotated[int, typer.Option(min=1, help="Keep-alive connections.")] = 32,
    cores: Annotated[int, typer.Option(min=1, help="Everything, the load too, runs on so many.")] = 2,
    peers_dir: PeersOption = DEFAULT_PEERS,
) -> None:
    """Print Markdown tables: in process, over HTTP, cold start and memory, distance from the machine's limit.

    Examples:

      python benchmarks/speed.py prepare

      python benchmarks/speed.py --model models:/stance@champion > speed.md

      python benchmarks/speed.py --model MODEL_FOLDER --only http --contenders ours,litserve --seconds 60
    """
    if context.invoked_subcommand:
        return
    if not model:
        raise StancewiseError("--model is missing; give a model folder or an MLflow URI")
    parts = [part.strip() for part in only.split(",")]
    if unknown := [part for part in parts if part not in PARTS]:
        raise StancewiseError(f"--only: {unknown[0]!r} is no part; parts are {', '.join(PARTS)}")
    if "http" in parts and not shutil.which("wrk"):
        raise StancewiseError("wrk is not installed; on Debian: apt-get install wrk")
    _pin(cores)
    with tempfile.TemporaryDirectory(prefix="stancewise-speed-") as folder, console.status("") as status:
        work = Path(folder)
        place = find_model(model).resolve()
        peers = peers_dir.expanduser().resolve()
        around = Context(place, read_settings(place), work, peers)
        chosen = texts.choose(place, statements)
        file = work / "texts.json"
        texts.write(chosen, file)
        say = _reporter(status.update)
        _print(_setting(chosen, cores, rounds, seconds, peers))
        if "in-process" in parts:
            names = _matching(inprocess.CONTENDERS, contenders)
            places = (place, file, work, peers)
            _print(inprocess.measure(names, around.settings, places, seconds, rounds, say))
        if "http" in parts:
            names = _matching(SERVERS, contenders)
            _print(over_http.measure(names, around, chosen, file, seconds, rounds, clients, say))
        if "cold" in parts:
            _print(cold.measure(_matching(SERVERS, contenders), around, chosen, min(rounds, 3), say))
        if "limit" in parts:
            _print(limit.measure(around, chosen, seconds, rounds, say))


def _pin(cores: int) -> None:
    """Bind this process, and with it every contender, to the first of the cores that it may use."""
    if not hasattr(os, "sched_setaffinity"):
        return
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < cores:
        raise StancewiseError(f"--cores: {cores} asked for, but only {len(allowed)} may be used")
    os.sched_setaffinity(0, allowed[:cores])


def _matching(names: Mapping[str, object], words: str) -> list[str]:
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    return [name for name in names if not wanted or any(word in name for word in wanted)]


def _setting(chosen: texts.Texts, cores: int, rounds: int, seconds: float, peers: Path) -> str:
    words = [len(statement.text.split()) for statement in chosen.statements]
    told = (
        f"{len(chosen.statements):,} statements of {min(words)} to {max(words)} words, "
        f"{sum(chosen.tokens) / len(chosen.tokens):.1f} tokens on average; {cores} cores ({_processor()}); "
        f"{seconds:g} seconds a figure in {rounds} rounds that go from contender to contender; cells are medians over "
        "rounds, ratios are taken within rounds: median (smallest–largest)."
    )
    rows = [[name, environments.versions(peers, name) or "not prepared"] for name in environments.PEERS]
    return told + "\n\n" + markdown(["environment", "versions"], [["ours", environments.own_versions()], *rows])


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _print(table: str) -> None:
    """To standard output at once: a run takes long, and what is finished should not be lost."""
    print(table, end="\n\n", flush=True)


def _reporter(update: Callable[[str], None]) -> Callable[[str], None]:
    """A status line in a terminal, a line each elsewhere."""
    return update if console.is_terminal else lambda text: console.print(text, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    # By default a SIGTERM would end this process without its `finally` blocks, and leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run(app)
