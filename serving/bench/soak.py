"""The memory of a server over many requests."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serving.bench import load as load_generator
from serving.bench.architectures import Architecture
from serving.bench.floor import Floor
from serving.bench.measure import summary
from serving.bench.pictures import draw_pictures
from serving.bench.plots import save
from serving.bench.settings import BenchSettings

# Answers are checked, and memory is measured, after so many requests.
_PART = 1000
# The first requests bring in what every server keeps: buffers of sessions, threads, pools.
_SETTLED = 0.2


@dataclass(frozen=True)
class Soak:
    """What a server held on to.

    Attributes:
        title: Of the server.
        requests: Sent before each measurement of memory; from 0.
        megabytes: Of all its processes then.
        lost: Requests without a good answer.
        otherwise: Answers with other texts than the bare loop's.
        seconds: Of all requests.
    """

    title: str
    requests: list[int]
    megabytes: list[float]
    lost: int
    otherwise: int
    seconds: float

    @property
    def growth(self) -> float:
        """Megabytes that 10,000 requests add, by a line through what was measured when settled."""
        settled = int(len(self.requests) * _SETTLED)
        slope, _ = np.polyfit(self.requests[settled:], self.megabytes[settled:], 1)
        return float(slope) * 10_000

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def soak(model_dir: Path, architecture: Architecture, settings: BenchSettings) -> Soak:
    """Ask one server many times.

    Raises:
        BenchError: It does not start.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-serving-")))
        jpegs = draw_pictures(model_dir, folder / "pictures", settings.images, settings.seed)
        floor = Floor(model_dir, architecture.engine, jpegs)
        stack.callback(floor.stop)
        server = architecture.start_in(folder)
        stack.callback(server.stop)
        requests = [architecture.wire.request(path.read_bytes()) for path in jpegs]
        server.wait_ready(requests[0])
        counts, megabytes = [0], [server.megabytes()]
        lost, otherwise, seconds = 0, 0, 0.0
        part = min(_PART, settings.soak_requests)
        while counts[-1] < settings.soak_requests:
            load = load_generator.in_turn(
                server.port, requests, settings.connections, count=part, timeout_seconds=600
            )
            figures = summary(load, architecture.wire, floor.texts, 0.0)
            counts.append(counts[-1] + figures.requests)
            megabytes.append(server.megabytes())
            lost, otherwise = lost + figures.lost, otherwise + figures.otherwise
            seconds += figures.seconds
            print(f"{counts[-1]} requests, {megabytes[-1]:.1f} MB", file=sys.stderr, flush=True)
        return Soak(architecture.title, counts, megabytes, lost, otherwise, seconds)


def soak_report(memory: Soak, folder: Path) -> str:
    """A line of Markdown, and the plot `soak.png`."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(8, 3))
    axes = picture.subplots()
    axes.plot(memory.requests, memory.megabytes, color="#c0392b")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("requests")
    axes.set_ylabel("MB of all processes")
    axes.spines[["top", "right"]].set_visible(False)
    save(picture, folder / "soak.png")
    return (
        f"{memory.title}: {memory.requests[-1]} requests in {memory.seconds:.0f} s, "
        f"{memory.lost} lost, {memory.otherwise} read otherwise; memory "
        f"{memory.megabytes[0]:.0f} MB when ready, {max(memory.megabytes):.0f} MB at most, "
        f"{memory.megabytes[-1]:.0f} MB at the end; {memory.growth:+.1f} MB for each "
        "10,000 requests once settled\n"
    )
