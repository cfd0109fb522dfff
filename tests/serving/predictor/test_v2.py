"""KServe's V2 protocol over REST, with and without binary data."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import httpx
import numpy as np
import pytest
from kserve import InferInput, InferRequest, InferResponse

from serving.predictor.errors import RequestError
from serving.predictor.v2 import images_of, request_from_body
from tests.servers.predictor import SAMPLE_TEXTS, Predictor, texts_of

LENGTH = "Inference-Header-Content-Length"
TEXT = base64.b64encode(b"an image").decode()
TENSOR = {"name": "image", "shape": [1], "datatype": "BYTES"}
ELEMENT = struct.pack("<I", 8) + b"an image"


def images(body: dict[str, Any], raw: bytes | None = None) -> list[bytes]:
    """The images of a request of this JSON, with this behind it."""
    content = json.dumps(body).encode()
    length = None if raw is None else str(len(content))
    return images_of(request_from_body(content + (raw or b""), length, "plateflow"))


def binary(size: int, **changes: Any) -> dict[str, Any]:
    return {"inputs": [TENSOR | {"parameters": {"binary_data_size": size}} | changes]}


@pytest.mark.parametrize(
    ("body", "raw", "expected"),
    [
        pytest.param({"inputs": [TENSOR | {"data": [TEXT]}]}, None, 1, id="JSON"),
        pytest.param({"inputs": [TENSOR | {"data": [TEXT]}]}, b"", 1, id="JSON with its length"),
        pytest.param(
            {"inputs": [TENSOR | {"data": [TEXT] * 4, "shape": [2, 2]}]}, None, 4, id="two axes"
        ),
        pytest.param(binary(12), ELEMENT, 1, id="binary"),
        pytest.param(binary(36, shape=[3]), 3 * ELEMENT, 3, id="three in binary"),
    ],
)
def test_images(body: dict[str, Any], raw: bytes | None, expected: int) -> None:
    assert images(body, raw) == [b"an image"] * expected


@pytest.mark.parametrize(
    ("body", "raw", "reason"),
    [
        pytest.param([], None, "expected a JSON object, got list", id="list"),
        pytest.param({}, None, "inputs: expected a list of objects", id="no inputs"),
        pytest.param({"inputs": []}, None, "expected one, named `image`, got 0", id="empty"),
        pytest.param({"inputs": [TENSOR] * 2}, None, "got 2", id="two inputs"),
        pytest.param(
            {"inputs": [TENSOR]}, None, r"inputs\[0\].data: expected a list", id="no data"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"data": TEXT}]}, None, "data: expected a list", id="no list"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"data": ["@"]}]}, None, r"data\[0\]: not base64", id="no base64"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"name": "x", "data": [TEXT]}]},
            None,
            "expected `image`",
            id="name",
        ),
        pytest.param(
            {"inputs": [TENSOR | {"datatype": "FP32", "data": [1]}]}, None, "BYTES", id="type"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"shape": [2], "data": [TEXT]}]}, None, "shape", id="shape"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"shape": [True], "data": [TEXT]}]}, None, "integers", id="bool"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"shape": [-1, -1], "data": [TEXT]}]}, None, "shape", id="negative"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"data": [TEXT]}], "id": 7}, None, "id: expected", id="id"
        ),
        pytest.param(
            {"inputs": [TENSOR | {"data": [TEXT]}], "outputs": [{"name": "x"}]},
            None,
            "only `readings`",
            id="output",
        ),
        pytest.param(
            {"inputs": [TENSOR | {"data": [TEXT]}], "parameters": 7},
            None,
            "object",
            id="parameters",
        ),
        pytest.param(binary(12), ELEMENT[:-1], "11 bytes of binary data are left", id="cut"),
        pytest.param(binary(-1), ELEMENT, "binary data are left, not -1", id="negative size"),
        pytest.param(binary(12), 2 * ELEMENT, "12 bytes of binary data belong to no", id="rest"),
        pytest.param(binary(11), ELEMENT[:-1], "ends within element 0", id="element cut"),
        pytest.param(binary(14), ELEMENT + b"\x01\x00", "ends within a length", id="length cut"),
        pytest.param(binary(12, data=[TEXT]), ELEMENT, "exclude each other", id="both"),
    ],
)
def test_what_is_wrong_is_named(body: Any, raw: bytes | None, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        images(body, raw)


@pytest.mark.parametrize("length", ["-1", "9999", "x", "٣", ""])
def test_length_of_the_json(length: str) -> None:
    with pytest.raises(RequestError, match="not a length within the body"):
        request_from_body(b"{}", length, "plateflow")


def infer(
    predictor: Predictor, content: bytes, headers: dict[str, str] | None = None
) -> httpx.Response:
    return httpx.post(
        f"{predictor.url}/v2/models/plateflow/infer", content=content, headers=headers
    )


def test_infer_with_json(predictor: Predictor, sample: bytes, grey: bytes) -> None:
    data = [base64.b64encode(image).decode() for image in (sample, grey)]
    body = {"inputs": [TENSOR | {"shape": [2], "data": data}], "id": "7"}
    answer = infer(predictor, json.dumps(body).encode()).json()
    assert (answer["id"], answer["model_name"]) == ("7", "plateflow")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("readings", "BYTES", [2])
    readings = [json.loads(text) for text in output["data"]]
    assert texts_of(readings[0]) == SAMPLE_TEXTS
    assert readings[1]["plates"] == []
    assert answer["model_version"] == readings[0]["model"]["version"]


@pytest.mark.parametrize(
    ("request_parameters", "output_parameters", "is_binary"),
    [
        pytest.param({}, None, False, id="nothing said"),
        pytest.param({"binary_data_output": True}, None, True, id="all"),
        pytest.param({}, {"binary_data": True}, True, id="this one"),
        pytest.param({"binary_data_output": True}, {"binary_data": False}, False, id="not this"),
        pytest.param({"binary_data_output": True}, {}, True, id="all, and nothing of this one"),
    ],
)
def test_binary_data_with_kserves_own_types(
    predictor: Predictor,
    sample: bytes,
    request_parameters: dict[str, Any],
    output_parameters: dict[str, Any] | None,
    is_binary: bool,
) -> None:
    tensor = InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([sample], dtype=np.object_))
    request = InferRequest("plateflow", [tensor], "8", parameters=request_parameters)
    content, length = request.to_rest()
    if output_parameters is not None:
        asked = json.loads(content[:length])
        asked["outputs"] = [{"name": "readings", "parameters": output_parameters}]
        head = json.dumps(asked).encode()
        content, length = head + content[length:], len(head)
    response = infer(predictor, content, {LENGTH: str(length)})
    assert (LENGTH in response.headers) == is_binary
    size = int(response.headers.get(LENGTH, len(response.content)))
    answer = InferResponse.from_bytes(response.content, size)
    (readings,) = answer.outputs[0].as_numpy()
    assert texts_of(json.loads(readings)) == SAMPLE_TEXTS
    assert answer.id == "8"


def test_metadata_and_health(predictor: Predictor) -> None:
    def get(path: str) -> Any:
        return httpx.get(f"{predictor.url}/v2{path}").json()

    assert get("")["extensions"] == ["binary_tensor_data"]
    assert get("/health/live") == {"live": True}
    assert get("/health/ready") == {"ready": True}
    assert get("/models") == {"models": ["plateflow"]}
    assert get("/models/plateflow/ready") == {"name": "plateflow", "ready": True}
    model = get("/models/plateflow")
    assert model["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    assert model["outputs"] == [{"name": "readings", "datatype": "BYTES", "shape": [-1]}]
    assert len(model["versions"]) == 1
