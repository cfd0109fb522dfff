"""What the drawing's settings may be (`configs/datasets/drawn.py` explains each)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from dataset_tools.draw.faces.glyphs import glyph
from dataset_tools.draw.plates.furniture import check_furniture
from dataset_tools.draw.scenes.effects import EFFECTS
from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard

# Smaller images hold no plate that can be read; larger ones no camera takes.
_IMAGE_PX = (64, 16384)


def check_settings(settings: Any, standard: PlateStandard) -> None:
    """Refuse settings that cannot be drawn with, before anything is.

    Raises:
        ConfigError: As `check_values` says; or a font is none or lacks a character of the standard.
    """
    check_values(settings, standard)
    for font in settings["fonts"]:
        for character in standard.alphabet:
            glyph(font, character)


def check_values(settings: Any, standard: PlateStandard) -> None:
    """`check_settings` but for the fonts, which are looked up where it is drawn.

    Raises:
        ConfigError: A setting is missing, unknown or of no use, or names what there is not.
    """
    if not isinstance(settings, Mapping):
        raise ConfigError(f"dataset.draw must be a table of keys, not {settings!r}")
    unknown = sorted(settings.keys() - _DEMANDS.keys())
    if unknown:
        raise ConfigError(f"dataset.draw.{unknown[0]} is unknown")
    for name, (fits, demand) in _DEMANDS.items():
        if name not in settings:
            raise ConfigError(f"dataset.draw.{name} is missing")
        value = settings[name]
        try:
            fit = fits(value)
        except (TypeError, ValueError, AttributeError):
            fit = False
        if not fit:
            raise ConfigError(f"dataset.draw.{name} must be {demand}, not {value!r}")
    for name in settings["layouts"] or ():
        if name not in {layout.name for layout in standard.layouts}:
            raise ConfigError(f"dataset.draw.layouts: {standard.name} has no layout {name!r}")
    for name in settings["effects"]:
        if name not in EFFECTS:
            raise ConfigError(
                f"dataset.draw.effects: no effect {name!r}; there are {', '.join(EFFECTS)}"
            )
    for layout in standard.layouts:
        check_furniture(standard, layout)


def _between(low: float, high: float) -> Callable[[Any], bool]:
    # True and False are whole numbers to Python; comparing with NaN gives False.
    return lambda value: not isinstance(value, bool) and low <= value <= high


def _whole(low: int, high: float) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and _between(low, high)(value)


def _sizes(value: Any) -> bool:
    side = _whole(*_IMAGE_PX)
    return len(value) > 0 and all(len(size) == 2 and all(map(side, size)) for size in value)


def _shares(value: Any) -> bool:
    return all(map(_between(0, 1), value)) and math.isclose(sum(value), 1, abs_tol=1e-8)


def _range(value: Any, within: Callable[[Any], bool]) -> bool:
    low, high = value
    return within(low) and within(high) and bool(low <= high)


def _weights(value: Any) -> bool:
    heavy = _between(0, 1e9)
    return value is None or (all(map(heavy, value.values())) and sum(value.values()) > 0)


def _named_shares(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_between(0, 1), value.values()))


def _fonts(value: Any) -> bool:
    names = value if isinstance(value, list | tuple) else ()
    return len(names) > 0 and all(isinstance(name, str) for name in names)


_SHARE = (_between(0, 1), "from 0 to 1")
_COUNT = (_whole(0, 1000), "a whole number from 0 to 1000")
_TILT = (_between(0, 80), "from 0 to 80 degrees")
_DEMANDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "num_images": (_whole(1, math.inf), "a whole number, at least 1"),
    "seed": (_whole(0, math.inf), "a whole number, at least 0"),
    "photos": (lambda value: isinstance(value, str | None), "None or the path of a directory"),
    "image_sizes": (_sizes, f"(width, height) pairs of {_IMAGE_PX[0]} to {_IMAGE_PX[1]} pixels"),
    "num_plates": (_shares, "shares from 0 to 1 that sum to 1"),
    "plate_width": (
        lambda value: _range(value, lambda share: 0 < share <= 1),
        "the lowest and the highest share of the image's width, above 0 and up to 1",
    ),
    "min_width_px": (_whole(8, _IMAGE_PX[1]), f"a whole number from 8 to {_IMAGE_PX[1]} pixels"),
    "max_yaw": _TILT,
    "max_pitch": _TILT,
    "max_roll": (_between(0, 180), "from 0 to 180 degrees"),
    "mild": _SHARE,
    "distance": (
        lambda value: _range(value, _between(1.5, 1000)),
        "the nearest and the farthest, from 1.5 to 1000 widths of the plate",
    ),
    "layouts": (_weights, "None or a weight for each layout by name, not all 0"),
    "strokes": _SHARE,
    "cars": _SHARE,
    "exposure": (
        lambda value: _range(value, _between(0.05, 4)),
        "the least and the most light, from 0.05 to 4",
    ),
    "fonts": (_fonts, "one font file or more"),
    "shadow": _SHARE,
    "blur": _SHARE,
    "noise": _SHARE,
    "max_blur": _SHARE,
    "max_noise": (_between(0, 255), "from 0 to 255 grey levels"),
    "jpeg_quality": (
        lambda value: _range(value, _whole(1, 100)),
        "the lowest and the highest quality, whole numbers from 1 to 100",
    ),
    "max_patches": _COUNT,
    "max_distractors": _COUNT,
    "hard_negatives": _COUNT,
    "clean": _SHARE,
    "effects": (_named_shares, "shares from 0 to 1 by name"),
}
