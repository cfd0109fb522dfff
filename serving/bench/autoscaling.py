"""Whether autoscaling helps a burst: `python -m serving.bench.autoscaling`.

A simulation (`simulation.py`) with the service time and the start that the benchmark measured.
Where in their periods the autoscaler's clocks stand when a burst comes is chance: each scenario
runs with several phases, the same for each autoscaler; the table says the middle one and the
worst.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from serving.bench.figures import OURS, median
from serving.bench.plots import save
from serving.bench.server import BenchError
from serving.bench.settings import AutoscalingSettings, Scenario, bench_settings
from serving.bench.simulation import (
    Autoscaler,
    Nothing,
    OnCpu,
    OnQueue,
    Outcome,
    Service,
    Simulation,
)
from serving.client.settings import client_settings
from serving.predictor.settings import predictor_settings
from sub_module.engine.config import parse_overrides
from sub_module.errors import PlateflowError
from sub_module.files import reason_of, write_text

_CHANCE = random.Random(1)
_PHASES = [(_CHANCE.random(), _CHANCE.random()) for _ in range(3)]


@dataclass(frozen=True)
class Measured:
    """Of one replica with one worker.

    Attributes:
        per_second: Images, saturated.
        start_seconds: To ready.
        readers: Images that it reads at a time.
    """

    per_second: float
    start_seconds: float
    readers: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate; the exit code is 2 where that cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m serving.bench.autoscaling")
    parser.add_argument("--figures", type=Path, default=Path("build/bench-serving/figures.json"))
    parser.add_argument("--out", type=Path, default=Path("build/bench-serving"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    try:
        settings = bench_settings(parse_overrides(options.set)).autoscaling
        measured = read_measured(options.figures)
        outcomes = simulate(settings, measured)
        text = report(settings, measured, outcomes)
        write_text(options.out / "autoscaling.md", text)
        write_plot(settings, outcomes, options.out / "autoscaling.png")
    except PlateflowError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def read_measured(figures: Path) -> Measured:
    """What a benchmark measured of our server with one worker.

    Raises:
        BenchError: There is no such file, or it says nothing of that server.
    """
    try:
        data: dict[str, Any] = json.loads(figures.read_bytes())
        servers = {server["name"]: server for server in data["servers"]}
        loads = servers[OURS]["saturated"]
        rates = [(load["requests"] - load["lost"]) / load["seconds"] for load in loads]
        cores = int(data["machine"]["cores"])
        return Measured(median(rates), float(servers[OURS]["start_seconds"]), cores)
    except OSError as error:
        raise BenchError(
            f"{figures}: {reason_of(error)}; `make bench-serving` measures first"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{figures}: no figures of a benchmark with {OURS}") from error


Outcomes = dict[str, dict[str, list[Outcome]]]


def simulate(settings: AutoscalingSettings, measured: Measured) -> Outcomes:
    """Scenario to autoscaler to the outcome of each of the phases."""
    return {
        name: {
            title: [
                Simulation(
                    scenario.arrivals(),
                    _service(scenario, settings, measured),
                    make(),
                    settings.max_replicas,
                    phases,
                ).outcome
                # Where nothing decides, all phases are the same.
                for phases in (_PHASES if make is not Nothing else _PHASES[:1])
            ]
            for title, make in _autoscalers(settings)
        }
        for name, scenario in settings.scenarios.items()
    }


def report(settings: AutoscalingSettings, measured: Measured, outcomes: Outcomes) -> str:
    """A table in Markdown."""
    head = [
        "scenario", "autoscaler", "second replica ready, s", "last answer, s", "p50, s", "p99, s",
        "given up",
    ]  # fmt: skip
    lines = [head, ["---"] * len(head)]
    for name, of_scenario in outcomes.items():
        for title, runs in of_scenario.items():
            cells = [
                _over_phases([_second_replica(run) for run in runs]),
                _over_phases([run.last for run in runs]),
                _over_phases([_percentile(run, 50) for run in runs]),
                _over_phases([_percentile(run, 99) for run in runs]),
                _over_phases([run.lost for run in runs], "{:.0f}".format),
            ]
            lines.append([_label(name, settings), title, *cells])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return (
        f"One replica reads {measured.per_second:.0f} images/s and is ready "
        f"{measured.start_seconds + settings.pod_seconds:.1f} s after it is ordered "
        f"({measured.start_seconds:.1f} s measured, {settings.pod_seconds:g} s assumed for the "
        f"pod); at most {settings.max_replicas} replicas. Middle of {len(_PHASES)} phases of the "
        f"autoscaler's clocks (worst in brackets).\n\n{table}\n"
    )


def write_plot(settings: AutoscalingSettings, outcomes: Outcomes, path: Path) -> None:
    """Images that wait, and replicas, over time; of each scenario the first phase."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(11, 2.6 * len(outcomes)))
    rows = picture.subplots(len(outcomes), 2, squeeze=False)
    for (name, of_scenario), (waiting, replicas) in zip(outcomes.items(), rows, strict=True):
        for title, runs in of_scenario.items():
            first = runs[0]
            end = max(first.last, 1.0)
            waiting.plot(*zip(*first.images, strict=True), label=title, linewidth=1)
            when, how_many = zip(*first.replicas, (end, first.replicas[-1][1]), strict=True)
            shown = [moment <= end for moment in when]
            replicas.step(
                [moment for moment, show in zip(when, shown, strict=True) if show],
                [many for many, show in zip(how_many, shown, strict=True) if show],
                where="post",
                label=title,
            )
        waiting.set_ylabel("images that wait or are read", fontsize=8)
        replicas.set_ylabel("replicas ready", fontsize=8)
        replicas.set_ylim(0, settings.max_replicas + 0.5)
        for axes in (waiting, replicas):
            axes.set_title(_label(name, settings), fontsize=9)
            axes.set_xlabel("seconds", fontsize=8)
            axes.grid(alpha=0.3)
    rows[0][1].legend(fontsize=7)
    picture.tight_layout()
    save(picture, path)


