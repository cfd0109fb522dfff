"""The measurement: all servers started, then each in its turn, again and again."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serving.bench import load as load_generator
from serving.bench.architectures import Architecture
from serving.bench.figures import Figures, FloorFigures, LoadFigures, ServerFigures
from serving.bench.floor import Floor, shapes
from serving.bench.load import Load
from serving.bench.machine import machine_note
from serving.bench.pictures import draw_pictures
from serving.bench.protocol import WireFormat, texts
from serving.bench.server import Server
from serving.bench.settings import BenchSettings

# Before each load, so that no server wakes up while the clock runs.
_WARM_CALLS = 8
_FIRST_CALLS = 100
# A rate that is beyond what a server was seen to do only shows how its queue grows.
_KEEPS_UP = 0.95


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
            own = floors[architecture.engine].texts
            contestant = _started(architecture, folder, jpegs, own, stack)
            contestants.append(contestant)
        figures = Figures(
            machine=machine_note(),
            settings=settings.model_dump(),
            floors=[FloorFigures(engine) for engine in floors],
            servers=[contestant.figures for contestant in contestants],
            engine_differences=_differences([floor.texts for floor in floors.values()]),
        )
        _repetitions(contestants, figures, floors, settings)
        _open_loops(contestants, settings)
        return figures


def _started(
    architecture: Architecture,
    folder: Path,
    jpegs: Sequence[Path],
    expected: Sequence[tuple[str, ...]],
    stack: ExitStack,
) -> _Contestant:
    own = folder / architecture.name
    own.mkdir()
    server = architecture.start(own)
    stack.callback(server.stop)
    requests = [architecture.wire.request(path.read_bytes()) for path in jpegs]
    server.wait_ready(requests[0])
    figures = ServerFigures(
        architecture.name, architecture.title, architecture.engine, server.start_seconds
    )
    load_generator.in_turn(server.port, requests, 4, count=_FIRST_CALLS)
    server.hold()
    return _Contestant(server, architecture.wire, requests, expected, figures)


def _repetitions(
    contestants: Sequence[_Contestant],
    figures: Figures,
    floors: dict[tuple[str, str], Floor],
    settings: BenchSettings,
) -> None:
    """The closed loops; whoever began a repetition ends the next."""
    # At random times, but the same for all.
    chance = random.Random(settings.seed)
    begin = time.monotonic()
    for repetition in range(settings.repetitions):
        times = sorted(chance.uniform(0, settings.window_seconds) for _ in range(settings.calls))
        for floor in figures.floors:
            for shape in shapes():
                seconds = floors[floor.engine].run(shape, settings.calls)
                floor.per_second.setdefault(str(shape), []).append(settings.calls / seconds)
        turn = repetition % len(contestants)
        for contestant in [*contestants[turn:], *contestants[:turn]]:
            with _its_turn(contestant):
                _closed_loops(contestant, times, settings)
        minutes = (time.monotonic() - begin) / 60
        _say(f"repetition {repetition + 1} of {settings.repetitions}, {minutes:.1f} min")


def _closed_loops(contestant: _Contestant, times: Sequence[float], settings: BenchSettings) -> None:
    port, requests, figures = contestant.server.port, contestant.requests, contestant.figures
    with _counted(contestant, figures.serial) as loads:
        loads.append(load_generator.in_turn(port, requests, 1, count=settings.calls))
    with _counted(contestant, figures.concurrent) as loads:
        loads.append(load_generator.at_times(port, requests, [0.0] * settings.calls))
    with _counted(contestant, figures.random) as loads:
        loads.append(load_generator.at_times(port, requests, times))
    with _counted(contestant, figures.saturated) as loads:
        loads.append(
            load_generator.in_turn(
                port, requests, settings.connections, seconds=settings.saturated_seconds
            )
        )


def _open_loops(contestants: Sequence[_Contestant], settings: BenchSettings) -> None:
    """At fixed rates, and at half of what each can do."""
    for rate in settings.rates_per_second:
        times = _poisson(rate, settings.rate_seconds, settings.seed)
        for contestant in contestants:
            if rate <= _KEEPS_UP * contestant.figures.per_second:
                contestant.figures.rates[f"{rate:g}"] = _at_times(contestant, times)
        _say(f"open loop at {rate:g} requests/s")
    for contestant in contestants:
        rate = contestant.figures.per_second / 2
        times = _poisson(rate, settings.half_load_seconds, settings.seed)
        contestant.figures.half_load = _at_times(contestant, times)
        contestant.figures.megabytes = contestant.server.megabytes()
        contestant.figures.processes = contestant.server.num_processes()
    _say("open loop at half load")


def _at_times(contestant: _Contestant, times: Sequence[float]) -> LoadFigures:
    figures: list[LoadFigures] = []
    with _its_turn(contestant), _counted(contestant, figures) as loads:
        loads.append(load_generator.at_times(contestant.server.port, contestant.requests, times))
    return figures[0]


@contextmanager
def _its_turn(contestant: _Contestant) -> Iterator[None]:
    """The server runs, the others do not."""
    contestant.server.go_on()
    load_generator.in_turn(contestant.server.port, contestant.requests, 2, count=_WARM_CALLS)
    yield
    contestant.server.hold()


@contextmanager
def _counted(contestant: _Contestant, figures: list[LoadFigures]) -> Iterator[list[Load]]:
    """Makes figures of the load that is put into the list."""
    loads: list[Load] = []
    before = contestant.server.cpu_seconds()
    yield loads
    [load] = loads
    cpu_seconds = contestant.server.cpu_seconds() - before
    figures.append(summary(load, contestant.wire, contestant.texts, cpu_seconds))


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
