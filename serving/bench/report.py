"""The figures as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from serving.bench.figures import Figures, LoadFigures, ServerFigures, median


def report(figures: Figures) -> str:
    """A Markdown text: the machine, the tables, and where ours wins and loses."""
    parts = [
        _machine(figures),
        "## Side by side\n\n" + _servers(figures),
        "## The bare loop\n\n" + _floors(figures),
        "## Open loop: p50 / p99 in milliseconds\n\n" + _rates(figures),
        "## What was wanted\n\n" + "\n\n".join(_ours(figures)),
        "## Checks of the measurement\n\n" + _checks(figures),
    ]
    return "\n\n".join(parts) + "\n"


def _machine(figures: Figures) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    return f"# Servers side by side\n\n{facts}"


def _servers(figures: Figures) -> str:
    calls = figures.settings["calls"]
    head = [
        "server", "engine", "images/s, saturated", "of its bare loop", "CPU ms an image",
        f"{calls} serial, mean ms", f"{calls} at once, s", f"{calls} at once, mean ms",
        f"{calls} at random, mean ms", "p99 ms at half load", "MB", "processes", "start s",
    ]  # fmt: skip
    rows = []
    for server in figures.servers:
        floor = figures.floor_of(server)
        bare = median(floor.per_second[floor.best_shape])
        half = server.half_load.percentile_ms(99) if server.half_load else float("nan")
        rows.append(
            [
                server.title,
                ", ".join(server.engine),
                _with_spread([load.per_second for load in server.saturated]),
                f"{server.per_second / bare:.2f}",
                f"{median([load.server_cpu_ms for load in server.saturated]):.1f}",
                _mean_ms(server.serial),
                f"{median([load.seconds for load in server.concurrent]):.2f}",
                _mean_ms(server.concurrent),
                _mean_ms(server.random),
                f"{half:.1f}",
                f"{server.megabytes:.0f}",
                str(server.processes),
                f"{server.start_seconds:.1f}",
            ]
        )
    return _table(head, rows)


def _floors(figures: Figures) -> str:
    head = ["engine", "loops x threads of a graph", "images/s", "ms an image"]
    rows = []
    for floor in figures.floors:
        for shape, rates in floor.per_second.items():
            best = " (best)" if shape == floor.best_shape else ""
            cells = [", ".join(floor.engine), shape + best, _with_spread(rates)]
            rows.append([*cells, f"{1000 / median(rates):.1f}"])
    return _table(head, rows)


def _rates(figures: Figures) -> str:
    rates = [f"{rate:g}" for rate in figures.settings["rates_per_second"]]
    rows = []
    for server in figures.servers:
        cells = []
        for rate in rates:
            load = server.rates.get(rate)
            cells.append(
                f"{load.percentile_ms(50):.0f} / {load.percentile_ms(99):.0f}" if load else "-"
            )
        rows.append([server.title, *cells])
    return _table(["server", *(f"{rate}/s" for rate in rates)], rows)


def _ours(figures: Figures) -> Iterator[str]:
    """What the figures of each of our servers are, against what was wanted of them."""
    for server in figures.servers:
        if server.name.startswith("ours"):
            rows = [
                [what, value, wanted, "yes" if holds else "**no**"]
                for what, value, wanted, holds in _wanted(figures, server)
            ]
            head = [server.title, "measured", "wanted", "holds"]
            yield _table(head, rows)


def _wanted(figures: Figures, ours: ServerFigures) -> Iterator[tuple[str, str, str, bool]]:
    for peer in figures.servers:
        if peer.name.startswith("ours"):
            continue
        ratio = _ratio(ours, peer)
        least = {"torchserve": 3.0, "fastapi_sync": 1.5}.get(peer.name, 1.0)
        yield (
            f"images/s over {peer.title} ({', '.join(peer.engine)})",
            f"{ratio:.2f}",
            f"at least {least:g}",
            ratio >= least,
        )
    floor = figures.floor_of(ours)
    bare = floor.per_second[floor.best_shape]
    ratio = median([load.per_second / of for load, of in zip(ours.saturated, bare, strict=True)])
    yield "images/s over the bare loop, same engine", f"{ratio:.2f}", "at least 0.85", ratio >= 0.85
    ratio = median(
        [
            at_once.seconds * saturated.per_second / at_once.requests
            for at_once, saturated in zip(ours.concurrent, ours.saturated, strict=True)
        ]
    )
    calls = figures.settings["calls"]
    yield (
        f"time of {calls} calls at once over {calls} when saturated",
        f"{ratio:.2f}",
        "at most 1.1",
        ratio <= 1.1,
    )
    if ours.half_load:
        ratio = ours.half_load.percentile_ms(99) / floor.latency_ms
        yield "p99 at half load over the bare latency", f"{ratio:.2f}", "at most 3", ratio <= 3
    lost = sum(load.lost for load in ours.loads)
    sent = sum(load.requests for load in ours.loads)
    yield "requests lost", f"{lost} of {sent}", "none", lost == 0
    worker = ours.megabytes / int(ours.name.split("_")[1])
    yield "memory of one worker", f"{worker:.0f} MB", "under 1000 MB", worker < 1000
    start = ours.start_seconds
    yield "start to ready", f"{start:.1f} s", "under 10 s", start < 10


def _checks(figures: Figures) -> str:
    head = ["server", "requests", "lost", "read otherwise", "generator, of one core", "late p99 ms"]
    rows = []
    for server in figures.servers:
        loads = server.loads
        rows.append(
            [
                server.title,
                str(sum(load.requests for load in loads)),
                str(sum(load.lost for load in loads)),
                str(sum(load.otherwise for load in loads)),
                f"{max(load.generator_share for load in server.saturated):.3f}",
                f"{max(load.late_ms for load in loads):.1f}",
            ]
        )
    num_images = figures.settings["images"]
    note = (
        "*read otherwise*: answers with other texts than the bare loop of the same engine gives. "
        f"The engines themselves read {figures.engine_differences} of the {num_images} images "
        "differently."
    )
    return f"{_table(head, rows)}\n\n{note}"


def _ratio(ours: ServerFigures, peer: ServerFigures) -> float:
    """Of images/s, repetition by repetition: what slows the machine for a minute slows both."""
    pairs = zip(ours.saturated, peer.saturated, strict=True)
    return median([mine.per_second / theirs.per_second for mine, theirs in pairs])


def _mean_ms(loads: Sequence[LoadFigures]) -> str:
    return f"{median([load.mean_ms for load in loads]):.1f}"


def _with_spread(
    values: Sequence[float], format_one: Callable[[float], str] = "{:.1f}".format
) -> str:
    """The median, and between which values the middle half lies."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{format_one(middle)} ({format_one(low)} to {format_one(high)})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
