"""One connection: uvicorn's own, with a limit on how long a request's headers may take."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class TimedProtocol(HttpToolsProtocol):
    """Closes a connection whose request's headers do not arrive in time: uvicorn itself would wait for ever."""

    seconds = 10.0
    _late: Any = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock."""
        super().connection_made(transport)
        self._late = self.loop.call_later(self.seconds, self._close_idle)

    def on_headers_complete(self) -> None:
        """The headers came in time."""
        self._stop_clock()
        super().on_headers_complete()

    def on_message_begin(self) -> None:
        """A later request on the same connection."""
        if self._late is None:
            self._late = self.loop.call_later(self.seconds, self._close_idle)
        super().on_message_begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing left to time."""
        self._stop_clock()
        super().connection_lost(exc)

    def _stop_clock(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _close_idle(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.close()
