"""The measurement: all servers started, then each in its turn, again and again."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.bench import load as load_generator
from serving.bench.architectures import Architecture
from serving.bench.figures import LATE_MS, Figures, FloorFigures, LoadFigures, ServerFigures
from serving.bench.floor import Floor, shapes
from serving.bench.load import Load
from serving.bench.machine import machine_note
from serving.bench.pictures import draw_pictures
from serving.bench.protocol import WireFormat, texts
from serving.bench.server import Server
from serving.bench.settings import BenchSettings

# Before each load, so that no server wakes up while the clock runs.
_WARM_CALLS = 8
# A rate that is beyond what a server was seen to do only shows how its queue grows.
_KEEPS_UP = 0.95
# Of an open loop in which the generator was late.
_TRIES = 3


@dataclass(frozen=True)
class _Contestant:
    """A server that runs, and what is known of it."""

    server: Server
    wire: WireFormat
    requests: Sequence[bytes]
    texts: Sequence[tuple[str, ...]]
    figures: ServerFigures


def measure(model_dir: Path, chosen: Sequence[Architecture], settings: BenchSettings) -> Figures:
    """Measure servers side by side; takes minutes.

    Args:
        model_dir: The exported model that all serve.
        chosen: The servers.
        settings: Of the benchmark.

    Raises:
        BenchError: A server does not start.
        ModelError: There is no such model, or not with such an engine.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-serving-")))
        jpegs = draw_pictures(model_dir, folder / "pictures", settings.images, settings.seed)
        floors = {}
        for engine in dict.fromkeys(each.engine for each in chosen):
            floors[engine] = Floor(model_dir, engine, jpegs)
            stack.callback(floors[engine].stop)
        contestants = []
        for architecture in chosen:
            _say(f"starting {architecture.title}")
            server = architecture.start_in(folder)
            stack.callback(server.stop)
            expected = floors[architecture.engine].texts
            contestants.append(_started(server, architecture, jpegs, expected))
        figures = Figures(
            machine=machine_note(),
            settings=settings.model_dump(),
            floors=[FloorFigures(engine) for engine in floors],
            servers=[contestant.figures for contestant in contestants],
            engine_differences=_differences([floor.texts for floor in floors.values()]),
        )
        _repetitions(contestants, figures, floors, settings)
        for rate in settings.rates_per_second:
            _say(f"open loop at {rate:g} requests/s")
            for contestant in contestants:
                if rate <= _KEEPS_UP * contestant.figures.per_second:
                    with _its_turn(contestant):
                        times = _poisson(rate, settings.rate_seconds, settings.seed)
                        load = _open_loop(contestant, times)
                        contestant.figures.rates[f"{rate:g}"] = load
        return figures


def _started(
    server: Server,
    architecture: Architecture,
    jpegs: Sequence[Path],
    expected: Sequence[tuple[str, ...]],
) -> _Contestant:
    requests = [architecture.wire.request(path.read_bytes()) for path in jpegs]
    server.wait_ready(requests[0])
    figures = ServerFigures(
        architecture.name,
        architecture.title,
        architecture.engine,
        architecture.workers,
        server.start_seconds,
    )
    load_generator.in_turn(server.port, requests, 4, count=len(requests))
    server.hold()
    return _Contestant(server, architecture.wire, requests, expected, figures)


def _repetitions(
    contestants: Sequence[_Contestant],
    figures: Figures,
    floors: dict[tuple[str, str], Floor],
    settings: BenchSettings,
) -> None:
    """Everything but the fixed rates; whoever begins a repetition ends the next."""
    # At random times, but the same for all.
    chance = random.Random(settings.seed)
    begin = time.monotonic()
    for repetition in range(settings.repetitions):
        minutes = (time.monotonic() - begin) / 60
        if minutes > settings.minutes:
            break
        _say(f"repetition {repetition + 1} of {settings.repetitions}, after {minutes:.1f} min")
        times = sorted(chance.uniform(0, settings.window_seconds) for _ in range(settings.calls))
        for floor in figures.floors:
            for shape in shapes():
                seconds = floors[floor.engine].run(shape, settings.calls)
                floor.per_second.setdefault(str(shape), []).append(settings.calls / seconds)
        turn = repetition % len(contestants)
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            with _its_turn(contestant):
                _repetition(contestant, times, settings, repetition)
    for contestant in contestants:
        contestant.figures.megabytes = contestant.server.megabytes()


