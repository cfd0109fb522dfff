"""Replicas of the model server under an autoscaler, event by event.

A request goes to the replicas that are ready in turn, as a gateway sends them. It waits there
until one of the replica's readers is free; where the queue is full it is turned away and comes
again after a while, as `Retry-After` says. One that waits too long is turned away as well, unread,
as the model server does it with 504. A client that was turned away for too long gives up, as
`serving.client` does. Who waits at one replica does not move to another that comes later.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Protocol


@dataclass(frozen=True)
class Service:
    """One replica, and how clients behave.

    Attributes:
        read_seconds: An image, on one of the readers.
        readers: Images that are read at a time.
        queue: Images that wait or are read, at most.
        retry_seconds: After which a request comes again that was turned away.
        deadline_seconds: A request that has no answer so long after it came is turned away.
        patience_seconds: So long a client comes again after it was first turned away; then its
            request is lost.
        start_seconds: From the autoscaler's order until a replica is ready.
    """

    read_seconds: float
    readers: int = 2
    queue: int = 256
    retry_seconds: float = 1.0
    deadline_seconds: float = 30.0
    patience_seconds: float = 60.0
    start_seconds: float = 10.0


class Autoscaler(Protocol):
    """What orders replicas."""

    sync_seconds: float
    sample_seconds: float

    def sample(self, state: Simulation) -> None:
        """Look at the replicas, every `sample_seconds`."""

    def wanted(self, state: Simulation) -> int:
        """How many replicas there should be; asked every `sync_seconds`."""


@dataclass
class OnCpu:
    """A HorizontalPodAutoscaler on CPU utilisation.

    A replica uses at most what it may, so one sync orders at most 1 / target times as many.
    Replicas that are starting count as idle, as Kubernetes does it.

    Attributes:
        target: Utilisation that is aimed at, 0 to 1.
        sample_seconds: The window that utilisation is the mean of.
        sync_seconds: How often the autoscaler decides.
    """

    target: float = 0.8
    sample_seconds: float = 15.0
    sync_seconds: float = 15.0
    # Kubernetes does nothing about less.
    tolerance: float = 0.1
    _busy_before: float = 0.0
    _cores_used: float | None = None

    def sample(self, state: Simulation) -> None:
        """See `Autoscaler`."""
        busy = state.busy_seconds()
        self._cores_used = (busy - self._busy_before) / self.sample_seconds
        self._busy_before = busy

    def wanted(self, state: Simulation) -> int:
        """See `Autoscaler`."""
        if self._cores_used is None:
            return state.ordered
        per_replica = self._cores_used / state.service.readers / state.ordered
        ratio = per_replica / self.target
        return state.ordered if ratio <= 1 + self.tolerance else _ceil(state.ordered * ratio)


@dataclass
class OnQueue:
    """KEDA, or prometheus-adapter, on the images that wait or are read.

    Attributes:
        images_per_replica: The threshold.
        sample_seconds: How often Prometheus looks at the replicas.
        sync_seconds: How often the autoscaler decides.
    """

    images_per_replica: float = 8.0
    sample_seconds: float = 5.0
    sync_seconds: float = 15.0
    _images: int = 0

    def sample(self, state: Simulation) -> None:
        """See `Autoscaler`."""
        self._images = sum(replica.images for replica in state.ready)

    def wanted(self, state: Simulation) -> int:
        """See `Autoscaler`."""
        return max(state.ordered, _ceil(self._images / self.images_per_replica))


@dataclass
class Nothing:
    """No autoscaler."""

    sample_seconds: float = math.inf
    sync_seconds: float = math.inf

    def sample(self, state: Simulation) -> None:
        """Nothing to see."""

    def wanted(self, state: Simulation) -> int:
        """What there is."""
        return state.ordered


@dataclass(eq=False)
class _Request:
    first_try: float
    tries: int = 1
    away_since: float | None = None
    answered: bool = False


@dataclass
class _Replica:
    waiting: deque[_Request] = field(default_factory=deque)
    reading: int = 0

    @property
    def images(self) -> int:
        return len(self.waiting) + self.reading


@dataclass
class Outcome:
    """What became of the requests.

    Attributes:
        latencies: Seconds from a request's first try to its answer; without the lost ones.
        lost: Requests whose clients gave up.
        last: When the last answer came.
        replicas: (when, how many are ready), at each change.
        images: (when, how many wait or are read), every tenth of a second.
    """

    latencies: list[float] = field(default_factory=list)
    lost: int = 0
    last: float = 0.0
    replicas: list[tuple[float, int]] = field(default_factory=list)
    images: list[tuple[float, int]] = field(default_factory=list)


class Simulation:
    """One run; `outcome` says how it went.

    Attributes:
        service: Of each replica.
        ready: Replicas that requests can go to.
        ordered: Replicas there are, ready or starting.
        outcome: So far.
    """

    def __init__(
        self,
        arrivals: Sequence[float],
        service: Service,
        autoscaler: Autoscaler,
        max_replicas: int,
        phases: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Run it to the end.

        Args:
            arrivals: When requests come, seconds.
            service: Of each replica; one is ready at the start.
            autoscaler: Orders more, never fewer: within the five minutes that Kubernetes waits
                before it takes one away.
            max_replicas: That it may order.
            phases: Where in their periods, 0 to 1, the clocks of sampling and of deciding stand
                at second 0.
        """
        self.service, self.ready, self.ordered = service, [_Replica()], 1
        self.outcome = Outcome(replicas=[(0.0, 1)])
        self.now = 0.0
        self._autoscaler, self._max_replicas = autoscaler, max_replicas
        self._turn = 0
        self._done_busy = 0.0
        self._begun: dict[int, float] = {}
        self._order = count()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._open = len(arrivals)
        for moment in arrivals:
            self._at(moment, partial(self._ask, _Request(moment)))
        self._every(autoscaler.sample_seconds, phases[0], lambda: autoscaler.sample(self))
        self._every(autoscaler.sync_seconds, phases[1], self._sync)
        self._every(0.1, 0.0, self._note)
        while self._open and self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def busy_seconds(self) -> float:
        """Processor time of all readers so far."""
        return self._done_busy + sum(self.now - begun for begun in self._begun.values())

    def _at(self, moment: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._order), event))

    def _every(self, seconds: float, phase: float, event: Callable[[], None]) -> None:
        if math.isinf(seconds):
            return

        def again() -> None:
            event()
            self._at(self.now + seconds, again)

        self._at(seconds * (1 - phase), again)

    def _ask(self, request: _Request) -> None:
        replica = self.ready[self._turn % len(self.ready)]
        self._turn += 1
        if replica.images >= self.service.queue:
            self._turn_away(request)
            return
        replica.waiting.append(request)
        deadline = self.now + self.service.deadline_seconds
        this_try = request.tries
        self._at(deadline, lambda: self._expire(request, this_try, replica))
        self._read(replica)

    def _turn_away(self, request: _Request) -> None:
        """It comes again, if the client has the patience."""
        request.tries += 1
        if request.away_since is None:
            request.away_since = self.now
        again = self.now + self.service.retry_seconds
        if again <= request.away_since + self.service.patience_seconds:
            self._at(again, lambda: self._ask(request))
        else:
            self.outcome.lost += 1
            self._open -= 1

    def _expire(self, request: _Request, this_try: int, replica: _Replica) -> None:
        if request.answered or request.tries != this_try:
            return
        # What is being read is read to the end, for nobody.
        with suppress(ValueError):
            replica.waiting.remove(request)
        self._turn_away(request)

    def _read(self, replica: _Replica) -> None:
        while replica.waiting and replica.reading < self.service.readers:
            request = replica.waiting.popleft()
            replica.reading += 1
            number = next(self._order)
            self._begun[number] = self.now
            finish = partial(self._finish, replica, number, request, request.tries)
            self._at(self.now + self.service.read_seconds, finish)

    def _finish(self, replica: _Replica, number: int, request: _Request, this_try: int) -> None:
        self._done_busy += self.now - self._begun.pop(number)
        replica.reading -= 1
        if request.tries == this_try:
            request.answered = True
            self.outcome.latencies.append(self.now - request.first_try)
            self.outcome.last = self.now
            self._open -= 1
        self._read(replica)

    def _sync(self) -> None:
        wanted = min(self._autoscaler.wanted(self), self._max_replicas)
        for _ in range(wanted - self.ordered):
            self._at(self.now + self.service.start_seconds, self._start)
        self.ordered = max(self.ordered, wanted)

    def _start(self) -> None:
        self.ready.append(_Replica())
        self.outcome.replicas.append((self.now, len(self.ready)))

    def _note(self) -> None:
        self.outcome.images.append((self.now, sum(replica.images for replica in self.ready)))


def _ceil(value: float) -> int:
    # 2.0000000000000004 replicas are two.
    return math.ceil(value - 1e-9)
