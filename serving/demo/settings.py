"""What `configs/serving/demo.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sub_module.engine.config import load_config
from sub_module.errors import ConfigError

Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0)]


class VideoSettings(BaseModel):
    """How much of a video is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    frames_per_second: Positive
    max_seconds: Positive
    max_megapixels: Positive


class DemoSettings(BaseModel):
    """The whole config; what each field means stands there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str
    port: Annotated[int, Field(ge=0, le=65535, strict=True)]
    upload_megabytes: Positive
    visitors: Count
    video: VideoSettings
    picture_pixels: Annotated[int, Field(ge=64, strict=True)]
    examples: str


def demo_settings(overrides: dict[str, Any] | None = None) -> DemoSettings:
    """The settings of `configs/serving/demo.py`.

    Args:
        overrides: Dotted key to value, such as `{"video.max_seconds": 30}`.

    Raises:
        ConfigError: A key is unknown, or a value cannot be used; the message names it.
    """
    config = load_config("demo", overrides, kind="serving")
    try:
        return DemoSettings.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{field}: {first['msg']}, got {first['input']!r}") from error
