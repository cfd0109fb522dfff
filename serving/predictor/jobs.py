"""The queue between the event loop and the threads that read."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from serving.predictor.answer import ImageAnswer
from sub_module.plates import PlateStandard

Outcome = ImageAnswer | Exception


class Job:
    """An image on its way to its answer.

    Attributes:
        data: The image file.
        deadline: In seconds of `time.monotonic`.
        standard: The plates to read on it; None: the server's own.
        admitted: When it joined the queue, in the same seconds.
        future: Of the event loop that waits for it. Its result is an outcome, also where that is
            an error: nobody may be left to raise it to.
    """

    __slots__ = ("admitted", "data", "deadline", "future", "loop", "standard")

    def __init__(
        self,
        data: bytes,
        deadline: float,
        loop: asyncio.AbstractEventLoop,
        standard: PlateStandard | None = None,
    ) -> None:
        """An image that the task running in `loop` waits for."""
        self.data = data
        self.deadline = deadline
        self.standard = standard
        self.admitted = time.monotonic()
        self.loop = loop
        self.future: asyncio.Future[Outcome] = loop.create_future()

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return not self.future.done() and time.monotonic() < self.deadline


class JobQueue:
    """Jobs that wait or are read, a bounded number; safe to use from any thread."""

    def __init__(self, capacity: int, on_change: Callable[[int], None]) -> None:
        """An empty queue.

        Args:
            capacity: Jobs that may wait or be read.
            on_change: Told their number whenever it changes.
        """
        self.capacity = capacity
        self.closed = False
        self._on_change = on_change
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        self._num_jobs = 0

    def __len__(self) -> int:
        """Jobs that wait or are read."""
        return self._num_jobs

    def put(self, jobs: Sequence[Job]) -> bool:
        """Take all of the jobs, or none: whether there was room, and the queue is open."""
        with self._changed:
            if self.closed or self._num_jobs + len(jobs) > self.capacity:
                return False
            self._waiting.extend(jobs)
            self._count(len(jobs))
            self._changed.notify(len(jobs))
        return True

    def take(self, max_jobs: int, max_wait: float, num_takers: int) -> list[Job]:
        """The jobs to do next; waits until there is one.

        Args:
            max_jobs: At most so many.
            max_wait: Seconds to wait for so many, once there is one.
            num_takers: Threads that take; each gets a share, as two jobs are sooner done by two
                threads than by one.

        Returns:
            At least one job; none: the queue is closed and all jobs are taken.
        """
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._waiting or self.closed)
                if max_wait and not self.closed:
                    self._changed.wait_for(
                        lambda: not 0 < len(self._waiting) < max_jobs or self.closed, max_wait
                    )
                if self._waiting or self.closed:
                    break
            share = min(max_jobs, -(-len(self._waiting) // num_takers))
            return [self._waiting.popleft() for _ in range(share)]

    def withdraw(self, jobs: Iterable[Job]) -> None:
        """Nobody waits for these any more: those that are not taken yet leave the queue."""
        with self._changed:
            for job in jobs:
                if job in self._waiting:
                    self._waiting.remove(job)
                    self._count(-1)

    def done(self, outcomes: Sequence[tuple[Job, Outcome]]) -> None:
        """Tell those who wait what became of jobs that were taken."""
        with self._changed:
            self._count(-len(outcomes))
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Job, Outcome]]] = {}
        for job, outcome in outcomes:
            by_loop.setdefault(job.loop, []).append((job, outcome))
        for loop, of_loop in by_loop.items():
            try:
                loop.call_soon_threadsafe(_set_results, of_loop)
            except RuntimeError:
                # The loop is closed: those who waited are gone.
                continue

    def close(self) -> None:
        """Take no more jobs in; those that are there can still be taken."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def rest(self) -> list[Job]:
        """Take all jobs that wait."""
        with self._changed:
            jobs = list(self._waiting)
            self._waiting.clear()
        return jobs

    def _count(self, change: int) -> None:
        self._num_jobs += change
        self._on_change(self._num_jobs)


def _set_results(outcomes: Sequence[tuple[Job, Outcome]]) -> None:
    for job, outcome in outcomes:
        if not job.future.done():
            job.future.set_result(outcome)
