"""What `train.samples` of a config may say; `configs/schedules/cpu_minutes.py` explains each key.

No torch in here: a run's config is checked by it before anything is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sub_module.errors import ConfigError

_NUMBER = "a number"
_WHOLE = "a whole number"
_SPAN = "[lowest, highest]"
_EACH_WAY = "a number or [x, y]"
# Of each setting the shape, and the lowest and the highest value of the numbers in it.
_SETTINGS: dict[str, tuple[str, float, float]] = {
    "zoom": (_SPAN, 0.1, 10),
    "shift": (_NUMBER, 0, 1),
    "mirror": (_NUMBER, 0, 1),
    "crops_per_plate": (_WHOLE, 0, 100),
    "strips_per_row": (_WHOLE, 0, 100),
    "empty_crops_per_image": (_WHOLE, 0, 100),
    "empty_strips_per_image": (_WHOLE, 0, 100),
    "no_plates_per_image": (_WHOLE, 0, 100),
    "empty_tries": (_WHOLE, 1, 1000),
    "turned_crops": (_NUMBER, 0, 1),
    "turned_strips": (_NUMBER, 0, 1),
    # With more, `samples.jitter` would turn quadrangles inside out.
    "crop_jitter": (_EACH_WAY, 0, 0.3),
    "strip_jitter": (_EACH_WAY, 0, 0.3),
    # As `model.reading.margins`.
    "strip_margin": (_SPAN, -0.25, 1),
    "strip_gamma": (_SPAN, 0.1, 10),
}


def check_samples(settings: Any) -> None:
    """Refuse settings that no samples can be made with.

    Args:
        settings: `train.samples` of a config.

    Raises:
        ConfigError: One is missing, unknown or out of its range; the message names it.
    """
    if not isinstance(settings, Mapping):
        raise ConfigError(f"train.samples must be a table of keys, not {settings!r}")
    unknown = sorted(settings.keys() - _SETTINGS.keys())
    if unknown:
        raise ConfigError(f"train.samples.{unknown[0]} is unknown")
    for name, (shape, low, high) in _SETTINGS.items():
        if name not in settings:
            raise ConfigError(f"train.samples.{name} is missing")
        value = settings[name]
        numbers = value if isinstance(value, list | tuple) else [value]
        if not _has_shape(value, shape) or not all(low <= number <= high for number in numbers):
            raise ConfigError(
                f"train.samples.{name} must be {shape} from {low} to {high}, not {value!r}"
            )


def _has_shape(value: Any, shape: str) -> bool:
    if not isinstance(value, list | tuple):
        return shape != _SPAN and _is_number(value) and (shape != _WHOLE or isinstance(value, int))
    if shape not in (_SPAN, _EACH_WAY) or len(value) != 2 or not all(map(_is_number, value)):
        return False
    return shape == _EACH_WAY or value[0] <= value[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
