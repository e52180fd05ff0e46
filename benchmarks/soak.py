"""Hold a server under twice what it can do, with hostile clients beside, and see what gives.

    python benchmarks/soak.py --model models:/stance@champion [--minutes 15]

Every accepted request is checked against in-process answers, what is refused must be refused with 429, resident memory
must be flat after the warm-up, a worker that is killed must be replaced. Exits with 1 if any of this fails.
"""

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console

from serving import StanceClassifier, Statement
from serving.cli import run

STATEMENTS = Path("data/statements/train.jsonl")
QUEUE = 512  # statements that may wait: small, so that refusals come soon
APART = 0.02  # most that a probability may differ: int8 sums in another order in another batch
TINY = 1_000_000  # tiny requests are as many as come to this, or as the minutes allow
GROWTH = 1.05  # of resident memory from the first to the last third after the warm-up

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass
class Tally:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    offered: int = 0
    answered: int = 0
    wrong: int = 0
    broken: int = 0  # connections that ended without an answer
    latencies: list[float] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)  # minutes since the start, MB


class Connection:
    """A keep-alive connection that speaks just enough HTTP."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and body.

        Raises:
            OSError: the server closed the connection.
        """
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 24)
        reader, writer = self.streams
        try:
            writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(body)))
            writer.write(body)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            return int(head[9:12]), await reader.readexactly(length)
        except (asyncio.IncompleteReadError, OSError, IndexError):
            writer.close()
            self.streams = None
            raise ConnectionResetError from None


class Soak:
    """The clients and what they know."""

    def __init__(self, port: int, statements: list[Statement], expected: list[Any]) -> None:
        self.port = port
        self.statements, self.expected = statements, expected
        self.bodies = [one.model_dump(include={"text", "speaker", "target"}, exclude_none=True) for one in statements]
        self.tally = Tally()
        self.random = random.Random(1)  # noqa: S311
        self.free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(400):
            self.free.put_nowait(Connection(port))

    async def capacity(self, seconds: float) -> float:
        """Statements a second that eight busy clients get answered."""
        until, answered = time.perf_counter() + seconds, 0

        async def client() -> None:
            nonlocal answered
            connection = Connection(self.port)
            while time.perf_counter() < until:
                chosen = self.random.sample(range(len(self.bodies)), 32)
                status, _ = await connection.post("/v1/predict", self._body(chosen))
                answered += 32 * (status == 200)

        await asyncio.gather(*(client() for _ in range(8)))
        return answered / seconds

    async def offer(self, rate: float, seconds: float) -> None:
        """Statements at a rate, in requests of 1 to 32, whatever the server says to it."""
        start, tasks = time.perf_counter(), set()
        while (now := time.perf_counter() - start) < seconds:
            while self.tally.offered < rate * now:
                chosen = self.random.sample(range(len(self.bodies)), self.random.randint(1, 32))
                self.tally.offered += len(chosen)
                if self.free.empty():
                    break  # every connection waits: the server is behind, and more would only burn this side's time
                task = asyncio.create_task(self._request(chosen))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            await asyncio.sleep(0.005)
        await asyncio.gather(*tasks)

    async def _request(self, chosen: list[int]) -> None:
        connection = self.free.get_nowait()
        start = time.perf_counter()
        try:
            status, body = await connection.post("/v1/predict", self._body(chosen))
        except OSError:
            self.tally.broken += 1
            return
        finally:
            self.free.put_nowait(connection)
        self.tally.statuses[status] += 1
        if status == 200:
            self.tally.latencies.append(time.perf_counter() - start)
            self.tally.answered += len(chosen)
            answers = json.loads(body)["predictions"]
            self.tally.wrong += sum(not self._right(i, one) for i, one in zip(chosen, answers, strict=True))

    def _right(self, place: int, answer: dict[str, Any]) -> bool:
        for name in ("stance", "sentiment"):
            head = getattr(self.expected[place], name)
            if head and any(abs(answer[name]["probabilities"][k] - p) > APART for k, p in head.probabilities.items()):
                return False
        return True

    def _body(self, chosen: list[int]) -> bytes:
        return json.dumps([self.bodies[i] for i in chosen]).encode()

    async def tiny(self, seconds: float) -> int:
        """As many of the smallest requests as come back, up to TINY."""
        until, done = time.perf_counter() + seconds, 0

        async def client() -> None:
            nonlocal done
            connection = Connection(self.port)
            while time.perf_counter() < until and done < TINY:
                with suppress(OSError):
                    await connection.post("/predict", b"{}")
                    done += 1

        await asyncio.gather(*(client() for _ in range(8)))
        return done

    async def hostile(self, seconds: float) -> None:
        """Clients that dawdle, stop half-way, send what is no request, or close one side."""
        until = time.perf_counter() + seconds
        parts = [
            b"POST /v1/predict HT",
            b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n[",
            b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n",
            b'POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-length: 12\r\n\r\n{"text":"\xff"}',
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n",
        ]
        while time.perf_counter() < until:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(self.random.choice(parts))
                if self.random.random() < 0.3:
                    writer.write_eof()
                with suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1000), self.random.random())
                writer.close()
            await asyncio.sleep(0.05)

    async def watch(self, process: psutil.Process, seconds: float) -> None:
        """Resident memory of the server and its workers, every five seconds."""
        start = time.perf_counter()
        while (now := time.perf_counter() - start) < seconds:
            with suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                self.tally.memory.append((now / 60, sum(one.memory_info().rss for one in family) / 1e6))
            await asyncio.sleep(5)


