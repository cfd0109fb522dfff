"""uvicorn's HTTP, which does not wait for a request's head for ever."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def _refusal(status: HTTPStatus, message: str) -> bytes:
    """An answer to what never became a request, in the shape of all errors."""
    content = orjson.dumps({"error": message})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content


class HeadTimeoutProtocol(HttpToolsProtocol):
    """A connection whose client must say in time what it wants (slowloris)."""

    # From the connection, or from a request's first byte, to the end of its headers; a subclass
    # sets it, as uvicorn makes the connections.
    head_seconds: float
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head."""
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        """The first byte of a request is here."""
        super().on_message_begin()
        if self._head_timer is None:
            self._expect_head()

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._head_is_here()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What came is no HTTP."""
        self.transport.write(_refusal(HTTPStatus.BAD_REQUEST, msg))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        self._head_is_here()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _head_is_here(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            # The answer to the request before this one is still on its way.
            self._expect_head()
        elif not self.transport.is_closing():
            message = "the headers did not come in time"
            self.transport.write(_refusal(HTTPStatus.REQUEST_TIMEOUT, message))
            self.transport.close()