def _repetition(
    contestant: _Contestant, times: Sequence[float], settings: BenchSettings, repetition: int
) -> None:
    port, requests, figures = contestant.server.port, contestant.requests, contestant.figures

    def in_turn(connections: int, **until: float) -> LoadFigures:
        ask = load_generator.in_turn
        return _measured(contestant, lambda: ask(port, requests, connections, **until))  # type: ignore[arg-type]

    def at_times(moments: Sequence[float]) -> LoadFigures:
        return _measured(contestant, lambda: load_generator.at_times(port, requests, moments))

    figures.serial.append(in_turn(1, count=settings.calls))
    figures.concurrent.append(at_times([0.0] * settings.calls))
    figures.random.append(at_times(times))
    saturated = in_turn(settings.connections, seconds=settings.saturated_seconds)
    figures.saturated.append(saturated)
    # Of what it could do just now: the machine may be slower than it was.
    rate = saturated.per_second / 2
    seconds = settings.half_load_seconds
    even = [number / rate for number in range(max(1, int(rate * seconds)))]
    figures.half_load.append(_open_loop(contestant, even))
    figures.half_load_random.append(_open_loop(contestant, _poisson(rate, seconds, repetition)))


def _open_loop(contestant: _Contestant, times: Sequence[float]) -> LoadFigures:
    """At these times; again if the generator itself was late, as the latencies then say little."""
    port, requests = contestant.server.port, contestant.requests
    tries: list[LoadFigures] = []
    while len(tries) < _TRIES:
        load = _measured(contestant, lambda: load_generator.at_times(port, requests, times))
        tries.append(load)
        # What was lost is never measured away.
        if load.lost or load.late_ms <= LATE_MS:
            return load
    return min(tries, key=lambda load: load.late_ms)


@contextmanager
def _its_turn(contestant: _Contestant) -> Iterator[None]:
    """The server runs, the others do not."""
    contestant.server.go_on()
    load_generator.in_turn(contestant.server.port, contestant.requests, 2, count=_WARM_CALLS)
    yield
    contestant.server.hold()


def _measured(contestant: _Contestant, run: Callable[[], Load]) -> LoadFigures:
    before = contestant.server.cpu_seconds()
    load = run()
    cpu_seconds = contestant.server.cpu_seconds() - before
    return summary(load, contestant.wire, contestant.texts, cpu_seconds)


def summary(
    load: Load, wire: WireFormat, expected: Sequence[tuple[str, ...]], cpu_seconds: float
) -> LoadFigures:
    """What a load shows, its answers checked.

    Args:
        load: What was met.
        wire: How the answers are written.
        expected: The texts in each image, as `protocol.texts`.
        cpu_seconds: Of the server meanwhile.
    """
    lost = otherwise = 0
    latencies = []
    answers = zip(load.asked, load.statuses, load.bodies, load.latencies, strict=True)
    for asked, status, body, seconds in answers:
        found = None
        if status == 200:
            with suppress(ValueError, KeyError, TypeError, IndexError):
                found = texts(wire.answer(body))
        if found is None:
            lost += 1
            continue
        otherwise += found != expected[asked]
        latencies.append(round(seconds * 1000, 3))
    return LoadFigures(
        requests=len(load.asked),
        lost=lost,
        otherwise=otherwise,
        seconds=load.seconds,
        latencies_ms=latencies,
        server_cpu_ms=cpu_seconds / len(load.asked) * 1000,
        generator_share=load.own_seconds / load.seconds,
        late_ms=float(np.percentile(load.late, 99)) * 1000,
    )


def _poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments of requests that come independently of each other; never none."""
    chance = random.Random(seed)
    times = [0.0]
    while times[-1] < seconds:
        times.append(times[-1] + chance.expovariate(rate))
    return times[:-1]


def _differences(readings: Sequence[Sequence[tuple[str, ...]]]) -> int:
    return sum(len(set(of_image)) > 1 for of_image in zip(*readings, strict=True))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
