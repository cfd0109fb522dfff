"""What the server says of one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sub_module.plates import PlateReading


@dataclass(frozen=True)
class ImageAnswer:
    """The readings of one image.

    Attributes:
        width: Of the image as it is looked at (after its EXIF rotation), pixels.
        height: Likewise.
        readings: Best first, in pixels of that image.
        model: Name and version of the model, as in `models/<version>`.
        timings_ms: Milliseconds by stage: `queue`, `decode`, `read`.
    """

    width: int
    height: int
    readings: tuple[PlateReading, ...]
    model: dict[str, str]
    timings_ms: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the same shape in every protocol."""
        return {
            "plates": [plate_dict(reading) for reading in self.readings],
            "image": {"width": self.width, "height": self.height},
            "model": self.model,
            "timings_ms": {stage: round(ms, 3) for stage, ms in self.timings_ms.items()},
        }


def plate_dict(reading: PlateReading) -> dict[str, Any]:
    """A reading as clients get it: `PlateReading.to_dict`, with centre and size of its box."""
    x1, y1, x2, y2 = reading.box
    shape = {"centre": [(x1 + x2) / 2, (y1 + y2) / 2], "size": [x2 - x1, y2 - y1]}
    return reading.to_dict() | shape
