"""Articles read in a process of its own: a text that takes too long is ended there, and nothing else waits for it.

Parsing and the search for pairs are Python code, run on a text that anybody may have sent. A thread that does it cannot
be stopped, and keeps other threads from running. The reader's net stays where it is loaded and is asked from there.
"""

import atexit
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, NoReturn

from serving.article.flow import questions
from serving.article.reading.judging import judged_by
from serving.article.reading.parse import load_pipeline
from serving.article.reading.positions import Progress, Reading, find_positions
from serving.errors import StancewiseError
from serving.runtime.reader import PairEncoder, PairReader
from serving.statement import Statement

Ask = Callable[..., Any]
_OUTCOMES = ("found", "refused", "broken")  # what the process says last of an article


class OutOfTime(Exception):  # noqa: N818
    """The time for an article has passed; the process that read it was ended."""


class Lost(Exception):  # noqa: N818
    """The process ended before the article was read; the text says how."""


class Broken(Exception):  # noqa: N818
    """Our code failed in the process; the text says with which error and where, and holds nothing of the article."""


class IsolatedReader:
    """Reads articles one after another in a process that is started with the first, and anew after it has ended.

    All but `close` is for one thread.
    """

    def __init__(self, seconds: float) -> None:
        """Nothing is started yet.

        Args:
            seconds: that the process may take for one article.
        """
        self.seconds = seconds
        self._lock = threading.Lock()  # held while the process is started or ended
        self._closed = False
        self._process: SpawnProcess | None = None
        self._idle = False  # it waits for an article
        self._pipe: Connection
        self._encoder: PairEncoder | None = None  # what the process was started with
        # The process ignores the SIGTERM by which multiprocessing ends its children at exit.
        atexit.register(self.close)

    def read(
        self,
        text: str,
        given: Mapping[str, Sequence[str]] | None,
        on_progress: Progress,
        reader: PairReader | None,
        everything: bool = False,
        languages: tuple[str, ...] | None = None,
    ) -> tuple[Reading, list[Statement]]:
        """The positions in a text and the questions about them, as `find_positions` and `questions` give them.

        Neither the loading of the parser nor what the reader's net takes counts as time of the article.

        Args:
            text: an article.
            given: name -> aliases; None: whatever positions are taken on.
            on_progress: told how many characters are read, of how many; what it raises gives the article up.
            reader: what helps to choose the positions; None: the linear model does it alone.
            everything: also pairs that hardly express a position.
            languages: ISO 639 codes of those that the model reads; None: whatever the text is in.

        Raises:
            StancewiseError: the text is empty or no text, or the parser cannot be loaded.
            OutOfTime: reading took longer than it may.
            Lost: the process ended meanwhile, or cannot be started.
            Broken: our code failed in it.
        """
        self._start(reader.encoder if reader else None)
        self._send((text, given, everything, languages))
        until: float | None = None
        while True:
            kind, content = self._receive(until)
            if kind in _OUTCOMES:
                self._idle = True
                return _result(kind, content)
            start = time.monotonic()
            try:
                if kind == "progress":
                    on_progress(*content)
                answer = reader.run(content) if reader and kind == "run" else True
            except BaseException:
                self._send(None)  # it gives the article up
                self._idle = True
                raise
            until = start + self.seconds if until is None else until + (time.monotonic() - start)
            self._send(answer)

    def close(self) -> None:
        """End the process, whatever it does; it is not started again."""
        with self._lock:
            self._closed = True
            self._end()

    def _start(self, encoder: PairEncoder | None) -> None:
        with self._lock:
            if self._closed:
                raise Lost("closed")
            # An idle process says nothing: there is something to receive only when its end has closed.
            if self._idle and self._encoder is encoder and not self._pipe.poll():
                self._idle = False
                return
            self._idle = False
            self._end()
            context = get_context("spawn")
            self._pipe, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, encoder), name="read-articles", daemon=True)
            try:
                process.start()
            except OSError as error:
                raise Lost(f"not started: {error.strerror}") from None
            finally:
                theirs.close()  # so that its end is seen here
            self._process, self._encoder = process, encoder

    def _end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.join()

    def _send(self, content: Any) -> None:
        try:
            self._pipe.send(content)
        except ConnectionError:
            self._raise_lost()

    def _receive(self, until: float | None) -> tuple[str, Any]:
        try:
            if self._pipe.poll(None if until is None else max(0.0, until - time.monotonic())):
                kind, content = self._pipe.recv()
                return kind, content
        except (EOFError, ConnectionError):
            self._raise_lost()
        with self._lock:
            self._end()
        raise OutOfTime

    def _raise_lost(self) -> NoReturn:
        assert self._process
        self._process.join(1)  # its pipe closes a little earlier than it ends
        with self._lock:
            self._end()
        raise Lost(f"exit code {self._process.exitcode}") from None


def _result(kind: str, content: Any) -> tuple[Reading, list[Statement]]:
    if kind == "refused":
        raise StancewiseError(content)
    if kind == "broken":
        raise Broken(content)
    reading, statements = content
    return reading, statements


def _work(pipe: Connection, encoder: PairEncoder | None) -> None:
    """The process: reads what it is sent until the pipe closes."""
    _set_up()

    def ask(kind: str, content: Any = None) -> Any:
        pipe.send((kind, content))
        answer = pipe.recv()
        if answer is None:
            raise _GivenUp
        return answer

    with suppress(EOFError, ConnectionError):
        while True:
            order = pipe.recv()
            with suppress(_GivenUp):
                pipe.send(_outcome(ask, encoder, *order))


class _GivenUp(Exception):  # noqa: N818
    """Nobody waits for the article any more."""


def _outcome(
    ask: Ask,
    encoder: PairEncoder | None,
    text: str,
    given: Mapping[str, Sequence[str]] | None,
    everything: bool,
    languages: tuple[str, ...] | None,
) -> tuple[str, Any]:
    judged = None
    if encoder:
        scores = partial(encoder.scores, run=partial(ask, "run"))
        judged = judged_by(scores, encoder.settings)
    try:
        load_pipeline()
        ask("loaded")
        found = find_positions(text, given, lambda *done: ask("progress", done), judged, everything, languages)
        reading, statements = questions(found)
        # Who asks the classifier needs to know how sure the two must be, and asks the net no more.
        limits = reading.judged and reading.judged.without_judge()
        return "found", (replace(reading, judged=limits), statements)
    except StancewiseError as error:
        return "refused", str(error)
    except (_GivenUp, EOFError, ConnectionError):
        raise
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "broken", f"{type(error).__name__} at {place.filename}:{place.lineno}"


def end_with_parent() -> None:
    """See to it that this process ends when the one that started it does, even if that one is killed.

    When the parent's end of this pipe closes, Linux ends the process by SIGIO, whatever code it is in. Elsewhere
    nothing is done: a process that asks its parent over a pipe ends when it next does so.
    """
    parent = parent_process()
    if parent and sys.platform == "linux":
        import fcntl

        fcntl.fcntl(parent.sentinel, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent.sentinel, fcntl.F_SETFL, fcntl.fcntl(parent.sentinel, fcntl.F_GETFL) | os.O_ASYNC)


def _set_up() -> None:
    end_with_parent()
    # Whoever stops the server still gets the articles that it has accepted: it ends this process when it is done.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # spaCy imports torch where it is installed, and the pipelines that are read with do without: half the memory.
    sys.modules["torch"] = None  # type: ignore[assignment]
    # If memory runs out, Linux should take it from here and not from whoever waits for the answer.
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
