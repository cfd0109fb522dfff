"""What is known of the request that is being answered, wherever in the server one is."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from serving.predictor.errors import RequestError

# What may stand in a log line and in a header.
_ID = re.compile(r"[!-~]{1,128}")
# JSON and Base64 of more would hold up the event loop, and with it the probes.
_LARGE_BYTES = 1_000_000
_Parsed = TypeVar("_Parsed")


@dataclass
class RequestContext:
    """One request.

    Attributes:
        protocol: As metrics name it: `read`, `v1`, `v2` or `grpc`.
        id: The client's, or made here.
        deadline: When it must be answered, seconds of `time.monotonic`.
        started: When it came, seconds of `time.monotonic`.
        num_bytes: Of its body, once that is here.
        timings_ms: Milliseconds by stage, once its first image is read.
    """

    protocol: str
    id: str
    deadline: float
    started: float
    num_bytes: int = 0
    timings_ms: dict[str, float] = field(default_factory=dict)

    def shorten(self, deadline_ms: str | None) -> None:
        """Take the client's wish for an earlier deadline.

        Args:
            deadline_ms: Of its header, a number of milliseconds.

        Raises:
            RequestError: It is no positive number.
        """
        if deadline_ms is None:
            return
        try:
            milliseconds = float(deadline_ms)
        except ValueError:
            milliseconds = float("nan")
        # Not the other way round: nothing compares with NaN.
        if not milliseconds > 0:
            raise RequestError(f"X-Deadline-Ms: not a positive number: {deadline_ms[:40]!r}")
        self.deadline = min(self.deadline, self.started + milliseconds / 1000)


current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def new_request(protocol: str, request_id: str | None, deadline_seconds: float) -> RequestContext:
    """The context of a request that has just come, which everything below can ask for.

    Args:
        protocol: As metrics name it.
        request_id: What the client calls it; one that cannot be logged is replaced.
        deadline_seconds: The server's limit.
    """
    now = time.monotonic()
    request = RequestContext(protocol, usable_id(request_id), now + deadline_seconds, now)
    current_request.set(request)
    return request


def usable_id(request_id: str | None) -> str:
    """The client's id where it can be logged, else a new one of 16 hexadecimal digits."""
    if request_id is not None and _ID.fullmatch(request_id):
        return request_id
    return os.urandom(8).hex()


async def parsed(parse: Callable[..., _Parsed], *what: object) -> _Parsed:
    """Parse the current request's body, or a part of it; beside the event loop where it is large.

    Raises: as `parse`.
    """
    request = current_request.get()
    if request is None or request.num_bytes < _LARGE_BYTES:
        return parse(*what)
    return await asyncio.to_thread(parse, *what)
