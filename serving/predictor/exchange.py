"""One HTTP request and its answer, at the level of ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.predictor.errors import BusyError, RequestError, SlowBodyError, TooLargeError

# What nginx calls a request whose client left before its answer.
CLIENT_LEFT = 499
# A client that is refused while it sends is listened to a little longer: if the connection were
# closed on it, it would not see why.
_LINGER_SECONDS = 1.0


class ClientLeftError(Exception):
    """There is nobody to answer any more."""


class Exchange:
    """A request that comes in, and what is answered.

    Attributes:
        status: Of the answer, once it is on its way.
        size: Bytes of the body that have come.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An exchange that ASGI hands over."""
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.status = 0
        self.size = 0
        self.added_headers: list[tuple[bytes, bytes]] = []
        self._receive = receive
        self._send = send
        self._complete = False

    def header(self, name: bytes) -> str | None:
        """A header of the request, by its name in lower case."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def announced_size(self) -> int | None:
        """Bytes that the body is to have; None: it comes in chunks, of no one knows how many."""
        size = self.headers.get(b"content-length")
        return None if size is None else int(size)

    async def send(self, message: Message) -> None:
        """ASGI's send, which notes the status and adds `added_headers`."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self.added_headers]
        await self._send(message)

    async def body(self, max_bytes: int, seconds: float, take: Callable[[int], None]) -> bytes:
        """The whole body.

        Args:
            max_bytes: It may have.
            seconds: It may take.
            take: Told the bytes of each piece as it comes; raises where there is no room for it.

        Raises:
            TooLargeError: It has more, or says that it will have.
            BusyError: There is no room.
            SlowBodyError: It takes longer.
            ClientLeftError: It will never be whole.
        """
        if (self.announced_size or 0) > max_bytes:
            raise _too_large(max_bytes)
        chunks = []
        try:
            async with asyncio.timeout(seconds):
                while not self._complete:
                    chunks.append(await self._chunk())
                    if self.size > max_bytes:
                        raise _too_large(max_bytes)
                    take(len(chunks[-1]))
        except TimeoutError as error:
            raise SlowBodyError(f"the body did not come within {seconds:g} s") from error
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _chunk(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        self._complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        self.size += len(chunk)
        return chunk

    async def run(self, app: ASGIApp, body: bytes) -> None:
        """Have an app answer, and stop it as soon as the client leaves.

        Raises:
            ClientLeftError: It left.
        """
        task = asyncio.current_task()
        assert task is not None
        waiting, left = True, False

        def leave(_: object) -> None:
            nonlocal left
            if waiting:
                left = True
                task.cancel()

        watch = asyncio.create_task(self._departure())
        watch.add_done_callback(leave)
        try:
            await app(self.scope, _replay(body), self.send)
        except asyncio.CancelledError:
            if left and not task.uncancel():
                raise ClientLeftError from None
            raise
        finally:
            waiting = False
            watch.cancel()

    async def _departure(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def refuse(self, error: RequestError) -> None:
        """Answer with an error, as JSON."""
        extra = []
        if isinstance(error, BusyError):
            # Whole seconds, as HTTP wants them.
            seconds = max(1, round(error.retry_after_seconds))
            extra.append((b"retry-after", str(seconds).encode()))
        if error.status == HTTPStatus.UNAUTHORIZED:
            extra.append((b"www-authenticate", b"Bearer"))
        await self.answer_error(error.status, str(error), extra)

    async def answer_error(
        self, status: int, message: str, extra: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """Answer `{"error": message}`; nothing where an answer is on its way already."""
        if self.status:
            return
        headers = [(b"content-type", b"application/json"), *(extra or [])]
        if not await self._is_body_over(status):
            headers.append((b"connection", b"close"))
        content = orjson.dumps({"error": message})
        headers.append((b"content-length", str(len(content)).encode()))
        await self.send({"type": "http.response.start", "status": int(status), "headers": headers})
        await self.send({"type": "http.response.body", "body": content})

    async def _is_body_over(self, status: int) -> bool:
        """Whether the connection can be used again, once the rest of a body is passed over."""
        # Who waits for "100 Continue" sends nothing, unless it is asked to.
        if self._complete or status == HTTPStatus.REQUEST_TIMEOUT or b"expect" in self.headers:
            return self._complete
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while not self._complete:
                    await self._chunk()
        except (TimeoutError, ClientLeftError):
            return False
        return True


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {max_bytes / 1e6:g} MB")


def _replay(body: bytes) -> Receive:
    """ASGI's receive for a body that is here already; the client's leaving is seen elsewhere."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
