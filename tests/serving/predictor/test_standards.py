"""Plates of other standards: as the server is started, and as requests ask for them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from kserve import InferInput, InferRequest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

from serving.predictor import v2
from serving.predictor.errors import RequestError
from serving.predictor.model import PlateModel
from serving.predictor.settings import predictor_settings
from sub_module.engine.infer import SHIPPED_MODEL
from tests.servers.predictor import SAMPLE_TEXTS, Predictor, texts_of
from tests.standards import flat_file

_FLAT_TEXTS = ["16E9927"]


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlateModel]:
    """The shipped model, started for plates of one line only."""
    folder = tmp_path_factory.mktemp("standard")
    settings = predictor_settings({"standard": str(flat_file(folder)), "engine.readers": 1})
    current = folder / "current"
    current.symlink_to(SHIPPED_MODEL)
    model = PlateModel(settings, current)
    model.load()
    # Another one is deployed: of this one, what was loaded counts.
    current.unlink()
    yield model
    model.reader.close()


def asked(model: PlateModel, payload: Any) -> list[dict[str, Any]]:
    """What the model answers, in either protocol."""
    response, _ = asyncio.run(model(payload))
    if isinstance(response, dict):
        return list(response["predictions"])
    return [json.loads(text) for text in response.outputs[0].data]


def sure_texts(answer: dict[str, Any]) -> list[str]:
    """Of those that nobody doubts: where a plate of another layout stands, anything may be read."""
    return sorted(plate["text"] for plate in answer["plates"] if plate["score"] > 0.9)


def test_the_servers_own(flat: PlateModel, sample: bytes) -> None:
    (answer,) = asked(flat, {"data": base64.b64encode(sample).decode()})
    assert sure_texts(answer) == _FLAT_TEXTS
    assert {plate["layout"] for plate in answer["plates"]} == {"one_line"}
    assert answer["model"]["standard"] == "flat"


def v1_asks(image: bytes, standard: Any) -> Any:
    return {"instances": [{"data": base64.b64encode(image).decode()}], "standard": standard}


def v2_asks(image: bytes, standard: Any) -> Any:
    tensor = InferInput("image", [1], "BYTES", data=[base64.b64encode(image).decode()])
    return InferRequest("plateflow", [tensor], parameters={"standard": standard})


def grpc_asks(image: bytes, standard: Any) -> Any:
    contents = pb.InferTensorContents(bytes_contents=[image])
    tensor = pb.ModelInferRequest.InferInputTensor(
        name="image", shape=[1], datatype="BYTES", contents=contents
    )
    text = isinstance(standard, str)
    told = pb.InferParameter(**{"string_param" if text else "int64_param": standard})
    message = pb.ModelInferRequest(
        model_name="plateflow", inputs=[tensor], parameters={"standard": told}
    )
    return InferRequest.from_grpc(message)


@pytest.mark.parametrize("ask", [v1_asks, v2_asks, grpc_asks])
def test_a_request_names_another(flat: PlateModel, sample: bytes, ask: Any) -> None:
    (answer,) = asked(flat, ask(sample, "kr"))
    assert texts_of(answer) == SAMPLE_TEXTS
    assert answer["model"]["standard"] == "kr"
    assert answer["model"]["version"] == flat.reader.model["version"]
    (own,) = asked(flat, ask(sample, "flat"))
    assert sure_texts(own) == _FLAT_TEXTS
    for standard, reason in (("xx", "'xx' is none of: flat, "), (7, "expected a string")):
        with pytest.raises(RequestError, match=reason):
            asked(flat, ask(sample, standard))


def test_those_that_are_read_together_keep_their_own(flat: PlateModel, sample: bytes) -> None:
    async def at_once() -> list[Any]:
        # The first holds the only reader; the others are taken together.
        names = (None, "kr", None, "kr", "flat")
        return await asyncio.gather(*(flat.reader.read(sample, standard=name) for name in names))

    answers = asyncio.run(at_once())
    assert [answer.model["standard"] for answer in answers] == ["flat", "kr", "flat", "kr", "flat"]
    sure = [sum(reading.score > 0.9 for reading in answer.readings) for answer in answers]
    assert sure == [1, 2, 1, 2, 1]


def test_over_http(predictor: Predictor, sample: bytes) -> None:
    for query, standard in (("", "kr"), ("?standard=kr", "kr")):
        answer = httpx.post(f"{predictor.url}/read{query}", content=sample).json()
        assert texts_of(answer) == SAMPLE_TEXTS
        assert answer["model"]["standard"] == standard
        assert all(plate["raw"] == plate["text"] for plate in answer["plates"])
    # No file: who asks may be anyone.
    for name in ("xx", "/etc/passwd", "configs/plates/kr.py", ""):
        refused = httpx.post(f"{predictor.url}/read", params={"standard": name}, content=sample)
        assert refused.status_code == 400
        assert f"standard: {name!r} is none of: kr, " in refused.json()["error"]
    refused = httpx.post(f"{predictor.url}/read?standard=eu", content=sample)
    assert refused.status_code == 400
    assert "cannot read eu: it knows no layout captioned" in refused.json()["error"]


def test_a_wish_without_parameters_is_none() -> None:
    tensor = InferInput("image", [1], "BYTES", data=[])
    assert v2.standard_of(InferRequest("plateflow", [tensor])) is None
