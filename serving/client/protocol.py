"""The open inference protocol (V2) with the image as raw bytes behind the JSON.

Every server that KServe runs speaks it, Triton too, and networks of clusters let its path through;
in Base64, as V1 has it, an image is a third larger.
"""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx

from serving.client.errors import AwayError, ImageError, ServerError
from serving.predictor.answer import ImageAnswer

INPUT, OUTPUT = "image", "readings"
# What a request needs beside the image, at most; with HTTP's own headers.
OVERHEAD_BYTES = 1024
_HEADER_LENGTH = "Inference-Header-Content-Length"
# The server, or a gateway before it, has no room or is not there now.
AWAY = (408, 429, 502, 503, 504)
# These are about the image.
_REFUSED = (400, 413, 415, 422, 500)
_LONGEST_REASON = 300


def infer_path(model_name: str) -> str:
    """Where a model is asked."""
    return f"/v2/models/{model_name}/infer"


def infer_request(image: bytes, standard: str | None = None) -> tuple[bytes, dict[str, str]]:
    """Body and headers of a question about one image file.

    Args:
        image: The file's bytes.
        standard: Name of the standard of the plates to read; None: the server's own.
    """
    # A BYTES tensor is each element's length and content.
    length = struct.pack("<I", len(image))
    asked: dict[str, Any] = {
        "inputs": [
            {
                "name": INPUT,
                "shape": [1],
                "datatype": "BYTES",
                "parameters": {"binary_data_size": len(length) + len(image)},
            }
        ],
        "outputs": [{"name": OUTPUT, "parameters": {"binary_data": False}}],
    }
    if standard is not None:
        asked["parameters"] = {"standard": standard}
    header = json.dumps(asked, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/octet-stream", _HEADER_LENGTH: str(len(header))}
    return b"".join((header, length, image)), headers


def answer_of(response: httpx.Response, where: str) -> ImageAnswer:
    """The readings in a server's answer.

    Args:
        response: Read whole.
        where: The server, for messages.

    Raises:
        ImageError: The server refuses the image.
        AwayError: The server has no room now, or is away.
        ServerError: Whoever answers there is not the model server, or wants another question.
    """
    status = response.status_code
    if status in AWAY:
        pause_seconds = _wish(response.headers.get("Retry-After"))
        raise AwayError(f"{where} says {_reason(response)}", pause_seconds)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        hint = "PLATEFLOW_SERVE_TOKEN must be its token"
        raise ServerError(f"{where} lets nobody in so ({_reason(response)}): {hint}")
    if response.is_redirect:
        place = response.headers.get("Location", "nowhere")
        raise ServerError(f"{where} sends on to {place}: is that its address, or a login?")
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _is_json(response):
        raise ImageError(f"a gateway says {_reason(response)}: see max_payload_megabytes")
    if not _is_json(response):
        kind = response.headers.get("Content-Type") or "nothing"
        raise ServerError(
            f"{where} answers {status} with {kind}, where the model server answers with JSON: "
            "is it its address?"
        )
    if status in _REFUSED:
        raise ImageError(f"the server says {_reason(response)}")
    if status != HTTPStatus.OK:
        asked = response.request.url.path
        raise ServerError(f"{where} says {_reason(response)}, to {asked}: see model_name")
    try:
        return _readings(response.json())
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ServerError(f"{where} answers, but not with readings of plates") from error


def _readings(answer: dict[str, Any]) -> ImageAnswer:
    (found,) = (output for output in answer["outputs"] if output["name"] == OUTPUT)
    return ImageAnswer.from_dict(json.loads(found["data"][0]))


def _is_json(response: httpx.Response) -> bool:
    # Triton calls the JSON of its errors text/plain.
    return "json" in response.headers.get("Content-Type", "") or response.content[:1] == b"{"


def _reason(response: httpx.Response) -> str:
    """Status and, where it is in JSON, what the server says."""
    said = response.reason_phrase
    if _is_json(response):
        try:
            answer = response.json()
            said = str(answer.get("error") or answer.get("detail") or said)
        except (ValueError, AttributeError):
            pass
    line = " ".join(said.split())
    if len(line) > _LONGEST_REASON:
        line = f"{line[:_LONGEST_REASON]}..."
    return f"{response.status_code}: {line}"


def _wish(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After, which may be a date; None: there is none."""
    try:
        if retry_after is None or retry_after.isdecimal():
            return None if retry_after is None else float(retry_after)
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
