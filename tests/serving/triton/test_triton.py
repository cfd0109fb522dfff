"""The real Triton, over HTTP and gRPC, beside what our predictor's reader says."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import struct
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as v2
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from PIL import Image

from serving.predictor.reader import PlateReader
from serving.predictor.settings import PredictorSettings, predictor_settings
from serving.triton.repository import render
from sub_module.engine.infer import SHIPPED_MODEL
from tests.servers.triton import Triton, running_triton

SAMPLES = Path(__file__).resolve().parents[3] / "docs" / "samples"
ROTATED = 0x0112
LIMITS = {
    "limits.images_per_request": 8,
    "limits.queued_images": 12,
    "limits.megapixels": 20.0,
    # More than one request may hold.
    "batching.max_images": 9,
}


@pytest.fixture(scope="module")
def settings() -> PredictorSettings:
    return predictor_settings(LIMITS)


@pytest.fixture(scope="module")
def triton(
    settings: PredictorSettings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Triton]:
    folder = tmp_path_factory.mktemp("triton")
    render(SHIPPED_MODEL, folder / "repository", settings)
    with running_triton(folder / "repository", folder / "log") as server:
        yield server
        assert server.stop() == 0, server.log.read_text()


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def images() -> dict[str, bytes]:
    coffee, motorcycle = (Image.open(SAMPLES / f"{n}.jpg") for n in ("coffee", "motorcycle"))
    on_its_side = Image.Exif()
    on_its_side[ROTATED] = 6
    wide = Image.new("RGB", (3600, 1500), (90, 110, 100))
    wide.paste(coffee.resize((1200, 900)), (1000, 300))
    return {
        "coffee": (SAMPLES / "coffee.jpg").read_bytes(),
        "motorcycle": (SAMPLES / "motorcycle.jpg").read_bytes(),
        "rotated": encoded(coffee.transpose(Image.Transpose.ROTATE_90), exif=on_its_side),
        "decoded at half its size": encoded(wide),
        "grey PNG": encoded(motorcycle.convert("L"), "PNG"),
        "small": encoded(motorcycle.resize((240, 180))),
        "empty": encoded(Image.new("RGB", (320, 200), (50, 60, 70))),
        "one pixel": encoded(Image.new("RGB", (1, 1))),
    }


def ask(triton: Triton, files: Sequence[bytes]) -> httpx.Response:
    """V2 with the binary data extension."""
    data = b"".join(struct.pack("<I", len(file)) + file for file in files)
    tensor = {"name": "image", "shape": [len(files)], "datatype": "BYTES"}
    head = {"inputs": [tensor | {"parameters": {"binary_data_size": len(data)}}]}
    text = json.dumps(head).encode()
    return triton.client.post(
        "/v2/models/plateflow/infer",
        content=text + data,
        headers={"Inference-Header-Content-Length": str(len(text))},
    )


def answers_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    (output,) = response.json()["outputs"]
    assert (output["name"], output["datatype"]) == ("readings", "BYTES")
    return [json.loads(text) for text in output["data"]]


def rounded(value: Any) -> Any:
    """Numbers to what batches of other sizes change; times, which nobody can foresee, left out."""
    if isinstance(value, dict):
        return {key: rounded(v) for key, v in value.items() if key != "timings_ms"}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return pytest.approx(value, abs=1e-2) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def expected(settings: PredictorSettings) -> dict[str, dict[str, Any]]:
    """What our predictor's reader answers."""
    files = images()
    reader = PlateReader(settings, SHIPPED_MODEL)
    reader.start()
    try:
        answers = asyncio.run(reader.read_all(list(files.values())))
    finally:
        reader.close()
    return {name: answer.to_dict() for name, answer in zip(files, answers, strict=True)}


@pytest.mark.parametrize("name", images())
def test_an_image_is_answered_as_our_predictor_does(
    triton: Triton, expected: dict[str, dict[str, Any]], name: str
) -> None:
    (answer,) = answers_of(ask(triton, [images()[name]]))
    assert set(answer) == set(expected[name])
    assert answer == {**rounded(expected[name]), "timings_ms": answer["timings_ms"]}
    assert all(ms > 0 for ms in answer["timings_ms"].values())


def test_the_images_show_something(expected: dict[str, dict[str, Any]]) -> None:
    found = {name: len(answer["plates"]) for name, answer in expected.items()}
    assert found.pop("empty") == found.pop("one pixel") == 0
    assert min(found.values()) >= 1
    assert expected["decoded at half its size"]["image"] == {"width": 3600, "height": 1500}


def test_images_of_different_sizes_in_one_request(
    triton: Triton, expected: dict[str, dict[str, Any]]
) -> None:
    small = {name: file for name, file in images().items() if "half" not in name}
    answers = answers_of(ask(triton, list(small.values())))
    assert [answer["image"] for answer in answers] == [expected[name]["image"] for name in small]
    for answer, name in zip(answers, small, strict=True):
        assert answer["plates"] == rounded(expected[name]["plates"])


