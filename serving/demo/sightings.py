"""The plates of a video: each once, with all the times that it was seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from serving.demo.reading import Found, ReadImage


@dataclass(frozen=True)
class Sighting:
    """A plate that was read on frames of a video, the same text each time.

    Attributes:
        best: Where it was read with the highest score.
        seconds: When, from the video's start, in order.
    """

    best: Found
    seconds: tuple[float, ...]


def sightings(frames: Iterable[ReadImage]) -> list[Sighting]:
    """The plates of frames; those that were seen most often come first, then by their score."""
    seen: dict[tuple[str, str], list[tuple[float, Found]]] = defaultdict(list)
    for frame in frames:
        for found in frame.found:
            seen[found.reading.layout, found.reading.text].append((frame.seconds, found))
    plates = [
        Sighting(
            best=max((found for _, found in times), key=lambda found: found.reading.score),
            seconds=tuple(sorted({seconds for seconds, _ in times})),
        )
        for times in seen.values()
    ]
    return sorted(plates, key=lambda plate: (-len(plate.seconds), -plate.best.reading.score))
