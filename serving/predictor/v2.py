"""KServe's V2 protocol (the open inference protocol): one tensor of images, one of readings.

The same for REST, its binary data extension and gRPC: input `image` and output `readings`, both
BYTES of one shape. An image in JSON is base64; in binary data and gRPC it is its bytes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import orjson
from kserve import InferInput, InferOutput, InferRequest, InferResponse
from kserve.protocol.infer_type import RequestedOutput, to_http_parameters

from serving.predictor.answer import ImageAnswer
from serving.predictor.errors import RequestError
from serving.predictor.v1 import checked_standard, from_base64, parse_json

SERVER_NAME = "plateflow"
EXTENSIONS = ["binary_tensor_data"]
INPUT, OUTPUT = "image", "readings"
# The JSON's length, where binary data follows it.
JSON_LENGTH_HEADER = "inference-header-content-length"
# Before each element of binary data stands its length.
_LENGTH = struct.Struct("<I")


def request_from_body(body: bytes, json_length: str | None, model_name: str) -> InferRequest:
    """Parse a REST request.

    kserve's own way would turn images into text, which they are not.

    Args:
        body: JSON, then, where its length is given, binary data.
        json_length: What `JSON_LENGTH_HEADER` says; None: all is JSON.
        model_name: Of the URL.

    Raises:
        RequestError: It is no such request; the message says where.
    """
    view = memoryview(body)
    end = len(body) if json_length is None else _json_end(json_length, len(body))
    data = parse_json(view[:end])
    if not isinstance(data, dict):
        raise RequestError(f"the body: expected a JSON object, got {type(data).__name__}")
    request_id = data.get("id")
    if not isinstance(request_id, str | None):
        raise RequestError("id: expected a string")
    inputs = _list_of_objects(data.get("inputs"), "inputs")
    outputs = _list_of_objects(data.get("outputs") or [], "outputs")
    rest = view[end:]
    parsed = []
    for i, tensor in enumerate(inputs):
        parsed.append(_input(tensor, rest, f"inputs[{i}]"))
        rest = rest[len(parsed[-1]._raw_data or b"") :]
    if rest:
        raise RequestError(f"{len(rest)} bytes of binary data belong to no input")
    return InferRequest(
        model_name=model_name,
        infer_inputs=parsed,
        request_id=request_id,
        parameters=_parameters(data, "parameters"),
        request_outputs=[
            RequestedOutput(
                str(output.get("name")), _parameters(output, f"outputs[{i}].parameters")
            )
            for i, output in enumerate(outputs)
        ],
    )


def _json_end(json_length: str, size: int) -> int:
    if not json_length.isdecimal() or not json_length.isascii() or int(json_length) > size:
        raise RequestError(f"{JSON_LENGTH_HEADER}: not a length within the body: {json_length!r}")
    return int(json_length)


def _list_of_objects(value: Any, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise RequestError(f"{where}: expected a list of objects")
    return value


def _parameters(data: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = data.get("parameters")
    if not isinstance(parameters, dict | None):
        raise RequestError(f"{where}: expected an object")
    return parameters or {}


def _input(tensor: dict[str, Any], rest: memoryview, where: str) -> InferInput:
    shape, datatype = tensor.get("shape"), tensor.get("datatype")
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise RequestError(f"{where}.shape: expected a list of integers")
    if not isinstance(datatype, str):
        raise RequestError(f"{where}.datatype: expected a string")
    size = _parameters(tensor, f"{where}.parameters").get("binary_data_size")
    result = InferInput(str(tensor.get("name")), shape, datatype)
    if size is None:
        result.data = tensor.get("data")
        return result
    if type(size) is not int or not 0 <= size <= len(rest):
        raise RequestError(f"{where}: {len(rest)} bytes of binary data are left, not {size!r:.40}")
    if "data" in tensor:
        raise RequestError(f"{where}: `data` and `binary_data_size` exclude each other")
    result._raw_data = bytes(rest[:size])
    return result


def images_of(request: InferRequest) -> list[bytes]:
    """The images of a V2 request, whichever way it came.

    Raises:
        RequestError: There is another input, or one of another shape or type.
    """
    if len(request.inputs) != 1:
        raise RequestError(f"inputs: expected one, named `{INPUT}`, got {len(request.inputs)}")
    tensor = request.inputs[0]
    if tensor.name != INPUT:
        raise RequestError(f"inputs[0].name: expected `{INPUT}`, got {tensor.name!r:.60}")
    if tensor.datatype != "BYTES":
        raise RequestError(f"inputs[0].datatype: expected BYTES, got {tensor.datatype!r:.40}")
    if tensor._raw_data is not None:
        images = _elements(tensor._raw_data)
    elif isinstance(tensor.data, list):
        images = [_from_data(entry, f"inputs[0].data[{i}]") for i, entry in enumerate(tensor.data)]
    else:
        raise RequestError("inputs[0].data: expected a list")
    shape = tensor.shape
    if not shape or min(shape) < 1 or math.prod(shape) != len(images):
        raise RequestError(f"inputs[0].shape: {shape!r:.60} of {len(images)} images")
    for output in request.request_outputs or []:
        if output.name != OUTPUT:
            raise RequestError(f"outputs: there is only `{OUTPUT}`, not {output.name!r:.60}")
    return images


def standard_of(request: InferRequest) -> str | None:
    """The name of the plate standard that a V2 request asks for: its parameter `standard`.

    Raises:
        RequestError: It is no text.
    """
    # Of gRPC, kserve hands messages on.
    parameters = to_http_parameters(request.parameters or {})
    return checked_standard(parameters.get("standard"), "parameters.standard")


def _from_data(entry: Any, where: str) -> bytes:
    # gRPC's contents are bytes already.
    return entry if isinstance(entry, bytes) else from_base64(entry, where)


def _elements(raw: bytes) -> list[bytes]:
    elements: list[bytes] = []
    start = 0
    while start < len(raw):
        if start + _LENGTH.size > len(raw):
            raise RequestError("inputs[0]: binary data ends within a length")
        (length,) = _LENGTH.unpack_from(raw, start)
        start += _LENGTH.size
        if start + length > len(raw):
            raise RequestError(f"inputs[0]: binary data ends within element {len(elements)}")
        elements.append(raw[start : start + length])
        start += length
    return elements


def response_of(request: InferRequest, answers: Sequence[ImageAnswer], default_id: str) -> Any:
    """What V2 answers, as kserve's `InferResponse`; in the request's shape.

    Args:
        request: What was asked.
        answers: One an image, at least one.
        default_id: The response's id where the request has none.
    """
    texts = [orjson.dumps(answer.to_dict()).decode() for answer in answers]
    output = InferOutput(OUTPUT, list(request.inputs[0].shape), "BYTES", data=texts)
    return InferResponse(
        response_id=request.id or default_id,
        model_name=request.model_name,
        model_version=answers[0].model["version"],
        infer_outputs=[output],
        from_grpc=request.from_grpc,
        use_binary_outputs=_wants_binary(request),
    )


def _wants_binary(request: InferRequest) -> bool:
    """What is said of the output counts before what is said of all."""
    for output in request.request_outputs or []:
        if output.binary_data is not None and not request.from_grpc:
            return bool(output.binary_data)
    return bool(request.use_binary_outputs)
