"""The queue: takes what waits, up to a token budget, with no timer; counts statements, not requests.

Three kinds of threads share the work, so that tokenising, the model and the answers overlap: the event loop reads and
writes HTTP, one thread tokenises, and `streams` threads run the model. A batch is rows of like length, always with the
oldest among them.
"""

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serving.errors import StancewiseError
from serving.labels import Logits
from serving.runtime.base import MULTIPLE
from serving.server import prometheus
from serving.server.models import Served
from serving.server.problems import NotReady, PastDeadline, QueueFull
from serving.statement import Prediction, Statement

START = 32  # a batch costs about as much as so many more tokens would, measured with MiniLM on 2 cores
TOKENISED_AT_ONCE = 1024  # statements; more would keep the first of them waiting


@dataclass(frozen=True)
class Answer:
    """The predictions of a request, which model made them, and seconds until its first batch began."""

    predictions: list[Prediction]
    served: Served
    queued: float


@dataclass(eq=False, slots=True)
class Job:
    """A request on its way."""

    statements: Sequence[Statement]
    served: Served
    future: "asyncio.Future[Answer]"
    logits: Logits
    left: int
    counted: bool
    arrived: float = field(default_factory=time.perf_counter)
    queued: float = 0.0
    outcome: Answer | Exception | None = None

    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.future.done()


@dataclass(eq=False, slots=True)
class Waiting:
    """One statement of a job, tokenised."""

    job: Job
    place: int
    encoded: Any
    length: int  # padded


class StatementQueue:
    """Answers statements with whatever model is served at the time."""

    def __init__(self, served: Served, limit: int, batch_tokens: int) -> None:
        # An inference thread that comes back must not wait the default 5 ms for the event loop to let go.
        sys.setswitchinterval(0.0005)
        self.served = served
        self.limit = limit
        self.batch_tokens = batch_tokens
        self.waiting = 0  # statements accepted and not yet answered; touched by the event loop alone
        self.pace = 100.0  # statements a second, as lately seen
        self.loop = asyncio.get_running_loop()
        self.changed = threading.Condition()
        self.incoming: deque[Job] = deque()
        self.ready: deque[Waiting] = deque()
        self.busy = 0
        self.stopped = False
        self.threads = [threading.Thread(target=self._tokenise, name="tokenise", daemon=True)]
        self.threads[0].start()
        self.serve(served)

    def serve(self, served: Served) -> None:
        """Answer later requests with this model; what was accepted before is answered with the one before."""
        self.served = served
        while len(self.threads) <= served.classifier.runtime.streams:
            thread = threading.Thread(target=self._infer, name=f"infer-{len(self.threads)}", daemon=True)
            self.threads.append(thread)
            thread.start()

    async def submit(
        self, statements: Sequence[Statement], deadline: float, served: Served | None = None, counted: bool = True
    ) -> Answer:
        """Wait for the predictions.

        Args:
            statements: at least one.
            deadline: seconds that the answer may take.
            served: the model to ask, which may have been replaced since; None: the one of the moment.
            counted: whether they are what somebody asks, and so count for drift.

        Raises:
            QueueFull: too many statements wait already.
            PastDeadline: the answer did not come in time.
            StancewiseError: a target is too long for the model.
        """
        if self.stopped:
            raise NotReady("the server is stopping")
        if self.waiting + len(statements) > self.limit:
            raise QueueFull(
                f"{self.waiting} statements are waiting and the limit is {self.limit}; try again later",
                retry_after=self.waiting / self.pace,
            )
        future: asyncio.Future[Answer] = self.loop.create_future()
        rows = len(statements)
        job = Job(statements, served or self.served, future, np.empty((rows, 6)), rows, counted)
        self._count(len(statements))
        late = self.loop.call_later(deadline, self._expire, job, deadline)
        try:
            with self.changed:
                self.incoming.append(job)
                self.changed.notify_all()
            return await job.future
        finally:
            late.cancel()
            self._count(-len(statements))

    def stop(self) -> None:
        """End the threads; what is still queued is not answered."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
        for thread in self.threads:
            thread.join(timeout=5)

    def _count(self, statements: int) -> None:
        self.waiting += statements
        prometheus.QUEUE.set(self.waiting)

    @staticmethod
    def _expire(job: Job, deadline: float) -> None:
        if not job.future.done():
            job.future.set_exception(PastDeadline(f"no answer within {deadline:g} seconds; try again later"))

    def _tokenise(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.incoming or self.stopped)
                if self.stopped:
                    return
                jobs = list(self._some_jobs())
            start = time.perf_counter()
            rows, failed = self._encode(jobs)
            prometheus.TOKENISING.observe(time.perf_counter() - start)
            with self.changed:
                self.ready.extend(rows)
                self.changed.notify_all()
            if failed:
                self.loop.call_soon_threadsafe(_deliver, failed)

    def _some_jobs(self) -> Iterator[Job]:
        """Jobs of one model, up to TOKENISED_AT_ONCE statements but at least one job."""
        count, served = 0, self.incoming[0].served
        while self.incoming and self.incoming[0].served is served:
            if count and count + len(self.incoming[0].statements) > TOKENISED_AT_ONCE:
                return
            job = self.incoming.popleft()
            if job.abandoned():
                prometheus.DROPPED.inc(len(job.statements))
                continue
            count += len(job.statements)
            yield job

    @staticmethod
    def _encode(jobs: list[Job]) -> tuple[list[Waiting], list[Job]]:
        """Rows of the jobs that can be encoded, and the jobs that cannot, with their error as outcome."""
        if not jobs:
            return [], []
        runtime = jobs[0].served.classifier.runtime
        try:
            encoded = runtime.encode([one for job in jobs for one in job.statements])
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].outcome = error
                return [], jobs
            parts = [StatementQueue._encode([job]) for job in jobs]  # one job's mistake is not the others'
            return [row for rows, _ in parts for row in rows], [job for _, failed in parts for job in failed]
        places = ((job, place) for job in jobs for place in range(len(job.statements)))
        pairs = zip(places, encoded, strict=True)
        return [Waiting(job, place, row, rounded(len(row))) for (job, place), row in pairs], []

    def _infer(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.ready or self.stopped)
                if self.stopped:
                    return
                batch = self._take()
                if not batch:
                    continue
                self.busy += 1
            finished = self._run(batch)
            with self.changed:
                self.busy -= 1
            if finished:
                self.loop.call_soon_threadsafe(_deliver, finished)
                _count(finished)

    def _take(self) -> list[Waiting]:
        """This thread's share of what waits: the oldest row and those of like length."""
        streams = self.served.classifier.runtime.streams
        idle = max(1, streams - self.busy)
        served = self.ready[0].job.served
        window: list[Waiting] = []
        tokens = 0
        while self.ready and tokens < self.batch_tokens * idle and self.ready[0].job.served is served:
            row = self.ready.popleft()
            if row.job.abandoned():
                prometheus.DROPPED.inc()
                continue
            window.append(row)
            tokens += row.length
        if not window:
            return []
        chosen = share(window, idle, self.batch_tokens)
        taken = set(map(id, chosen))
        self.ready.extendleft(row for row in reversed(window) if id(row) not in taken)
        return chosen

    def _run(self, batch: list[Waiting]) -> list[Job]:
        """Run the model; the jobs that are finished by it, each with its outcome."""
        start = time.perf_counter()
        classifier = batch[0].job.served.classifier
        try:
            logits = classifier.runtime.forward([row.encoded for row in batch])
        except Exception as error:
            jobs = list({id(row.job): row.job for row in batch}.values())
            for job in jobs:
                job.outcome = error
            return jobs
        seconds = time.perf_counter() - start
        prometheus.INFERENCE.observe(seconds)
        prometheus.BATCH_STATEMENTS.observe(len(batch))
        prometheus.BATCH_TOKENS.observe(len(batch) * max(row.length for row in batch))
        finished = []
        with self.changed:  # two batches may finish rows of one job
            for row, values in zip(batch, logits, strict=True):
                job = row.job
                job.queued = job.queued or start - job.arrived
                job.logits[row.place] = values
                job.left -= 1
                if job.left == 0:
                    finished.append(job)
        for job in finished:
            job.outcome = Answer(classifier.answers(job.statements, job.logits), job.served, job.queued)
            for one in job.outcome.predictions:
                if one.foreign:
                    prometheus.FOREIGN.labels("statement", one.language).inc()
        prometheus.STATEMENTS.inc(len(batch))
        self.pace += 0.05 * (len(batch) / seconds - self.pace)
        return finished


