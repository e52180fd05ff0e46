"""Reading of articles beside everything else: one after another, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from serving.article.flow import questions
from serving.article.reading.positions import Reading, find_positions
from serving.classifier import StanceClassifier
from serving.server import prometheus
from serving.server.problems import NotReady, QueueFull
from serving.statement import Statement

RETRY_AFTER = 5  # seconds; how long an article takes is known only when it is read
Progress = Callable[[int, int], None]


class Reader:
    """Takes on some articles at a time; one thread reads them, so that parsing never takes more than a core."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0  # articles taken on; touched by the event loop alone
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="read")
        self.stopped = threading.Event()

    def take(self) -> None:
        """Take on an article, until `leave`.

        Raises:
            QueueFull: as many as may be are taken on already.
        """
        if self.taken >= self.limit:
            raise QueueFull(
                f"{self.taken} articles are being labelled, the most at a time; try again later",
                retry_after=RETRY_AFTER,
            )
        self.taken += 1

    def leave(self) -> None:
        """The article is done with."""
        self.taken -= 1

    async def read(
        self,
        text: str,
        targets: Mapping[str, Sequence[str]] | None,
        on_progress: Progress,
        classifier: StanceClassifier,
        everything: bool = False,
    ) -> tuple[Reading, list[Statement]]:
        """The positions in a text, and what the model is asked about each.

        Args:
            text: an article.
            targets: name -> aliases; None: whatever positions are taken on.
            on_progress: told on the event loop how many characters are read, of how many.
            classifier: whose reader chooses the positions, if it has one.
            everything: also pairs that hardly express a position.

        Raises:
            StancewiseError: the text is empty or no text.
        """
        loop = asyncio.get_running_loop()
        gone = threading.Event()

        def tell(done: int, total: int) -> None:
            # A thread cannot be cancelled; this is where it looks whether to go on.
            if gone.is_set() or self.stopped.is_set():
                raise NotReady("the server is stopping")
            loop.call_soon_threadsafe(on_progress, done, total)

        def work() -> tuple[Reading, list[Statement]]:
            found = find_positions(text, targets, tell, classifier.judged, everything, classifier.languages)
            if found.foreign:
                prometheus.FOREIGN.labels("article", found.language).inc()
            return questions(found)

        try:
            return await loop.run_in_executor(self.thread, work)
        finally:
            gone.set()

    def stop(self) -> None:
        """End the thread at the next paragraph."""
        self.stopped.set()
        self.thread.shutdown(wait=False, cancel_futures=True)
