"""What `configs/serving/predictor.py` says, checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from serving.settings import Count, ModelName, Part, Port, Positive, load_settings


class Engine(Part):
    """What reads."""

    runtime: Literal["onnxruntime", "openvino", "onnxruntime-cuda", "torch"]
    precision: str
    readers: Count | None
    threads_per_reader: Count


class Batching(Part):
    """How requests are put together."""

    max_images: Count
    max_wait_ms: Annotated[float, Field(ge=0)]


class Limits(Part):
    """What is refused."""

    queued_images: Count
    retry_after_seconds: Positive
    deadline_seconds: Positive
    head_seconds: Positive
    body_seconds: Positive
    body_megabytes: Positive
    all_bodies_megabytes: Positive
    grpc_megabytes: Positive
    grpc_calls: Count
    images_per_request: Count
    megapixels: Positive


class PredictorSettings(Part):
    """The whole config; what each field means stands there."""

    model_name: ModelName
    host: str
    http_port: Port
    grpc_port: Port | None
    workers: Count
    standard: str | None
    engine: Engine
    batching: Batching
    limits: Limits
    decode_pixels: Count | None
    log_requests: bool
    drain_seconds: Positive


def predictor_settings(overrides: dict[str, Any] | None = None) -> PredictorSettings:
    """The settings of `configs/serving/predictor.py`; see `load_settings`."""
    return load_settings("predictor", PredictorSettings, overrides)
