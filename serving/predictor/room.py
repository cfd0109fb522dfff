"""The memory that the bodies of all requests may take together, over HTTP and gRPC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.predictor.errors import BusyError


class BodyRoom:
    """Bytes that are free for bodies; what is announced and does not come takes none."""

    def __init__(self, max_bytes: int, retry_after_seconds: float) -> None:
        """All of it free.

        Args:
            max_bytes: Of all bodies together.
            retry_after_seconds: What those hear for whom there is none.
        """
        self._free_bytes = max_bytes
        self._retry_after_seconds = retry_after_seconds

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """One request's share, which it takes a piece at a time and gives back at its end.

        Yields:
            Takes so many bytes more; BusyError where they are not free.
        """
        taken = 0

        def take(num_bytes: int) -> None:
            nonlocal taken
            if num_bytes > self._free_bytes:
                raise BusyError("too much is being sent at once", self._retry_after_seconds)
            taken += num_bytes
            self._free_bytes -= num_bytes

        try:
            yield take
        finally:
            self._free_bytes += taken
