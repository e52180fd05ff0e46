"""Cold start and memory of the servers."""

import time
from collections.abc import Callable, Sequence
from statistics import median

from serving_peers.client import Client, bodies
from serving_peers.processes import PeerError, memory
from serving_peers.servers import SERVERS, Context, Running
from serving_peers.table import cell, markdown
from serving_peers.texts import Texts

REQUESTS = 200


def measure(names: Sequence[str], context: Context, texts: Texts, rounds: int, say: Callable[[str], None]) -> str:
    """The table; files are in the page cache after the first round, and rounds go from server to server."""
    seen: dict[str, list[tuple[float, ...]]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for name in names:
            if name in failed:
                continue
            say(f"cold start: round {number + 1} of {rounds}, {SERVERS[name].title}")
            try:
                seen[name].append(_once(name, context, texts))
            except PeerError as error:
                failed[name] = cell(error)
    rows = []
    for name in names:
        title = SERVERS[name].title
        if name in failed:
            rows.append([title, failed[name]])
            continue
        ready, first, resident, proportional = (median(values) for values in zip(*seen[name], strict=True))
        rows.append([title, f"{ready:.1f}", f"{first:.1f}", f"{resident:,.0f}", f"{proportional:,.0f}"])
    header = ["cold start", "ready after s", "first answer after s", f"resident MB after {REQUESTS} requests"]
    return markdown([*header, "with shared pages once (PSS)"], rows)


def _once(name: str, context: Context, texts: Texts) -> tuple[float, ...]:
    running = Running(SERVERS[name], context)
    try:
        requests = bodies(running, texts)
        client = Client(running)
        first = 0.0
        for number in range(REQUESTS):
            status, _ = client.post(requests[number % len(requests)])
            if status != 200:
                raise PeerError(f"status {status} for a good request")
            first = first or time.perf_counter() - running.began
        client.close()
        return running.ready_seconds, first, *memory(running.process.pid)
    finally:
        running.close()
