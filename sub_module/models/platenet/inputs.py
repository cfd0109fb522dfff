"""The sizes of what platenet's networks look at; no torch in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sub_module.errors import ConfigError
from sub_module.plates.standard import PlateBox

# Pixels of the detector's input a cell of its heat map.
STRIDE = 8
# Pixels of a strip a column of the reader.
COLUMN_WIDTH = 4
# A model file may ask for no more: it is untrusted input.
_LARGEST_PX = 2048
_LARGEST_MARGIN = 4


@dataclass(frozen=True)
class InputSizes:
    """What the networks look at.

    Attributes:
        detector: (width, height) of the whole image, in pixels.
        crop: (width, height) of the refiner's crop.
        crop_margin: Surroundings in a crop on each side, as shares of the plate's width and height.
        strip: (width, height) of the reader's strip.
    """

    detector: tuple[int, int]
    crop: tuple[int, int]
    crop_margin: tuple[float, float]
    strip: tuple[int, int]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> InputSizes:
        """Build from `model.sizes` of a config.

        Raises:
            ConfigError: One is missing, or the networks cannot divide it.
        """
        try:
            sizes = cls(
                detector=_size(config["detector"]),
                crop=_size(config["crop"]),
                crop_margin=_margins(config["crop_margin"]),
                strip=_size(config["strip"]),
            )
        except KeyError as error:
            raise ConfigError(f"model.sizes: {error} is missing") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"model.sizes: {error}") from error
        for margin in sizes.crop_margin:
            if not 0 <= margin <= _LARGEST_MARGIN:
                raise ConfigError(
                    f"model.sizes.crop_margin must be from 0 to {_LARGEST_MARGIN}, not {margin}"
                )
        for name, size, steps in (
            ("detector", sizes.detector, (32, 32)),
            ("crop", sizes.crop, (16, 16)),
            ("strip", sizes.strip, (COLUMN_WIDTH, 8)),
        ):
            pairs = zip(size, steps, strict=True)
            if any(not step <= pixels <= _LARGEST_PX or pixels % step for pixels, step in pairs):
                raise ConfigError(
                    f"model.sizes.{name}: {list(size)} must be multiples of {list(steps)} "
                    f"up to {_LARGEST_PX}"
                )
        return sizes

    @property
    def columns(self) -> int:
        """Columns that the reader classifies."""
        return self.strip[0] // COLUMN_WIDTH

    @property
    def crop_region(self) -> tuple[float, float, float, float]:
        """A crop's region in plate coordinates."""
        across, down = self.crop_margin
        return -across, -down, 1 + across, 1 + down


def enlarged(box: PlateBox, margin: float) -> PlateBox:
    """A region of a plate once that plate is enlarged on each side by a share of itself."""
    if not margin:
        return box
    x1, y1, x2, y2 = (-margin + (1 + 2 * margin) * value for value in box)
    return x1, y1, x2, y2


def _margins(value: float | Sequence[float]) -> tuple[float, float]:
    """One number for both directions, or one for each."""
    across, down = (value, value) if isinstance(value, int | float) else value
    return float(across), float(down)


def _size(values: Sequence[int]) -> tuple[int, int]:
    width, height = values
    return int(width), int(height)
