"""What `model.reading` of a config may say; `configs/models/platenet.py` explains each key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sub_module.errors import ConfigError
from sub_module.models.ranges import check_ranges

# See `check_ranges`. A model file is untrusted input: it may ask for no more.
_RANGES: dict[str, tuple[float, float]] = {
    "reading.min_heat": (0, 1),
    "reading.min_plate": (0, 1),
    "reading.min_score": (0, 1),
    "reading.max_plates": (1, 1000),
    "reading.num_refinements": (0, 16),
    "reading.overlap": (0, 1),
    "reading.max_outside": (0, 1),
    "reading.margins": (-0.25, 1),
    "reading.min_agreeing": (1, 16),
    "reading.min_characters": (1, 64),
    "reading.follows_grammar": (0, 0.999999),
}
# Those that may be None.
_OPTIONAL_RANGES: dict[str, tuple[float, float]] = {
    "reading.calibration": (-100.0, 100.0),
    "reading.max_turned": (0.01, 100.0),
}
_INTEGERS = (
    "reading.max_plates",
    "reading.num_refinements",
    "reading.min_agreeing",
    "reading.min_characters",
)
_LISTS = ("margins", "calibration")
_MOST_MARGINS = 16


@dataclass(frozen=True, kw_only=True)
class ReadingSettings:
    """How a reader goes about it. What has a default is missing from older models.

    Attributes:
        min_heat: Peaks below this are not looked at.
        min_plate: Crops whose plate probability is below this are dropped.
        min_score: Readings below this are dropped.
        max_plates: Peaks looked at in an image, highest first.
        num_refinements: How often corners are refined.
        overlap: Of two plates whose boxes have a larger IoU, the better one stays.
        max_outside: A plate with a larger share of its area outside the image is not read.
        margins: By how much the plate is enlarged on each side for each look at its rows, as a
            share of its width and height.
        min_agreeing: So many of those looks have to read the same.
        min_characters: Shorter texts are dropped.
        max_turned: A plate that is more than so many times as legible upside down or mirrored is
            dropped; None: nobody looks.
        follows_grammar: The share of plates whose text follows one of the standard's grammars.
        calibration: (slope, offset) of a score's log odds; None: scores stay as they are.
    """

    min_heat: float
    min_plate: float
    min_score: float
    max_plates: int
    num_refinements: int
    overlap: float
    max_outside: float = 1.0
    margins: tuple[float, ...] = (0.0,)
    min_agreeing: int = 1
    min_characters: int = 1
    max_turned: float | None = None
    follows_grammar: float = 0.5
    calibration: tuple[float, float] | None = None

    @classmethod
    def from_config(cls, model_config: Mapping[str, Any]) -> ReadingSettings:
        """Build from `model` of a config.

        Raises:
            ConfigError: A setting is missing, unknown or out of its range.
        """
        known = cls.__dataclass_fields__
        defaults = {name: getattr(cls, name) for name in known if hasattr(cls, name)}
        reading = {**defaults, **model_config["reading"]}
        unknown = sorted(reading.keys() - known.keys())
        if unknown:
            raise ConfigError(f"model.reading.{unknown[0]} is unknown")
        for name, value in reading.items():
            _check_shape(name, value)
        calibration = reading["calibration"]
        asked = {
            key: range_
            for key, range_ in _OPTIONAL_RANGES.items()
            if reading[key.removeprefix("reading.")] is not None
        }
        check_ranges({"reading": reading}, _RANGES | asked, _INTEGERS)
        margins = reading["margins"] = tuple(reading["margins"])
        if not 1 <= len(margins) <= _MOST_MARGINS:
            raise ConfigError(f"model.reading.margins must be 1 to {_MOST_MARGINS} numbers")
        if reading["min_agreeing"] > len(margins):
            raise ConfigError("model.reading.min_agreeing must be at most as many as margins")
        if calibration is not None:
            if len(calibration) != 2 or calibration[0] <= 0:
                raise ConfigError(
                    "model.reading.calibration must be null or a slope above 0 and an offset"
                )
            reading["calibration"] = tuple(calibration)
        return cls(**reading)


def _check_shape(name: str, value: Any) -> None:
    """Refuse a list where one number is meant, and one number or lists where a list is."""
    is_list = isinstance(value, list | tuple)
    if name not in _LISTS:
        if is_list:
            raise ConfigError(f"model.reading.{name} must be one number, not {value!r}")
    elif value is not None and (not is_list or any(isinstance(v, list | tuple) for v in value)):
        raise ConfigError(f"model.reading.{name} must be a list of numbers, not {value!r}")