def _autoscalers(settings: AutoscalingSettings) -> Iterator[tuple[str, Callable[[], Autoscaler]]]:
    yield "none", Nothing
    for window in settings.cpu_window_seconds:
        yield (
            f"CPU, {window:g} s window",
            partial(OnCpu, settings.cpu_target, window, settings.sync_seconds),
        )
    yield (
        "queue",
        partial(
            OnQueue, settings.images_per_replica, settings.scrape_seconds, settings.sync_seconds
        ),
    )


def _service(scenario: Scenario, settings: AutoscalingSettings, measured: Measured) -> Service:
    limits = predictor_settings().limits
    slow = scenario.images_per_second
    return Service(
        # A slow model has one reader, whose graphs take all cores.
        read_seconds=1 / slow if slow else measured.readers / measured.per_second,
        readers=1 if slow else measured.readers,
        queue=limits.queued_images,
        retry_seconds=limits.retry_after_seconds,
        deadline_seconds=limits.deadline_seconds,
        patience_seconds=client_settings().patience_seconds,
        start_seconds=measured.start_seconds + settings.pod_seconds,
    )


def _label(name: str, settings: AutoscalingSettings) -> str:
    slow = settings.scenarios[name].images_per_second
    # What was not measured is not to look so.
    assumed = f" (assumed: {1 / slow:.2f} s an image)" if slow else ""
    return name.replace("_", " ") + assumed


def _second_replica(run: Outcome) -> float:
    return next((moment for moment, many in run.replicas if many > 1), float("nan"))


def _percentile(run: Outcome, percent: float) -> float:
    return float(np.percentile(run.latencies, percent)) if run.latencies else float("nan")


def _over_phases(values: Sequence[float], show: Callable[[float], str] = "{:.1f}".format) -> str:
    if np.isnan(values).all():
        return "-"
    return f"{show(float(np.nanmedian(values)))} ({show(float(np.nanmax(values)))})"


if __name__ == "__main__":
    sys.exit(main())
