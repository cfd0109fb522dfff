"""KServe's V1 protocol."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from serving.predictor.errors import RequestError
from serving.predictor.v1 import images_of, parse_json
from tests.servers.predictor import SAMPLE_TEXTS, Predictor, texts_of

TEXT = base64.b64encode(b"an image").decode()


@pytest.mark.parametrize(
    ("body", "images"),
    [
        pytest.param({"instances": [{"image": {"b64": TEXT}}]}, [b"an image"], id="image"),
        pytest.param({"instances": [{"data": TEXT}]}, [b"an image"], id="data"),
        pytest.param({"data": TEXT}, [b"an image"], id="the first system's"),
        pytest.param(
            {"instances": [{"data": TEXT}, {"image": {"b64": "/+8="}}]},
            [b"an image", b"\xff\xef"],
            id="several",
        ),
        pytest.param({"data": f"{TEXT[:4]}\n{TEXT[4:]}\n"}, [b"an image"], id="line breaks"),
        pytest.param({"data": ""}, [b""], id="empty"),
        pytest.param({"instances": [{"data": TEXT, "id": 7}]}, [b"an image"], id="more fields"),
    ],
)
def test_images_of(body: dict[str, Any], images: list[bytes]) -> None:
    assert images_of(body) == images


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param([], "the body: expected a JSON object, got list", id="list"),
        pytest.param(None, "the body: expected a JSON object, got NoneType", id="null"),
        pytest.param({}, "the body has neither `instances` nor `data`", id="empty"),
        pytest.param({"instances": {}}, "instances: expected a list", id="no list"),
        pytest.param({"instances": []}, "instances: expected a list of at least one", id="none"),
        pytest.param({"instances": [7]}, r"instances\[0\]: expected", id="number"),
        pytest.param(
            {"instances": [{"data": TEXT}, {"image": TEXT}]}, r"instances\[1\]: exp", id="no b64"
        ),
        pytest.param(
            {"instances": [{"image": {"b64": 7}}]},
            r"instances\[0\].image.b64: expected a string of base64, got int",
            id="no text",
        ),
        pytest.param({"data": "@@@@"}, "data: not base64", id="no base64"),
        pytest.param({"data": TEXT[:-1]}, "data: not base64", id="cut"),
        pytest.param({"data": "é"}, "data: not base64", id="not ASCII"),
    ],
)
def test_what_is_wrong_is_named(body: Any, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        images_of(body)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_no_json(body: bytes) -> None:
    with pytest.raises(RequestError, match="the body is no JSON"):
        parse_json(body)


def test_predictions(predictor: Predictor, sample: bytes, grey: bytes) -> None:
    encoded = [{"image": {"b64": base64.b64encode(image).decode()}} for image in (sample, grey)]
    url = f"{predictor.url}/v1/models/plateflow:predict"
    predictions = httpx.post(url, json={"instances": encoded}).json()["predictions"]
    assert [texts_of(one) for one in predictions] == [SAMPLE_TEXTS, []]
    assert predictions[1]["image"] == {"width": 64, "height": 48}


def test_one_bad_image_is_named(predictor: Predictor, grey: bytes) -> None:
    texts = [base64.b64encode(image).decode() for image in (grey, b"text as an image")]
    response = httpx.post(
        f"{predictor.url}/v1/models/plateflow:predict",
        json={"instances": [{"data": text} for text in texts]},
    )
    assert response.status_code == 400
    assert "no image" in response.json()["error"]
    # Which of them.
    assert "1" in response.json()["error"] or "2" in response.json()["error"]


def test_too_many_instances(predictor: Predictor, grey: bytes) -> None:
    instance = {"data": base64.b64encode(grey).decode()}
    response = httpx.post(
        f"{predictor.url}/v1/models/plateflow:predict", json={"instances": [instance] * 1000}
    )
    assert response.status_code == 413
    assert response.json()["error"].startswith("1000 images in one request; at most ")


def test_models(predictor: Predictor) -> None:
    assert httpx.get(f"{predictor.url}/v1/models").json() == {"models": ["plateflow"]}
    ready = httpx.get(f"{predictor.url}/v1/models/plateflow").json()
    assert ready == {"name": "plateflow", "ready": True}