@asynccontextmanager
async def server(model: str, log: Path, workers: int) -> AsyncIterator[tuple[psutil.Process, int]]:
    """A server of ours: its process and port."""
    command = [sys.executable, "-m", "serving", "serve", "--model", model, "--port", "0", "--device", "cpu"]
    command += ["--queue", str(QUEUE), "--workers", str(workers), "--read-seconds", "2"]
    with log.open("w") as file, subprocess.Popen(command, stderr=file) as process:  # noqa: S603
        try:
            ready, port = 0, 0
            while ready < workers:
                await asyncio.sleep(0.2)
                lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
                port = next((int(line["url"].rpartition(":")[2]) for line in lines if "url" in line), 0)
                ready = sum(line["message"] == "ready" for line in lines)
                if process.poll() is not None:
                    raise SystemExit(log.read_text(encoding="utf-8"))
            yield psutil.Process(process.pid), port
        finally:
            process.terminate()


async def soak(model: str, minutes: float, console: Console) -> list[tuple[str, bool, str]]:
    """Every check with its outcome and figures."""
    classifier = StanceClassifier.load(model, device="cpu")
    rows = [json.loads(line) for line in STATEMENTS.read_text(encoding="utf-8").splitlines()[:1000]]
    statements = [Statement(text=row["text"], speaker=row["speaker"], target=row["target"]) for row in rows]
    expected = classifier.predict(statements)
    del classifier
    checks = []
    with tempfile.TemporaryDirectory() as folder:
        async with server(model, Path(folder) / "log", workers=1) as (process, port):
            clients = Soak(port, statements, expected)
            most = await clients.capacity(10)
            console.print(f"answers {most:,.0f} statements/s; offering twice that for {minutes:g} minutes")
            seconds = 60 * minutes
            with console.status("under load"):
                await asyncio.gather(
                    clients.offer(2 * most, seconds), clients.hostile(seconds), clients.watch(process, seconds)
                )
            checks += report(clients.tally, minutes)
            tiny = await clients.tiny(60 * min(5, minutes / 3))
            status, _ = await Connection(port).post("/v1/predict", b'{"text": "a"}')
            checks.append(("tiny requests", status == 200, f"{tiny:,} refused one by one; the next is answered"))
            text = (Path(folder) / "log").read_text(encoding="utf-8")
            quoted = sum(one.text in text for one in statements)
            checks.append(("no text in the log", not quoted, f"{quoted} texts found"))
        async with server(model, Path(folder) / "log2", workers=2) as (process, port):
            clients = Soak(port, statements, expected)
            workers = [one for one in process.children() if "spawn_main" in " ".join(one.cmdline())]

            async def kill() -> None:
                await asyncio.sleep(5)
                workers[0].kill()

            await asyncio.gather(clients.offer(most, 30), kill())
            ready = (Path(folder) / "log2").read_text(encoding="utf-8").count('"message": "ready"')
            tally = clients.tally
            checks.append(
                (
                    "a killed worker",
                    ready == 3 and tally.wrong == 0 and set(tally.statuses) <= {200, 429},
                    f"replaced: {ready == 3}; {tally.broken} requests lost with it, {dict(tally.statuses)} answered",
                )
            )
    return checks


def report(tally: Tally, minutes: float) -> list[tuple[str, bool, str]]:
    """The checks of the long load."""
    after = [mb for at, mb in tally.memory if at > min(2, minutes / 4)]
    third = max(1, len(after) // 3)
    first, last = sum(after[:third]) / third, sum(after[-third:]) / third
    ordered = sorted(tally.latencies)
    refused = {status: count for status, count in tally.statuses.items() if status != 200}
    return [
        (
            "answers right",
            tally.wrong == 0 and tally.answered > 0,
            f"{tally.answered:,} statements, {tally.wrong} wrong",
        ),
        ("refused with 429 alone", set(refused) <= {429}, f"{refused} of {sum(tally.statuses.values()):,} requests"),
        ("no connection lost", tally.broken == 0, f"{tally.broken} without an answer"),
        ("memory flat", last <= GROWTH * first, f"{first:,.0f} MB after the warm-up, {last:,.0f} MB at the end"),
        (
            "latency bounded",
            True,
            f"p50 {1000 * ordered[len(ordered) // 2]:,.0f} ms, p99 "
            f"{1000 * ordered[int(0.99 * len(ordered))]:,.0f} ms of what was accepted",
        ),
    ]


@app.command()
def main(
    model: Annotated[str, typer.Option(help="Folder, models:/NAME@ALIAS, models:/NAME/VERSION or runs:/RUN_ID.")],
    minutes: Annotated[float, typer.Option(min=0.1, help="Of the long load.")] = 15,
) -> None:
    """Overload a server and check that it answers right, refuses rightly, and stays the same size."""
    console = Console()
    checks = asyncio.run(soak(model, minutes, console))
    for name, met, figures in checks:
        console.print(f"{'yes' if met else '[bold red]NO[/] '} {name}: {figures}", soft_wrap=True, highlight=False)
    if not all(met for _, met, _ in checks):
        raise typer.Exit(1)


if __name__ == "__main__":
    run(app)
