"""Load on an HTTP server, cheap enough not to slow the server beside it.

Connections are open before the clock starts, as clients that ask often keep theirs. Answers are
kept as bytes; nothing is parsed while the clock runs. A request that gets no whole answer has
status 0.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import httptools
import uvloop

# A connection that was idle for longer may be one that the server is just closing.
_IDLE_SECONDS = 4.0
# As clients that ask often have them; more are opened when more requests are on their way.
_OPEN = 100
# A connection is open before the server's program has taken it, which is not to be on the clock.
_TAKEN_SECONDS = 0.02


@dataclass
class Load:
    """What a load met; the arrays of answers are in the order of the requests.

    Attributes:
        asked: Which of the given requests each was, an index.
        latencies: Seconds from sending to the last byte of the answer.
        statuses: HTTP's; 0 where no answer came.
        bodies: Of the answers.
        seconds: From the first request to the last answer.
        late: Seconds by which each was sent after its time, the generator's own fault.
        own_seconds: Processor time of the generator.
    """

    asked: list[int] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    seconds: float = 0.0
    own_seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Requests without a good answer."""
        return sum(status != 200 for status in self.statuses)

    @property
    def per_second(self) -> float:
        """Good answers."""
        return (len(self.statuses) - self.lost) / self.seconds

    def add(self, asked: int, late: float = 0.0) -> int:
        """Room for one more; returns its place."""
        self.asked.append(asked)
        self.latencies.append(float("nan"))
        self.statuses.append(0)
        self.bodies.append(b"")
        self.late.append(late)
        return len(self.asked) - 1


def in_turn(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    count: int | None = None,
    seconds: float | None = None,
    timeout_seconds: float = 60.0,
) -> Load:
    """Each connection sends its next request when it has an answer to its last.

    Args:
        port: Of a server on this machine.
        requests: Whole HTTP requests; sent in turn, from the first again after the last.
        connections: So many requests are always on their way; 1 is one after the other.
        count: Requests to send, or
        seconds: how long to go on sending.
        timeout_seconds: When to give up what is not answered after the last was sent.
    """

    async def run(pool: _Pool, load: Load) -> None:
        end = time.perf_counter() + (seconds or float("inf"))

        async def one_connection() -> None:
            while (count is None or len(load.asked) < count) and time.perf_counter() < end:
                place = load.add(len(load.asked) % len(requests))
                if not await pool.ask(requests[load.asked[place]], load, place):
                    # A server that turns everything away is not to be asked without end.
                    await asyncio.sleep(0.01)

        await asyncio.gather(*(one_connection() for _ in range(connections)))

    return _measured(port, connections, run, (seconds or 0) + timeout_seconds)


def at_times(
    port: int, requests: Sequence[bytes], times: Sequence[float], timeout_seconds: float = 60.0
) -> Load:
    """Each request is sent at its time, whatever became of the ones before.

    Args:
        port: Of a server on this machine.
        requests: As `in_turn`.
        times: Seconds after the start, ascending; all 0 is all at once.
        timeout_seconds: When to give up what is not answered after the last was sent.
    """

    async def run(pool: _Pool, load: Load) -> None:
        start = time.perf_counter()
        tasks = []
        for index, moment in enumerate(times):
            wait = start + moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            late = max(0.0, time.perf_counter() - start - moment)
            place = load.add(index % len(requests), late)
            tasks.append(asyncio.ensure_future(pool.ask(requests[load.asked[place]], load, place)))
        await asyncio.gather(*tasks)

    return _measured(port, min(_OPEN, len(times)), run, times[-1] + timeout_seconds)


def _measured(port: int, connections: int, run: Callable[..., Any], limit: float) -> Load:
    load = Load()

    async def measure() -> None:
        pool = _Pool(port)
        await pool.open(connections)
        own, start = time.process_time(), time.perf_counter()
        # What has no answer then has status 0.
        with suppress(TimeoutError):
            await asyncio.wait_for(run(pool, load), limit)
        load.seconds = time.perf_counter() - start
        load.own_seconds = time.process_time() - own
        pool.close()

    # A collection in the middle would be taken for the server's slowness.
    gc.disable()
    try:
        uvloop.run(measure())
    finally:
        gc.enable()
    return load


class _Pool:
    """Connections to one server: the one used last first, more when all are in use."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[_Connection] = []

    async def open(self, connections: int) -> None:
        for _ in range(connections):
            self._free.append(await self._connect())
        await asyncio.sleep(_TAKEN_SECONDS)

    async def ask(self, request: bytes, load: Load, place: int) -> bool:
        """Send a request and keep its answer; whether it was a good one."""
        start = time.perf_counter()
        try:
            connection = self._taken() or await self._connect()
            status, body = await connection.ask(request)
        except OSError:
            return False
        load.latencies[place] = time.perf_counter() - start
        load.statuses[place], load.bodies[place] = status, body
        if connection.usable:
            self._free.append(connection)
        return status == 200

    def close(self) -> None:
        for connection in self._free:
            connection.close()

    def _taken(self) -> _Connection | None:
        oldest = time.perf_counter() - _IDLE_SECONDS
        while self._free:
            connection = self._free.pop()
            if connection.usable and connection.idle_since > oldest:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        loop = asyncio.get_running_loop()
        new = partial(_Connection, loop)
        _, connection = await loop.create_connection(new, "127.0.0.1", self._port)
        return connection


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.usable = True
        self.idle_since = time.perf_counter()
        self._loop = loop
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._answer = self._loop.create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        self.usable = False
        self._transport.close()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self.close()  # nothing was asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"no HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the server closed the connection")

    # Called by the parser.

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.usable = self.usable and self._parser.should_keep_alive()
        self.idle_since = time.perf_counter()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result((status, b"".join(self._parts)))

    def _fail(self, reason: str) -> None:
        self.usable = False
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(ConnectionError(reason))
