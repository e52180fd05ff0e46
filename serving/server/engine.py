"""The running server: the queue, the model it serves, and the watch over the alias."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from starlette.requests import Request

from serving.errors import StancewiseError
from serving.server import prometheus
from serving.server.articles import Reader
from serving.server.models import Served, Watcher, load
from serving.server.problems import ClientGone, NotReady, TooLarge
from serving.server.queue import Answer, StatementQueue
from serving.server.settings import ServerSettings
from serving.statement import Prediction, Statement
from serving.store.versions import Version
from serving.watch.reference import NONE

PIECE = 64  # statements of a long job that are queued at once: what others wait for before their turn
Done = TypeVar("Done")

log = logging.getLogger("stancewise")


class Engine:
    """Answers statements; not ready before a model has passed its warm-up."""

    def __init__(self, settings: ServerSettings, version: Version | None) -> None:
        self.settings = settings
        self.version = version
        self.queue: StatementQueue | None = None
        self.reader = Reader(settings.articles, settings.article_seconds)
        self.loop = asyncio.get_running_loop()

    @property
    def served(self) -> Served:
        """The model that answers now.

        Raises:
            NotReady: none has been loaded yet.
        """
        if self.queue is None:
            raise NotReady("the model is not loaded yet; try again in a few seconds", retry_after=2)
        return self.queue.served

    async def start(self) -> None:
        """Load the model and warm it up, then open the queue.

        Raises:
            StancewiseError: the model cannot be loaded.
        """
        start = time.perf_counter()
        served = await asyncio.to_thread(load, self.settings, self.version)
        self.queue = StatementQueue(served, self.settings.queue, self.settings.batch_tokens)
        self._say(served)
        seconds = round(time.perf_counter() - start, 3)
        fields = {"model": served.name, "version": served.version, "runtime": served.classifier.runtime.name}
        log.info("ready", extra={"fields": {**fields, "seconds": seconds}})

    async def watch(self) -> None:
        """Look at the alias from time to time, for ever."""

        def swap(served: Served) -> None:
            self.loop.call_soon_threadsafe(self._swap, served)

        watcher = Watcher(self.settings, swap)
        while watcher.watches():
            await asyncio.sleep(self.settings.watch)
            await asyncio.to_thread(watcher.look, self.served)

    def stop(self) -> None:
        """End the threads, and the process that reads articles."""
        self.reader.stop()
        if self.queue:
            self.queue.stop()

    async def answer(self, request: Request, statements: Sequence[Statement]) -> Answer:
        """The predictions for a request's statements; its log line learns their number and the times.

        Raises:
            NotReady: no model is loaded yet.
            TooLarge: more statements than a request may hold.
            QueueFull: too many statements wait already.
            PastDeadline: the answer did not come in time.
            ClientGone: the client closed the connection meanwhile.
        """
        _ = self.served
        assert self.queue
        state = request.state
        state.fields = {"statements": len(statements)}
        if len(statements) > self.settings.request_statements:
            most = self.settings.request_statements
            raise TooLarge(f"{len(statements)} statements; send at most {most} in one request")
        answer = await while_connected(request, self.queue.submit(statements, self.settings.deadline))
        prometheus.LATENCY.observe(time.perf_counter() - state.start)
        prometheus.QUEUED.observe(answer.queued)
        state.fields["queued_ms"] = round(1000 * answer.queued, 2)
        return answer

    async def answer_in_pieces(
        self,
        statements: Sequence[Statement],
        on_progress: Callable[[int, int], None] | None = None,
        counted: bool = True,
    ) -> tuple[list[Prediction | StancewiseError], Served]:
        """The predictions for any number of statements, all of one model; other requests take turns with the pieces.

        Args:
            statements: may be none; one that the model cannot read gets the reason instead of a prediction.
            on_progress: told how many are answered, of how many.
            counted: whether they are what somebody asks, and so count for drift.

        Raises:
            NotReady: no model is loaded yet.
            QueueFull: too many statements of others wait already.
            PastDeadline: the answer to a piece did not come in time.
        """
        served = self.served
        size = min(PIECE, self.settings.request_statements, max(1, self.settings.queue // 4))
        answers: list[Prediction | StancewiseError] = []
        for start in range(0, len(statements), size):
            answers += await self._piece(statements[start : start + size], served, counted)
            if on_progress:
                on_progress(len(answers), len(statements))
        return answers, served

    async def _piece(
        self, statements: Sequence[Statement], served: Served, counted: bool
    ) -> list[Prediction | StancewiseError]:
        assert self.queue
        try:
            return [*(await self.queue.submit(statements, self.settings.deadline, served, counted)).predictions]
        except StancewiseError as error:
            if len(statements) == 1:
                return [error]
            return [answer for one in statements for answer in await self._piece([one], served, counted)]

    def _swap(self, served: Served) -> None:
        assert self.queue
        self.queue.serve(served)
        self._say(served)

    @staticmethod
    def _say(served: Served) -> None:
        prometheus.MODEL.set(int(served.version or 0))
        if served.window is None:
            fields = {"model": served.name, "version": served.version, "cause": f"the model {NONE}"}
            log.info("drift is not watched", extra={"fields": fields})


def engine_of(request: Request) -> Engine:
    """The engine that the application was started with."""
    engine: Engine = request.app.state.engine
    return engine


async def while_connected(request: Request, work: Awaitable[Done]) -> Done:
    """The outcome of `work`, which is cancelled when the client closes the connection.

    Raises:
        ClientGone: it did.
    """
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        working.cancel()
        gone.cancel()
