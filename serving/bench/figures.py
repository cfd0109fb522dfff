"""What was measured: plain data that goes into a file and comes out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

Engine = tuple[str, str]

# Of our servers, the one as it ships: what the wanted figures are of.
OURS = "ours"
# A generator that was later than this, at p99, may have been late to see the answers as well.
LATE_MS = 5.0


@dataclass(frozen=True)
class LoadFigures:
    """One load on one server.

    Attributes:
        requests: Sent.
        lost: Of them, without a good answer.
        otherwise: Of the answers, those that read other texts than the bare loop.
        seconds: From the first request to the last answer.
        latencies_ms: Of the good answers.
        server_cpu_ms: Processor time of the server, a request.
        generator_share: Of one core, what the load generator took.
        late_ms: p99 of how late requests were sent, the generator's own fault.
    """

    requests: int
    lost: int
    otherwise: int
    seconds: float
    latencies_ms: list[float]
    server_cpu_ms: float
    generator_share: float
    late_ms: float

    @property
    def per_second(self) -> float:
        """Good answers."""
        return (self.requests - self.lost) / self.seconds

    @property
    def mean_ms(self) -> float:
        """Of the good answers."""
        return float(np.mean(self.latencies_ms)) if self.latencies_ms else float("nan")

    def percentile_ms(self, percent: float) -> float:
        """Of the good answers."""
        if not self.latencies_ms:
            return float("nan")
        return float(np.percentile(self.latencies_ms, percent))


@dataclass
class ServerFigures:
    """Everything measured of one server; lists have an entry a repetition.

    Attributes:
        name, title, engine, workers: See `Architecture`.
        start_seconds: To the first good answer.
        megabytes: Memory of all its processes after all loads.
        serial: Calls one after the other.
        concurrent: The same calls all at once.
        random: The same calls at random times over a window.
        saturated: Always some on their way.
        rates: Requests a second to what became of them.
        half_load: At half of the rate when saturated just before, evenly spaced.
        half_load_random: The same, at random times.
    """

    name: str
    title: str
    engine: Engine
    workers: int
    start_seconds: float
    megabytes: float = float("nan")
    serial: list[LoadFigures] = field(default_factory=list)
    concurrent: list[LoadFigures] = field(default_factory=list)
    random: list[LoadFigures] = field(default_factory=list)
    saturated: list[LoadFigures] = field(default_factory=list)
    rates: dict[str, LoadFigures] = field(default_factory=dict)
    half_load: list[LoadFigures] = field(default_factory=list)
    half_load_random: list[LoadFigures] = field(default_factory=list)

    @property
    def loads(self) -> list[LoadFigures]:
        """All of them."""
        closed = [*self.serial, *self.concurrent, *self.random, *self.saturated]
        return [*closed, *self.half_load, *self.half_load_random, *self.rates.values()]

    @property
    def per_second(self) -> float:
        """When saturated: the median repetition."""
        return median([load.per_second for load in self.saturated])


@dataclass
class FloorFigures:
    """The bare loop with one engine.

    Attributes:
        engine: Runtime and precision.
        per_second: Shape (loops x threads) to images a second, an entry a repetition.
    """

    engine: Engine
    per_second: dict[str, list[float]] = field(default_factory=dict)

    @property
    def best_shape(self) -> str:
        """The one with the highest median."""
        return max(self.per_second, key=lambda shape: median(self.per_second[shape]))

    @property
    def latencies_ms(self) -> list[float]:
        """Of one image with nothing beside it, on as many cores as help: one loop.

        An entry a repetition.
        """
        alone = [rates for shape, rates in self.per_second.items() if shape.startswith("1 x")]
        return [1000 / rate for rate in max(alone, key=median)]


@dataclass
class Figures:
    """A whole benchmark.

    Attributes:
        machine: What it ran on, and with which versions.
        settings: Of the benchmark.
        floors: One an engine.
        servers: In the order of the table.
        engine_differences: Images of all that the engines' bare loops read differently.
    """

    machine: dict[str, str]
    settings: dict[str, Any]
    floors: list[FloorFigures]
    servers: list[ServerFigures]
    engine_differences: int = 0

    def floor_of(self, server: ServerFigures) -> FloorFigures:
        """The bare loop with the engine of a server."""
        return next(floor for floor in self.floors if floor.engine == server.engine)

    def server(self, name: str) -> ServerFigures | None:
        """The one of a name, if it was measured."""
        return next((each for each in self.servers if each.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def median(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return float(np.median(values)) if len(values) else float("nan")
