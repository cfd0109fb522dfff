"""Numbers of a model's config within their ranges; a config may come from an untrusted file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sub_module.errors import ConfigError


def check_ranges(
    config: Mapping[str, Any],
    ranges: Mapping[str, tuple[float, float]],
    integers: tuple[str, ...] = (),
) -> None:
    """Refuse numbers that are missing, none, or out of their range.

    Args:
        config: `model` of a config.
        ranges: Lowest and highest value by dotted name; where a setting is a list, of each number
            in it.
        integers: Names of those that must be whole.

    Raises:
        ConfigError: See above; the message names the setting.
    """
    for name, (low, high) in ranges.items():
        for value in _numbers(value_of(config, name), name):
            if not low <= value <= high:
                raise ConfigError(f"model.{name} must be from {low} to {high}, not {value}")
            if name in integers and not isinstance(value, int):
                raise ConfigError(f"model.{name} must be a whole number, not {value}")


def value_of(config: Mapping[str, Any], name: str) -> Any:
    """The setting of a dotted name.

    Raises:
        ConfigError: There is none.
    """
    value: Any = config
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ConfigError(f"model.{name} is missing")
        value = value[key]
    return value


def _numbers(value: Any, name: str) -> Iterator[float]:
    """A number, or those in a list of numbers or of lists."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    else:
        raise ConfigError(f"model.{name} must be a number, not {value!r}")
