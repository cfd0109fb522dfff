"""What the server says of one image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        model: `name` and `version` of the model, as in `models/<version>`, and the `standard` that
            it read.
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

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ImageAnswer:
        """The answer that `to_dict` gave, also after a way through JSON.

        Raises:
            KeyError: A field is missing.
            TypeError, ValueError, AttributeError: A field is none of its kind.
        """
        return cls(
            width=int(data["image"]["width"]),
            height=int(data["image"]["height"]),
            readings=tuple(PlateReading.from_dict(plate) for plate in data["plates"]),
            model={name: str(value) for name, value in data["model"].items()},
            timings_ms={stage: float(ms) for stage, ms in data["timings_ms"].items()},
        )


def plate_dict(reading: PlateReading) -> dict[str, Any]:
    """A reading as clients get it: with centre and size of its box; to a hundredth of a pixel."""
    x1, y1, x2, y2 = reading.box
    return reading.to_dict() | {
        "box": _rounded(reading.box),
        "corners": [_rounded(corner) for corner in reading.corners],
        "score": round(reading.score, 4),
        "centre": _rounded(((x1 + x2) / 2, (y1 + y2) / 2)),
        "size": _rounded((x2 - x1, y2 - y1)),
    }


def _rounded(pixels: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in pixels]
