"""The pages' templates, and how numbers stand in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

_ABSENT = "\N{EN DASH}"


def template(name: str) -> Template:
    """A template of this folder, with the filters `duration`, `figure` and `share`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "figure": _figure, "share": _share}
    return environment.get_template(name)


def _duration(seconds: float) -> str:
    """`4 min 12 s`, `8.3 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _share(value: float | None) -> str:
    """`98.8 %`; a dash for what there is not."""
    return _ABSENT if value is None else f"{100 * value:.1f} %"


def _figure(value: Any) -> str:
    """A number as short as it stays exact enough; a dash for what there is not."""
    if value is None:
        return _ABSENT
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)
