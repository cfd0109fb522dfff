"""KServe's V1 protocol: JSON with base64 in it."""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from typing import Any

import orjson

from serving.predictor.answer import ImageAnswer
from serving.predictor.errors import RequestError


def parse_json(body: bytes | memoryview) -> Any:
    """JSON of a request.

    Raises:
        RequestError: It is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RequestError(f"the body is no JSON: {error}") from error


def images_of(body: Any) -> list[bytes]:
    """The images of a V1 request: `{"instances": [...]}`, or `{"data": "<base64>"}` for one.

    An instance is `{"image": {"b64": "<base64>"}}` or `{"data": "<base64>"}`.

    Raises:
        RequestError: It is of another shape, or something is no base64; the message says where.
    """
    if not isinstance(body, dict):
        raise RequestError(f"the body: expected a JSON object, got {type(body).__name__}")
    if "instances" not in body:
        if "data" in body:
            return [from_base64(body["data"], "data")]
        raise RequestError("the body has neither `instances` nor `data`")
    instances = body["instances"]
    if not isinstance(instances, list) or not instances:
        raise RequestError("instances: expected a list of at least one")
    return [_image_of(instance, f"instances[{i}]") for i, instance in enumerate(instances)]


def standard_of(body: Any) -> str | None:
    """The name of the plate standard that a V1 request asks for: `{"standard": "br", ...}`.

    Args:
        body: One that `images_of` took.

    Raises:
        RequestError: It is no text.
    """
    return checked_standard(body.get("standard"), "standard")


def checked_standard(name: Any, where: str) -> str | None:
    """The name of a plate standard, as a request says it.

    Raises:
        RequestError: It is no text.
    """
    if name is None or isinstance(name, str):
        return name
    raise RequestError(f"{where}: expected a string, got {type(name).__name__}")


def _image_of(instance: Any, where: str) -> bytes:
    match instance:
        case {"image": {"b64": text}}:
            return from_base64(text, f"{where}.image.b64")
        case {"data": text}:
            return from_base64(text, f"{where}.data")
    raise RequestError(f'{where}: expected {{"image": {{"b64": ...}}}} or {{"data": ...}}')


def from_base64(text: Any, where: str) -> bytes:
    """Decode base64, which may have line breaks as `base64` of a shell writes them.

    Raises:
        RequestError: It is none.
    """
    if not isinstance(text, str):
        raise RequestError(f"{where}: expected a string of base64, got {type(text).__name__}")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        try:
            return binascii.a2b_base64("".join(text.split()), strict_mode=True)
        except ValueError as error:
            raise RequestError(f"{where}: not base64") from error


def response_of(answers: Sequence[ImageAnswer]) -> dict[str, Any]:
    """What V1 answers: one prediction an image, in the request's order."""
    return {"predictions": [answer.to_dict() for answer in answers]}
