from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from serving.bench.load import at_times, in_turn
from serving.bench.protocol import RawBody

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]
_PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def _server(handle: Handler) -> Iterator[int]:
    """A real server with scripted answers, in a thread; gives its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _answering(*answers: bytes) -> Handler:
    """A handler that gives the answers in turn, over all connections."""
    asked = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while head := await _head(reader):
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
            answer = answers[asked % len(answers)]
            asked += 1
            if not answer:
                break
            writer.write(answer)
        writer.close()

    return handle


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


_REQUESTS = [RawBody("/read").request(b"jpeg %d" % number) for number in range(3)]


@pytest.mark.parametrize("connections", [1, 4])
def test_each_request_of_a_closed_loop_is_answered_once(connections: int) -> None:
    with _server(_answering(_PLAIN)) as port:
        load = in_turn(port, _REQUESTS, connections, count=20)
    assert (len(load.asked), load.lost) == (20, 0)
    assert load.asked == [number % 3 for number in range(20)]
    assert set(load.bodies) == {b"ok"}
    assert all(0 < seconds < 5 for seconds in load.latencies)
    assert load.per_second == 20 / load.seconds


def test_requests_go_at_their_times_whatever_became_of_the_ones_before() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _head(reader)
        await reader.readexactly(6)
        await asyncio.sleep(0.3)
        writer.write(_PLAIN)

    with _server(handle) as port:
        load = at_times(port, _REQUESTS, [0.0, 0.0, 0.05, 0.1])
    assert load.lost == 0
    # One after the other would take 1.2 s.
    assert 0.4 <= load.seconds < 1.0
    assert min(load.latencies) >= 0.3


def test_the_time_runs_out_of_a_closed_loop() -> None:
    with _server(_answering(_PLAIN)) as port:
        load = in_turn(port, _REQUESTS, 2, seconds=0.2)
    assert load.lost == 0
    assert 0.2 <= load.seconds < 2


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        pytest.param(_CHUNKED, 200, b"ok", id="in chunks"),
        pytest.param(
            b"HTTP/1.1 100 Continue\r\n\r\n" + _PLAIN, 200, b"ok", id="after an interim answer"
        ),
        pytest.param(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", 503, b"", id="turned away"),
        pytest.param(b"", 0, b"", id="connection closed"),
        pytest.param(b"no HTTP at all\r\n\r\n", 0, b"", id="something else"),
    ],
)
def test_an_answer_counts_as_what_it_is(answer: bytes, status: int, body: bytes) -> None:
    with _server(_answering(answer, _PLAIN)) as port:
        load = in_turn(port, _REQUESTS, 1, count=2)
    assert (load.statuses[0], load.bodies[0]) == (status, body)
    assert (load.statuses[1], load.bodies[1]) == (200, b"ok")
    assert load.lost == (status != 200)


def test_what_is_never_answered_is_given_up_and_lost() -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    begin = time.monotonic()
    with _server(handle) as port:
        load = at_times(port, _REQUESTS, [0.0, 0.0], timeout_seconds=0.2)
    assert (load.statuses, load.lost) == ([0, 0], 2)
    assert time.monotonic() - begin < 5


def test_the_generator_takes_little_of_the_processor() -> None:
    """Of its own: processor time, which a busy machine does not lengthen much."""
    with _server(_answering(_PLAIN)) as port:
        load = in_turn(port, [RawBody("/read").request(b"x" * 50_000)], 8, count=2000)
    # `process_time` is of this whole process, which here is the server as well.
    assert load.own_seconds / len(load.asked) < 0.003
