"""Over HTTP: many keep-alive clients, one statement a request, and what a connection sees at half that load."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from serving.labels import Logits
from serving_peers.client import Client, after_error, bodies, check, paced
from serving_peers.inprocess import SAMPLE, Worker, start_worker
from serving_peers.processes import PeerError, pause, running
from serving_peers.servers import SERVERS, Context, Running, closed_loop
from serving_peers.table import cell, markdown, middle, percentile, ratio
from serving_peers.texts import Texts

WARM_UP_SECONDS = 1.0
OURS = "ours:openvino"


@dataclass
class Measured:
    """What was seen of one server."""

    rates: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    refused: int = 0  # replies that are not 200, and broken connections
    difference: float = 0.0
    error: str = ""
    alone: list[float] = field(default_factory=list)  # ms, one client
    half: list[float] = field(default_factory=list)  # ms, at half of the rate
    failed: str = ""


class Contender:
    """A server with its requests and the answers that are due from it."""

    def __init__(self, server: Running, context: Context, texts: Texts, expected: Logits | None) -> None:
        self.server = server
        self.settings = context.settings
        self.expected = expected
        self.requests = bodies(server, texts)
        self.file = context.work / f"bodies-{server.port}.jsonl"
        self.file.write_bytes(b"\n".join(self.requests) + b"\n")
        self.seen = Measured()
        pause(server.process)

    def check(self) -> None:
        """Compare a sample of the answers, and see whether a connection survives an error."""
        if self.expected is None:
            self.seen.difference = float("nan")
            return
        client = Client(self.server)
        try:
            found = check(client, self.requests[:SAMPLE], self.expected, self.settings)
            self.seen.difference = max(self.seen.difference, found)
            if not self.seen.error:
                self.seen.error = after_error(client, self.requests[0], self.expected, self.settings)
        finally:
            client.close()

    def load(self, clients: int, seconds: float) -> None:
        """One round: warm up while answers are checked, then measure alone."""
        with running(self.server.process):
            self.server.wait(30)
            trouble: list[PeerError] = []
            checking = threading.Thread(target=self._check_into, args=(trouble,))
            checking.start()
            closed_loop(self.server, self.file, clients, WARM_UP_SECONDS)
            checking.join(120)
            if trouble:
                raise trouble[0]
            self._drain()
            result = closed_loop(self.server, self.file, clients, seconds)
        if result["requests"] <= result["status"]:
            raise PeerError(f"no answer in {seconds:g} seconds of load; {result['status']:.0f} refusals")
        self.seen.refused += int(result["status"] + result["broken"])
        self.seen.rates.append((result["requests"] - result["status"]) / result["seconds"])
        self.seen.p50.append(result["p50"])
        self.seen.p99.append(result["p99"])

    def relax(self, clients: int, seconds: float) -> None:
        """One client alone, then a constant half of the rate."""
        with running(self.server.process):
            self.server.wait(30)
            self._drain()
            self.seen.alone = paced(self.server, self.requests, None, 1, seconds)
            self._drain()
            self.seen.half = paced(self.server, self.requests, median(self.seen.rates) / 2, clients, seconds)

    def _drain(self) -> None:
        # wrk leaves as many requests behind as it has connections. Not every server drops what nobody waits for: a
        # request at the end of the queue is answered when they are done.
        client = Client(self.server)
        try:
            client.post(self.requests[0])
        finally:
            client.close()

    def _check_into(self, trouble: list[PeerError]) -> None:
        try:
            self.check()
        except PeerError as error:
            trouble.append(error)


def measure(
    names: Sequence[str],
    context: Context,
    texts: Texts,
    file: Path,
    seconds: float,
    rounds: int,
    clients: int,
    say: Callable[[str], None],
) -> str:
    """The tables of the servers."""
    failed: dict[str, str] = {}
    contenders: dict[str, Contender] = {}
    inside: list[float] = []
    with ExitStack() as stack:
        references: dict[str, Logits] = {}
        places = (context.model, file, context.work, context.peers)
        own: Worker | str = "not started"
        for runtime in ("torch", "openvino"):
            say(f"HTTP: our own answers in process, {runtime}")
            own = start_worker(stack, f"ours:{runtime}", *places)
            if isinstance(own, Worker):
                references[runtime] = own.sample(context.settings)
        for name in names:
            server = SERVERS[name]
            say(f"HTTP: starting {server.title}")
            try:
                started = Running(server, context)
            except PeerError as error:
                failed[name] = f"does not start: {cell(error)}"
                continue
            stack.callback(started.close)
            contenders[name] = Contender(started, context, texts, references.get(server.runtime))
        for number in range(rounds):
            for contender in list(contenders.values()):
                title = contender.server.server.title
                say(f"HTTP: round {number + 1} of {rounds}, {title}")
                if not contender.seen.failed:
                    _note(contender, lambda one: one.load(clients, seconds / rounds))
            if isinstance(own, Worker):
                say(f"HTTP: round {number + 1} of {rounds}, ours in process")
                order = {"do": "bulk", "seconds": seconds / rounds}
                inside.append(own.ask(order, 60 + 10 * seconds)["per_second"])
        for contender in contenders.values():
            say(f"HTTP: half the load, {contender.server.server.title}")
            if not contender.seen.failed:
                _note(contender, lambda one: one.relax(clients, max(1.0, seconds / 2)))
    seen = {name: contender.seen for name, contender in contenders.items()}
    failed.update({name: one.failed for name, one in seen.items() if one.failed})
    return "\n\n".join(_tables(names, seen, failed, inside, clients))


def _note(contender: Contender, act: Callable[[Contender], None]) -> None:
    try:
        act(contender)
    except PeerError as error:
        contender.seen.failed = cell(error)


def _tables(
    names: Sequence[str], seen: dict[str, Measured], failed: dict[str, str], inside: list[float], clients: int
) -> list[str]:
    ours = seen[OURS].rates if OURS in seen else []
    load, calm = [], []
    for name in names:
        title = SERVERS[name].title
        if name in failed:
            load.append([title, failed[name]])
            continue
        one = seen[name]
        load.append(
            [
                title,
                middle(one.rates, 0),
                middle(one.p50),
                middle(one.p99),
                str(one.refused),
                ratio(ours, one.rates),
                "–" if one.difference != one.difference else f"{one.difference:.4f}",
                one.error or "–",
            ]
        )
        alone, tail = median(one.alone), percentile(one.half, 0.99)
        rate = f"{median(one.rates) / 2:,.0f}"
        calm.append([title, f"{alone:.1f}", rate, middle(one.half), f"{tail:.1f}", f"{tail / alone:.1f}"])
    header = [f"HTTP, {clients} clients", "requests/s", "p50 ms", "p99 ms", "not 200", "ours, int8 ÷ this"]
    header += ["largest difference of a probability from in process", "after half a JSON object"]
    tables = [markdown(header, load)]
    if ours and inside:
        tables.append(
            f"Ours over HTTP answers {ratio(ours, inside)} of what it answers in process in bulk "
            f"({middle(inside, 0)} statements/s, int8), in the same rounds."
        )
    header = ["at half of that rate (constant, from Python)", "alone: p50 ms", "requests/s", "p50 ms", "p99 ms"]
    return [*tables, markdown([*header, "p99 ÷ p50 alone"], calm)]
