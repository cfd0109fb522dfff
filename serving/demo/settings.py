"""What `configs/serving/demo.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from serving.client import ClientSettings, client_settings
from serving.settings import Count, Part, Port, Positive, load_settings
from sub_module.engine.config import load_pipeline_config
from sub_module.plates import PlateStandard
from sub_module.plates.standards import load_standard


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


def asked_and_drawn(
    url: str | None, standard: str | None, config: str
) -> tuple[ClientSettings, PlateStandard]:
    """Whom the page asks, and what it draws plates with that it knows nothing else of.

    Args:
        url: The model server; None: where `serve` listens.
        standard: The plates that are chosen when the page opens, a name or a file; None: those that
            the server reads.
        config: A pipeline config, whose plates are drawn where there is no standard.

    Raises:
        ConfigError: One of them cannot be used.
    """
    changes = {} if url is None else {"url": url}
    if standard is None:
        plates = load_pipeline_config(config, "plates")["plates"]
        return client_settings(changes), PlateStandard.from_config(plates)
    named = load_standard(standard)
    return client_settings(changes | {"standard": named.name}), named
