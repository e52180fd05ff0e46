"""Reading of articles beside everything else: one after another, in a process of its own."""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from serving.article.isolated import Broken, IsolatedReader, Lost, OutOfTime
from serving.article.reading.positions import Reading
from serving.classifier import StanceClassifier
from serving.server import prometheus
from serving.server.problems import Failed, NotReady, QueueFull, ReaderLost, TooLong
from serving.statement import Statement

RETRY_AFTER = 5  # seconds; how long an article takes is known only when it is read
Progress = Callable[[int, int], None]

log = logging.getLogger("stancewise")


class Reader:
    """Takes on some articles at a time; one process reads them, so that parsing never takes more than a core."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.taken = 0  # articles taken on; touched by the event loop alone
        self.isolated = IsolatedReader(seconds)
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
            TooLong: reading took longer than it may.
            ReaderLost: the process that reads ended meanwhile.
            NotReady: the server is stopping.
        """
        loop = asyncio.get_running_loop()
        gone = threading.Event()

        def tell(done: int, total: int) -> None:
            # Where it is seen that nobody waits any more.
            if gone.is_set() or self.stopped.is_set():
                raise NotReady("the server is stopping")
            loop.call_soon_threadsafe(on_progress, done, total)

        def work() -> tuple[Reading, list[Statement]]:
            try:
                reading, statements = self.isolated.read(
                    text, targets, tell, classifier.reader, everything, classifier.languages
                )
            except OutOfTime:
                seconds = self.isolated.seconds
                self._note("time limit", seconds=seconds)
                raise TooLong(
                    f"the article was not read within {seconds:g} seconds; send it in shorter parts, or start the "
                    "server with a larger --article-seconds"
                ) from None
            except Lost as error:
                if self.stopped.is_set():
                    raise NotReady("the server is stopping") from None
                self._note("lost", how=str(error))
                raise ReaderLost(
                    "the process that reads articles ended while it read this one, perhaps because memory ran out; "
                    "send it again, and if that fails in shorter parts",
                    retry_after=RETRY_AFTER,
                ) from None
            except Broken as error:
                log.error("an article could not be read", extra={"fields": {"error": str(error)}})
                raise Failed from None
            if reading.foreign:
                prometheus.FOREIGN.labels("article", reading.language).inc()
            return reading, statements

        try:
            return await loop.run_in_executor(self.thread, work)
        finally:
            gone.set()

    def stop(self) -> None:
        """End the process and the thread; an article that is being read is not answered."""
        self.stopped.set()
        self.isolated.close()
        self.thread.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _note(cause: str, **fields: str | float) -> None:
        prometheus.READER_ENDS.labels(cause).inc()
        log.error("the process that reads articles ended", extra={"fields": {"cause": cause, **fields}})
