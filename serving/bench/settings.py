"""What `configs/serving/bench.py` says, checked."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import Field

from serving.settings import Count, Part, Positive, load_settings

# Small enough for a test; the figures mean nothing.
QUICK: dict[str, Any] = {
    "images": 8,
    "calls": 8,
    "repetitions": 2,
    "window_seconds": 0.1,
    "connections": 4,
    "saturated_seconds": 0.15,
    "rates_per_second": [10.0],
    "rate_seconds": 0.2,
    "half_load_seconds": 0.15,
    "soak_requests": 60,
}


class Scenario(Part):
    """Requests of a simulation, and replicas that are none of ours where it says so."""

    burst: Count
    every_seconds: Positive
    for_seconds: Positive
    images_per_second: Positive | None = None

    def arrivals(self) -> list[float]:
        """When requests come, seconds."""
        num_bursts = math.ceil(self.for_seconds / self.every_seconds)
        return [b * self.every_seconds for b in range(num_bursts) for _ in range(self.burst)]


class AutoscalingSettings(Part):
    """Of the simulation."""

    max_replicas: Count
    pod_seconds: Annotated[float, Field(ge=0)]
    images_per_replica: Positive
    scrape_seconds: Positive
    cpu_target: Annotated[float, Field(gt=0, le=1)]
    cpu_window_seconds: list[Positive]
    sync_seconds: Positive
    scenarios: dict[str, Scenario]


class BenchSettings(Part):
    """The whole config; what each field means stands there."""

    images: Count
    seed: Annotated[int, Field(ge=0, strict=True)]
    calls: Count
    repetitions: Count
    minutes: Positive
    window_seconds: Positive
    connections: Count
    saturated_seconds: Positive
    rates_per_second: list[Positive]
    rate_seconds: Positive
    half_load_seconds: Positive
    soak_requests: Count
    autoscaling: AutoscalingSettings


def bench_settings(overrides: dict[str, Any] | None = None) -> BenchSettings:
    """The settings of `configs/serving/bench.py`; see `load_settings`."""
    return load_settings("bench", BenchSettings, overrides)
