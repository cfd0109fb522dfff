"""What `configs/serving/demo.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from serving.settings import Count, Part, Port, Positive, load_settings


class VideoSettings(Part):
    """How much of a video is read."""

    frames_per_second: Positive
    max_seconds: Positive
    max_megapixels: Positive


class DemoSettings(Part):
    """The whole config; what each field means stands there."""

    host: str
    port: Port
    upload_megabytes: Positive
    visitors: Count
    video: VideoSettings
    picture_pixels: Annotated[int, Field(ge=64, strict=True)]
    examples: str


def demo_settings(overrides: dict[str, Any] | None = None) -> DemoSettings:
    """The settings of `configs/serving/demo.py`; see `load_settings`."""
    return load_settings("demo", DemoSettings, overrides)