def rounded(length: int) -> int:
    """The length that a row is padded to at least."""
    return max(1, -(-length // MULTIPLE)) * MULTIPLE


def share(window: list[Waiting], parts: int, budget: int) -> list[Waiting]:
    """The rows that are best run with the first one of `window`, at most one of `parts` equal shares of it.

    The window is cut by length into batches whose padded tokens, and START tokens for each batch, are fewest; the batch
    of the first row is taken.

    Args:
        window: waiting rows, the oldest first.
        parts: threads that are free to run a batch.
        budget: padded tokens in a batch at most, unless one row alone has more.
    """
    counts: dict[int, int] = {}
    for row in window:
        counts[row.length] = counts.get(row.length, 0) + 1
    oldest = window[0]
    low, high = next(cut for cut in cuts(counts) if cut[0] <= oldest.length <= cut[1])
    like = [row for row in window if low <= row.length <= high]
    rows = min(-(-len(window) // parts), max(1, budget // high))
    return like[:rows]


def cuts(counts: dict[int, int]) -> list[tuple[int, int]]:
    """Cut lengths into ranges (shortest, longest) so that all rows' padded tokens plus START a range are fewest.

    Args:
        counts: rows by length.
    """
    lengths = sorted(counts)
    best: list[tuple[int, int]] = [(0, 0)]  # cost of the first so many lengths, and where their last range starts
    for end in range(1, len(lengths) + 1):
        longest, rows, options = lengths[end - 1], 0, []
        for start in range(end - 1, -1, -1):
            rows += counts[lengths[start]]
            options.append((best[start][0] + rows * longest + START, start))
        best.append(min(options))
    ranges, end = [], len(lengths)
    while end:
        start = best[end][1]
        ranges.append((lengths[start], lengths[end - 1]))
        end = start
    return ranges


def _count(jobs: list[Job]) -> None:
    """Add to the window what was answered."""
    for job in jobs:
        if job.counted and job.served.window and isinstance(job.outcome, Answer):
            job.served.window.add(job.statements, job.outcome.predictions)


def _deliver(jobs: list[Job]) -> None:
    """On the event loop: hand every outcome to whoever still waits."""
    for job in jobs:
        if job.future.done():
            continue
        if isinstance(job.outcome, Answer):
            job.future.set_result(job.outcome)
        elif isinstance(job.outcome, StancewiseError):
            job.future.set_exception(job.outcome)
        else:
            job.future.set_exception(RuntimeError("the model failed") if job.outcome is None else job.outcome)
