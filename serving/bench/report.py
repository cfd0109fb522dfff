"""The figures as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serving.bench.figures import (
    LATE_MS,
    OURS,
    Figures,
    FloorFigures,
    LoadFigures,
    ServerFigures,
    median,
)

# Of images/s, ours over the peer's; of the others the ratio is only told.
_LEAST = {"torchserve": 3.0, "fastapi_sync": 1.5}


def report(figures: Figures) -> str:
    """A Markdown text: the machine, the tables, and where ours wins and loses."""
    parts = [
        _machine(figures),
        "## Side by side\n\n" + _servers(figures),
        "## The bare loop\n\n" + _floors(figures),
        "## Open loop: p50 / p99 in milliseconds\n\n" + _rates(figures),
        "## What was wanted\n\n" + _wanted(figures),
        "## Checks of the measurement\n\n" + _checks(figures),
    ]
    return "\n\n".join(parts) + "\n"


def _machine(figures: Figures) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    num_repetitions = len(next(iter(figures.floors[0].per_second.values())))
    return f"# Servers side by side\n\n{facts}; {num_repetitions} repetitions"


def _servers(figures: Figures) -> str:
    calls = figures.settings["calls"]
    head = [
        "server", "engine", "workers", "images/s, saturated", "of its bare loop", "CPU ms an image",
        f"{calls} serial, mean ms", f"{calls} at once, s", f"{calls} at once, mean ms",
        f"{calls} at random, mean ms", "p99 ms at half load",
        "and at random times", "MB", "start s",
    ]  # fmt: skip
    rows = []
    for server in figures.servers:
        floor = figures.floor_of(server)
        bare = median(floor.per_second[floor.best_shape])
        rows.append(
            [
                server.title,
                ", ".join(server.engine),
                str(server.workers),
                _with_spread([load.per_second for load in server.saturated]),
                f"{server.per_second / bare:.2f}",
                f"{median([load.server_cpu_ms for load in server.saturated]):.1f}",
                _mean_ms(server.serial),
                f"{median([load.seconds for load in server.concurrent]):.2f}",
                _mean_ms(server.concurrent),
                _mean_ms(server.random),
                *(
                    f"{np.percentile([ms for load in loads for ms in load.latencies_ms], 99):.1f}"
                    for loads in (server.half_load, server.half_load_random)
                ),
                f"{server.megabytes:.0f}",
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
        loads = [server.rates.get(rate) for rate in rates]
        rows.append([server.title, *(_p50_and_p99(load) if load else "-" for load in loads)])
    table = _table(["server", *(f"{rate}/s" for rate in rates)], rows)
    return f"{table}\n\n*: the generator itself was late (p99 over {LATE_MS:g} ms)."


def _p50_and_p99(load: LoadFigures) -> str:
    late = "*" if load.late_ms > LATE_MS else ""
    return f"{load.percentile_ms(50):.0f} / {load.percentile_ms(99):.0f}{late}"


def _wanted(figures: Figures) -> str:
    """What was wanted of our server as it ships, and what the others of ours do."""
    ours = [server for server in figures.servers if server.name.startswith(OURS)]
    of_each = [_claims(figures, server) for server in ours]
    rows = []
    for claims in zip(*of_each, strict=True):
        cells = [claims[0].what, claims[0].wanted]
        for server, claim in zip(ours, claims, strict=True):
            verdict = ""
            if server.name == OURS and claim.holds is not None:
                verdict = ": holds" if claim.holds else ": **missed**"
            cells.append(claim.shown + verdict)
        rows.append(cells)
    return _table(["", "wanted", *(server.title for server in ours)], rows)


@dataclass(frozen=True)
class _Claim:
    what: str
    shown: str
    # Empty and None: only told.
    wanted: str = ""
    holds: bool | None = None


def _claims(figures: Figures, ours: ServerFigures) -> list[_Claim]:
    floor = figures.floor_of(ours)
    saturated = [load.per_second for load in ours.saturated]
    claims = []
    for peer in figures.servers:
        if not peer.name.startswith(OURS):
            what = f"images/s over {peer.title}"
            ratio = _ratio(saturated, [load.per_second for load in peer.saturated])
            claims.append(_at_least(what, ratio, _LEAST.get(peer.name)))
    ratio = _ratio(saturated, floor.per_second[floor.best_shape])
    claims.append(_at_least("images/s over the bare loop, same engine", ratio, 0.85))
    at_once = [load.seconds / load.requests for load in ours.concurrent]
    what = f"time of {figures.settings['calls']} calls at once over as many when saturated"
    claims.append(_at_most(what, _ratio(at_once, [1 / rate for rate in saturated]), 1.1))
    what = "p99 at half load over the bare latency"
    claims.append(_at_most(what, _p99(ours.half_load, floor), 3))
    claims.append(_Claim(f"{what}, at random times", f"{_p99(ours.half_load_random, floor):.2f}"))
    lost = sum(load.lost for load in ours.loads)
    sent = sum(load.requests for load in ours.loads)
    claims.append(_Claim("requests lost", f"{lost} of {sent}", "none", lost == 0))
    worker = ours.megabytes / ours.workers
    claims.append(_at_most("memory of one worker, MB", worker, 1000))
    claims.append(_at_most("start to ready, s", ours.start_seconds, 10))
    return claims


def _p99(loads: Sequence[LoadFigures], floor: FloorFigures) -> float:
    """Of latencies, each over the bare latency of its own repetition."""
    latencies = [
        latency_ms / bare_ms
        for load, bare_ms in zip(loads, floor.latencies_ms, strict=True)
        for latency_ms in load.latencies_ms
    ]
    return float(np.percentile(latencies, 99)) if latencies else float("nan")


def _at_least(what: str, value: float, wanted: float | None) -> _Claim:
    if wanted is None:
        return _Claim(what, f"{value:.2f}")
    return _Claim(what, f"{value:.2f}", f"at least {wanted:g}", value >= wanted)


def _at_most(what: str, value: float, wanted: float) -> _Claim:
    shown = f"{value:.0f}" if wanted >= 100 else f"{value:.2f}"
    return _Claim(what, shown, f"at most {wanted:g}", value <= wanted)


def _checks(figures: Figures) -> str:
    head = [
        "server", "requests", "lost", "read otherwise", "generator, of one core",
        "generator late at half load, p99 ms: worst repetition",
    ]  # fmt: skip
    rows = []
    for server in figures.servers:
        loads = server.loads
        late_ms = max(load.late_ms for load in [*server.half_load, *server.half_load_random])
        rows.append(
            [
                server.title,
                str(sum(load.requests for load in loads)),
                str(sum(load.lost for load in loads)),
                str(sum(load.otherwise for load in loads)),
                f"{max(load.generator_share for load in server.saturated):.3f}",
                f"{late_ms:.1f}" + (" **(too late)**" if late_ms > LATE_MS else ""),
            ]
        )
    num_images = figures.settings["images"]
    note = (
        "*read otherwise*: answers with other texts than the bare loop of the same engine gives. "
        f"The engines themselves read {figures.engine_differences} of the {num_images} images "
        f"differently. *Late*: over {LATE_MS:g} ms, latencies are partly the generator's own."
    )
    return f"{_table(head, rows)}\n\n{note}"


def _ratio(values: Sequence[float], others: Sequence[float]) -> float:
    """Repetition by repetition: what slows the machine for a minute slows both."""
    return median([value / other for value, other in zip(values, others, strict=True)])


def _mean_ms(loads: Sequence[LoadFigures]) -> str:
    return f"{median([load.mean_ms for load in loads]):.1f}"


def _with_spread(values: Sequence[float]) -> str:
    """The median, and between which values the middle half lies."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