def test_requests_at_once_are_read_in_batches_and_get_each_its_own(
    triton: Triton, expected: dict[str, dict[str, Any]]
) -> None:
    names = ["coffee", "motorcycle", "grey PNG", "empty", "rotated"] * 2
    step = "plateflow_reading"
    before = [triton.count(f"nv_inference_{what}", step) for what in ("count", "exec_count")]
    with ThreadPoolExecutor(len(names)) as pool:
        responses = pool.map(lambda name: ask(triton, [images()[name]]), names)
        for name, response in zip(names, responses, strict=True):
            assert answers_of(response)[0]["plates"] == rounded(expected[name]["plates"])
    after = [triton.count(f"nv_inference_{what}", step) for what in ("count", "exec_count")]
    num_images, num_batches = (b - a for a, b in zip(before, after, strict=True))
    assert num_images == len(names)
    assert num_batches < num_images


def test_a_bad_image_fails_alone_among_requests_at_once(
    triton: Triton, expected: dict[str, dict[str, Any]]
) -> None:
    files = [images()["motorcycle"], b"no image"] * 4
    with ThreadPoolExecutor(len(files)) as pool:
        responses = list(pool.map(lambda file: ask(triton, [file]), files))
    assert [response.status_code for response in responses] == [200, 400] * 4
    for response in responses[::2]:
        assert answers_of(response)[0]["plates"] == rounded(expected["motorcycle"]["plates"])


@cache
def too_much() -> dict[str, bytes]:
    return {
        "fair": encoded(Image.new("L", (2000, 1500)), "PNG"),
        "large": encoded(Image.new("L", (6000, 5000)), "PNG"),
    }


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([b"hello"], "it is no image"),
        ([b""], "it is no image"),
        ([b"GIF89a" + bytes(60)], "GIF"),
        (["good", b"hello"], "image 1: it is no image"),
        (["large"], "6000x5000"),
        (["good"] * 9, "9 images in one request; at most 8"),
        (["good"] * 7 + ["fair"], "8 images of up to 3.0 megapixels in one request; at most 20"),
        ([], "no image in the request"),
    ],
    ids=["text", "nothing", "GIF", "one of two", "a bomb", "too many", "too much", "none"],
)
def test_what_cannot_be_read_gets_400_with_a_reason(
    triton: Triton, files: list[bytes | str], reason: str
) -> None:
    known = {"good": images()["motorcycle"], **too_much()}
    response = ask(triton, [file if isinstance(file, bytes) else known[file] for file in files])
    assert response.status_code == 400
    assert reason in response.json()["error"]
    assert "\n" not in response.json()["error"]


def test_json_holds_base64(triton: Triton, expected: dict[str, dict[str, Any]]) -> None:
    text = base64.b64encode(images()["motorcycle"]).decode()
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}
    body = {"inputs": [tensor]}
    response = triton.client.post("/v2/models/plateflow/infer", json=body)
    assert answers_of(response)[0]["plates"] == rounded(expected["motorcycle"]["plates"])


def test_grpc(triton: Triton, expected: dict[str, dict[str, Any]]) -> None:
    def request(*files: bytes) -> Any:
        data = b"".join(struct.pack("<I", len(file)) + file for file in files)
        tensor = v2.ModelInferRequest.InferInputTensor(
            name="image", datatype="BYTES", shape=[len(files)]
        )
        return v2.ModelInferRequest(
            model_name="plateflow", inputs=[tensor], raw_input_contents=[data]
        )

    with grpc.insecure_channel(triton.grpc_address) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ModelReady(v2.ModelReadyRequest(name="plateflow")).ready
        answer = stub.ModelInfer(request(images()["coffee"], images()["small"]), timeout=60)
        raw = answer.raw_output_contents[0]
        with pytest.raises(grpc.RpcError, match="it is no image") as refused:
            stub.ModelInfer(request(b"hello"), timeout=60)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    texts = []
    while raw:
        (length,) = struct.unpack_from("<I", raw)
        texts.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    found = [json.loads(text)["plates"] for text in texts]
    assert found == [rounded(expected[name]["plates"]) for name in ("coffee", "small")]


def test_a_full_queue_refuses_with_503_and_goes_on(triton: Triton) -> None:
    # Small, so that decoding does not hold them back.
    files = [images()["small"]]
    with ThreadPoolExecutor(40) as pool:
        statuses = [r.status_code for r in pool.map(lambda _: ask(triton, files), range(40))]
    assert set(statuses) == {200, 503}
    assert ask(triton, files).status_code == 200


def test_the_ensemble_says_what_goes_in_and_out(triton: Triton) -> None:
    metadata = triton.client.get("/v2/models/plateflow").json()
    assert metadata["platform"] == "ensemble"
    assert metadata["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    (output,) = metadata["outputs"]
    assert (output["name"], output["datatype"]) == ("readings", "BYTES")
