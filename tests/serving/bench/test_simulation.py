from __future__ import annotations

import random

import pytest

from serving.bench.simulation import Nothing, OnCpu, OnQueue, Service, Simulation


def _service(**changes: float) -> Service:
    defaults = {"read_seconds": 1.0, "readers": 1, "queue": 1000, "deadline_seconds": 1e6}
    return Service(**(defaults | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("readers", "latencies"),
    [
        pytest.param(1, [1, 2, 3, 4], id="one after the other"),
        pytest.param(2, [1, 1, 2, 2], id="two at a time"),
        pytest.param(4, [1, 1, 1, 1], id="all at a time"),
    ],
)
def test_a_burst_waits_for_its_readers(readers: int, latencies: list[float]) -> None:
    outcome = Simulation([0.0] * 4, _service(readers=readers), Nothing(), 1).outcome
    assert sorted(outcome.latencies) == latencies
    assert (outcome.lost, outcome.last) == (0, latencies[-1])


def test_no_requests_are_no_work() -> None:
    outcome = Simulation([], _service(), OnQueue(), 5).outcome
    assert (outcome.latencies, outcome.lost) == ([], 0)


def test_a_full_queue_turns_away_and_is_asked_again() -> None:
    # The first is read, the second waits; the third comes again at 1.5, when one has left.
    service = _service(queue=2, retry_seconds=1.5)
    outcome = Simulation([0.0, 0.0, 0.0], service, Nothing(), 1).outcome
    assert sorted(outcome.latencies) == [1, 2, 3]


def test_who_waits_too_long_is_not_read() -> None:
    service = _service(deadline_seconds=2.5, patience_seconds=0)
    outcome = Simulation([0.0] * 5, service, Nothing(), 1).outcome
    # The third begins at 2, in time, and ends at 3, too late; the others are not begun.
    assert (sorted(outcome.latencies), outcome.lost, outcome.last) == ([1, 2], 3, 2)


def test_who_waits_too_long_comes_again_and_is_read_by_a_new_replica() -> None:
    service = _service(deadline_seconds=2.5, retry_seconds=0.25, start_seconds=1.0)
    outcome = Simulation([0.0] * 4, service, OnQueue(2, 0.5, 1), 2).outcome
    # The second is ready at 2. At 2.75 the last two come again, one to each: the first replica
    # reads the third until 3, for nobody.
    assert outcome.replicas == [(0.0, 1), (2.0, 2)]
    assert (sorted(outcome.latencies), outcome.lost) == ([1, 2, 3.75, 4], 0)


def test_patience_begins_when_a_request_is_turned_away_for_the_first_time() -> None:
    # At 0, 1 and 2 there is no room; at 3 there would be, but the client has given up.
    service = _service(read_seconds=2.5, queue=1, retry_seconds=1.0, patience_seconds=2)
    outcome = Simulation([0.0, 0.0], service, Nothing(), 1).outcome
    assert (outcome.latencies, outcome.lost) == ([2.5], 1)
    service = _service(read_seconds=2.5, queue=1, retry_seconds=1.0, patience_seconds=3)
    outcome = Simulation([0.0, 0.0], service, Nothing(), 1).outcome
    assert (outcome.latencies, outcome.lost) == ([2.5, 5.5], 0)


def test_waiting_is_as_queueing_theory_says() -> None:
    """M/D/1: the mean wait is load / (2 (1 - load)) readings."""
    chance, moment, arrivals = random.Random(0), 0.0, []
    for _ in range(40_000):
        moment += chance.expovariate(0.7)
        arrivals.append(moment)
    outcome = Simulation(arrivals, _service(), Nothing(), 1).outcome
    wait = sum(outcome.latencies) / len(arrivals) - 1
    assert wait == pytest.approx(0.7 / (2 * 0.3), rel=0.05)


def test_the_queue_orders_all_that_it_needs_at_once() -> None:
    # 20 at once: Prometheus sees 6 of them at 15 s, when the autoscaler decides: one is enough.
    service = _service(start_seconds=10.0)
    outcome = Simulation([0.0] * 20, service, OnQueue(8, 5, 15), 5).outcome
    assert outcome.replicas == [(0.0, 1)]
    # 60 at once: 46 at 15 s, so six are wanted, of which five are allowed.
    outcome = Simulation([0.0] * 60, service, OnQueue(8, 5, 15), 5).outcome
    assert outcome.replicas == [(0.0, 1), *((25.0, many) for many in range(2, 6))]


def test_the_processor_orders_step_by_step() -> None:
    # More than any number of them can do. A busy replica is at 1 / 0.8 of its target: from 1 it is
    # 2, at 15 s, ready at 25 s. Both are seen busy for a whole window at 45 s: 3; then 4, then 5.
    service = _service(start_seconds=10.0)
    arrivals = [number / 10 for number in range(1200)]
    outcome = Simulation(arrivals, service, OnCpu(0.8, 15, 15), 5).outcome
    assert outcome.replicas == [(0.0, 1), (25.0, 2), (55.0, 3), (85.0, 4), (115.0, 5)]
    # Seen over a minute, the first is ordered at 60 s.
    slow = Simulation(arrivals, service, OnCpu(0.8, 60, 15), 5).outcome
    assert slow.replicas[1] == (70.0, 2)


def test_a_replica_that_is_busy_by_half_orders_none() -> None:
    # Every 2 s one that takes 1 s.
    arrivals = [2.0 * number for number in range(100)]
    outcome = Simulation(arrivals, _service(), OnCpu(0.8, 15, 15), 5).outcome
    assert outcome.replicas == [(0.0, 1)]


def test_the_clocks_may_stand_anywhere_in_their_periods() -> None:
    service = _service(start_seconds=10.0)
    # Two thirds through its 15 s: it decides at 5 s, when Prometheus, half a second before, saw it.
    autoscaler = OnQueue(8, 5, 15)
    outcome = Simulation([0.0] * 100, service, autoscaler, 5, (0.1, 2 / 3)).outcome
    assert outcome.replicas[1][0] == pytest.approx(15.0)
