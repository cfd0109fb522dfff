from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serving.bench.figures import Figures, FloorFigures, LoadFigures, ServerFigures
from serving.bench.load import Load
from serving.bench.measure import summary
from serving.bench.plots import write_plots
from serving.bench.protocol import OpenInference, RawBody, texts
from serving.bench.report import report

_ENGINE = ("onnxruntime", "float32")


def _load(per_second: float, latency_ms: float, requests: int = 100, lost: int = 0) -> LoadFigures:
    return LoadFigures(
        requests=requests,
        lost=lost,
        otherwise=0,
        seconds=(requests - lost) / per_second,
        latencies_ms=[latency_ms] * (requests - lost),
        server_cpu_ms=10.0,
        generator_share=0.01,
        late_ms=0.5,
    )


def _server(name: str, saturated: list[float], half_ms: float, lost: int = 0) -> ServerFigures:
    return ServerFigures(
        name=name,
        title=f"the {name}",
        engine=_ENGINE,
        start_seconds=2.0,
        megabytes=400.0,
        processes=1,
        serial=[_load(50, 20.0)] * 2,
        concurrent=[_load(saturated[0] / 1.05, 500.0, lost=lost)] * 2,
        random=[_load(50, 20.0)] * 2,
        saturated=[_load(rate, 100.0) for rate in saturated],
        rates={"20": _load(20, 15.0)},
        half_load=_load(50, half_ms),
    )


def _figures(lost: int = 0, half_ms: float = 20.0) -> Figures:
    # In the second repetition the machine was half as fast: ratios are taken within a repetition.
    floor = FloorFigures(_ENGINE, {"1 x 2": [100.0, 50.0], "2 x 1": [140.0, 70.0]})
    servers = [
        _server("torchserve", [40.0, 20.0], 60.0),
        _server("fastapi_sync", [100.0, 50.0], 40.0),
        _server("ours_1", [126.0, 63.0], half_ms, lost),
    ]
    return Figures({"cores": "2"}, {"calls": 100, "rates_per_second": [20.0, 40.0], "images": 8},
                   [floor], servers)  # fmt: skip


def _verdicts(text: str) -> dict[str, list[str]]:
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line]
    return {row[0]: row[1:] for row in rows if len(row) == 4}


def test_ratios_are_those_of_the_figures() -> None:
    verdicts = _verdicts(report(_figures()))
    assert verdicts["images/s over the torchserve (onnxruntime, float32)"] == [
        "3.15", "at least 3", "yes",
    ]  # fmt: skip
    assert verdicts["images/s over the fastapi_sync (onnxruntime, float32)"] == [
        "1.26", "at least 1.5", "**no**",
    ]  # fmt: skip
    assert verdicts["images/s over the bare loop, same engine"] == ["0.90", "at least 0.85", "yes"]
    assert verdicts["p99 at half load over the bare latency"][2] == "yes"
    assert verdicts["requests lost"] == ["0 of 1000", "none", "yes"]
    assert verdicts["memory of one worker"][0] == "400 MB"


def test_what_does_not_hold_is_said() -> None:
    verdicts = _verdicts(report(_figures(lost=3, half_ms=200.0)))
    assert verdicts["requests lost"] == ["6 of 1000", "none", "**no**"]
    # 1 image alone takes 1000 / 75 ms: the median of 100 and 50 images/s.
    assert verdicts["p99 at half load over the bare latency"] == ["15.00", "at most 3", "**no**"]


def test_rates_that_a_server_cannot_keep_up_with_have_no_figures() -> None:
    [row] = [line for line in report(_figures()).splitlines() if line.endswith("15 / 15 | - |")][:1]
    assert row == "| the torchserve | 15 / 15 | - |"


def test_figures_go_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    path.write_text(json.dumps(_figures().to_dict()))
    assert json.loads(path.read_bytes())["servers"][2]["name"] == "ours_1"


def test_the_plots_are_pictures_with_something_in_them(tmp_path: Path) -> None:
    files = write_plots(_figures(), tmp_path)
    assert {file.name for file in files} == {"throughput.png", "at_once.png", "latency.png"}
    for file in files:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        assert pixels.shape[1] > 500
        assert pixels.std() > 10


def _answer(*found: str) -> bytes:
    return json.dumps({"plates": [{"text": text} for text in found]}).encode()


@pytest.mark.parametrize(
    ("status", "body", "lost", "otherwise"),
    [
        pytest.param(200, _answer("12A3456"), 0, 0, id="right"),
        pytest.param(200, _answer("12A3457"), 0, 1, id="another text"),
        pytest.param(200, _answer(), 0, 1, id="no plate"),
        pytest.param(200, b"<html>", 1, 0, id="no JSON"),
        pytest.param(200, b'{"plates": 3}', 1, 0, id="no plates"),
        pytest.param(503, _answer("12A3456"), 1, 0, id="turned away"),
        pytest.param(0, b"", 1, 0, id="no answer"),
    ],
)
def test_answers_are_checked(status: int, body: bytes, lost: int, otherwise: int) -> None:
    load = Load([0], [0.01], [status], [body], [0.0], 1.0, 0.01)
    figures = summary(load, RawBody("/read"), [("12A3456",)], 0.02)
    assert (figures.lost, figures.otherwise) == (lost, otherwise)
    assert figures.latencies_ms == ([] if lost else [10.0])


def test_texts_do_not_hang_on_the_order_of_the_plates() -> None:
    found = [texts(json.loads(_answer(*each))) for each in (("a", "b"), ("b", "a"))]
    assert found[0] == found[1] == ("a", "b")


def test_a_request_of_the_open_inference_protocol_says_where_its_tensor_begins() -> None:
    request = OpenInference().request(b"jpeg")
    head, body = request.split(b"\r\n\r\n", 1)
    headers = dict(line.split(b": ") for line in head.split(b"\r\n")[1:])
    begin = int(headers[b"Inference-Header-Content-Length"])
    assert int(headers[b"Content-Length"]) == len(body)
    assert json.loads(body[:begin])["inputs"][0]["parameters"] == {"binary_data_size": 8}
    assert body[begin:] == b"\x04\0\0\0jpeg"
