"""The gate before the HTTP routes: what every request for readings goes through.

Plain ASGI, as it stands in the way of each image: it names the request, checks the token, takes
the body in within its limits, gives up when the client leaves, turns errors into answers, and
counts. Requests for no image (health, metrics, documentation) only get a name.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.predictor.context import new_request, usable_id
from serving.predictor.errors import RequestError, UnsupportedImageError, let_go
from serving.predictor.exchange import CLIENT_LEFT, ClientLeftError, Exchange
from serving.predictor.state import ServerState
from serving.predictor.tracing import TRACE_HEADERS

_log = logging.getLogger(__name__)


class Gate:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, state: ServerState, reading: Mapping[str, str]) -> None:
        """A gate before an app.

        Args:
            app: What answers.
            state: Of the server.
            reading: The paths that read images, and the name of each one's protocol in metrics.
        """
        self.app = app
        self.state = state
        self.model = state.model
        self.reading = reading
        self.limits = self.model.settings.limits
        self.max_bytes = int(self.limits.body_megabytes * 1e6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        request_id = usable_id(exchange.header(b"x-request-id"))
        exchange.added_headers.append((b"x-request-id", request_id.encode()))
        protocol = self.reading.get(scope["path"])
        if protocol is None or scope["method"] != "POST":
            try:
                await self.app(scope, receive, exchange.send)
            except RequestError as refusal:
                await exchange.refuse(refusal)
            return
        started = time.monotonic()
        self.model.in_flight += 1
        error = None
        try:
            error = await self._read(exchange, protocol, request_id)
        finally:
            self.model.in_flight -= 1
            seconds = time.monotonic() - started
            self.state.answered(protocol, exchange.status, seconds, error)

    async def _read(self, exchange: Exchange, protocol: str, request_id: str) -> Exception | None:
        """Answer a request for readings; gives back why it got none, if that was a mistake."""
        request = new_request(protocol, request_id, self.limits.deadline_seconds)
        try:
            request.shorten(exchange.header(b"x-deadline-ms"))
            self.state.check_token(exchange.header(b"authorization"))
            self.model.check_ready()
            _check_encoding(exchange.header(b"content-encoding"))
            with self.state.room.request() as take:
                body = await exchange.body(self.max_bytes, self.limits.body_seconds, take)
                request.num_bytes = len(body)
                traced = {name: exchange.header(name.encode()) for name in TRACE_HEADERS}
                with self.state.tracing.span(request, traced):
                    await exchange.run(self.app, body)
        except ClientLeftError:
            exchange.status = CLIENT_LEFT
        except RequestError as error:
            # Under load these would be most of the log; they are counted.
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                _log.info("refused: %s", error, extra={"fields": {"status": error.status}})
            let_go(error)
            await exchange.refuse(error)
            return error
        except Exception as error:
            _log.exception("a fault of the server")
            let_go(error)
            await exchange.answer_error(
                HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the server; its log says more"
            )
            return error
        return None


def _check_encoding(encoding: str | None) -> None:
    if encoding not in (None, "identity"):
        raise UnsupportedImageError(f"Content-Encoding: {encoding:.40} is not read")
