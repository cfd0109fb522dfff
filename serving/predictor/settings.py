"""What `configs/serving/predictor.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sub_module.engine.config import load_config
from sub_module.errors import ConfigError

Port = Annotated[int, Field(ge=0, le=65535, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Positive = Annotated[float, Field(gt=0)]


class _Part(BaseModel):
    # `extra`: a misspelt field is no field. `frozen`: settings are read, never changed.
    model_config = ConfigDict(extra="forbid", frozen=True)


class Engine(_Part):
    """What reads."""

    runtime: Literal["onnxruntime", "openvino", "onnxruntime-cuda", "torch"]
    precision: str
    readers: Count | None
    threads_per_reader: Count


class Batching(_Part):
    """How requests are put together."""

    max_images: Count
    max_wait_ms: Annotated[float, Field(ge=0)]


class Limits(_Part):
    """What is refused."""

    queued_images: Count
    retry_after_seconds: Positive
    deadline_seconds: Positive
    head_seconds: Positive
    body_seconds: Positive
    body_megabytes: Positive
    all_bodies_megabytes: Positive
    images_per_request: Count
    megapixels: Positive


class PredictorSettings(_Part):
    """The whole config; what each field means stands there."""

    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    host: str
    http_port: Port
    grpc_port: Port | None
    workers: Count
    engine: Engine
    batching: Batching
    limits: Limits
    decode_pixels: Count | None
    drain_seconds: Positive


def predictor_settings(overrides: dict[str, Any] | None = None) -> PredictorSettings:
    """The settings of `configs/serving/predictor.py`.

    Args:
        overrides: Dotted key to value, such as `{"engine.precision": "int8"}`.

    Raises:
        ConfigError: A key is unknown, or a value cannot be used; the message names it.
    """
    config = load_config("predictor", overrides, kind="serving")
    try:
        return PredictorSettings.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{field}: {first['msg']}, got {first['input']!r}") from error
