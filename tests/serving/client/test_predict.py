"""The command `predict`."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from pipeline_utils import app
from sub_module.datasets.coco import load_image
from sub_module.errors import PlateflowError
from tests.servers.kubernetes import Kubernetes
from tests.servers.predictor import Predictor, wait_until
from tests.serving.client.gateway import HTML, Gateway, Said
from tests.standards import REPOSITORY, TINY, flat_file

SAMPLE = REPOSITORY / "docs" / "samples" / "motorcycle.jpg"
OTHER = REPOSITORY / "docs" / "samples" / "coffee.jpg"
PREDICT = [sys.executable, str(REPOSITORY / "pipeline_utils.py"), "predict"]


def predict(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, arguments)])


def test_it_prints_as_read_does(predictor: Predictor, tmp_path: Path) -> None:
    done = predict(SAMPLE, OTHER, "--url", predictor.url)
    assert done.exit_code == 0, done.output
    local = CliRunner().invoke(app, ["read", str(SAMPLE), str(OTHER), "--out", str(tmp_path)])
    kept = [line for line in local.stdout.splitlines() if not line.startswith("picture: ")]
    assert done.stdout.splitlines() == kept
    assert "╭─" in done.stdout
    assert not done.stderr


def test_json_pictures_and_failures(predictor: Predictor, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    out = tmp_path / "out"
    done = predict(SAMPLE, bad, OTHER, "--url", predictor.url, "--json", "--out", out)
    assert done.exit_code == 1
    assert done.stderr == "1 failed; 2 of 3 images are read\n"
    one, failed, two = json.loads(done.stdout)
    assert failed.keys() == {"file", "error"}
    assert failed["file"] == str(bad)
    assert one.keys() == {"file", "plates", "image", "model", "timings_ms"}
    assert sorted(file.name for file in out.iterdir()) == [
        *("coffee.read.jpg", "coffee.read.json", "motorcycle.read.jpg", "motorcycle.read.json")
    ]
    assert json.loads((out / "coffee.read.json").read_text()) == two
    picture = load_image(out / "motorcycle.read.jpg").astype(int)
    changed = np.abs(picture - load_image(SAMPLE)).max(axis=2) > 60
    ys, xs = np.nonzero(changed)
    x1, y1, x2, _ = one["plates"][0]["box"]
    assert xs.min() < x1 + 5
    assert xs.max() > x2 - 5
    assert ys.max() > y1
    assert changed.mean() < 0.1


def test_many_in_a_directory_shrunk(gateway: Gateway, tmp_path: Path) -> None:
    for number in range(2):
        Image.open(SAMPLE).resize((1600, 1200)).save(tmp_path / f"{number}.bmp")
    limit = "max_payload_megabytes=0.2"
    done = predict(tmp_path, "--url", gateway.url, "--set", limit, "--json")
    assert done.exit_code == 0
    assert max(len(request.body) for request in gateway.asked) <= 200_000
    for row in json.loads(done.stdout):
        assert row["image"] == {"width": 1600, "height": 1200}
        assert max(x for plate in row["plates"] for x, _ in plate["corners"]) > 640


def test_nothing_read_is_a_mistake(predictor: Predictor, tmp_path: Path) -> None:
    done = predict(tmp_path / "none.jpg", "--url", predictor.url)
    assert done.exit_code == 2
    assert done.stderr == f"error: {tmp_path}/none.jpg: No such file or directory\n"


def test_another_standard(predictor: Predictor, tmp_path: Path) -> None:
    config = tmp_path / "other.json"
    config.write_text(json.dumps({"plates": TINY}))
    done = predict(SAMPLE, "--url", predictor.url, "--config", config)
    assert done.exit_code == 1
    assert "--config" in str(done.exception)


def test_plates_of_a_standard_are_asked_for(gateway: Gateway, tmp_path: Path) -> None:
    done = predict(SAMPLE, "--url", gateway.url, "--standard", "kr")
    assert done.exit_code == 0, done.output
    assert b'"parameters":{"standard":"kr"}' in gateway.asked[0].body
    predict(SAMPLE, "--url", gateway.url)
    assert b"standard" not in gateway.asked[1].body.partition(b"\xff")[0]
    done = predict(SAMPLE, "--url", gateway.url, "--standard", flat_file(tmp_path))
    assert done.exit_code == 2
    assert "standard: 'flat' is none of: kr, " in done.stderr
    done = predict(SAMPLE, "--url", gateway.url, "--standard", "kr", "--config", "plate_training")
    assert str(done.exception) == "--standard and --config: give one"


def test_a_server_that_lets_nobody_choose(gateway: Gateway) -> None:
    """As Triton does: what requests say beside their image is nothing to it."""
    said = {"plates": [], "image": {"width": 1, "height": 1}, "timings_ms": {}}
    read = json.dumps({**said, "model": {"name": "m", "version": "1", "standard": "eu"}})
    answer = json.dumps({"outputs": [{"name": "readings", "data": [read]}]}).encode()
    gateway.plan = lambda number, asked: Said(200, answer)
    done = predict(SAMPLE, "--url", gateway.url, "--standard", "kr")
    assert "read plates of eu, not of kr: it lets nobody choose" in str(done.exception)
    assert predict(SAMPLE, "--url", gateway.url).exit_code == 0


def test_a_lost_server_is_one_line(gateway: Gateway) -> None:
    page = Said(200, b"<html></html>", HTML)
    gateway.plan = lambda number, asked: None if number == 0 else page
    done = predict(SAMPLE, OTHER, "--url", gateway.url, "--json", "--set", "concurrent=1")
    assert [row["file"] for row in json.loads(done.stdout)] == [str(SAMPLE)]
    assert not done.stderr
    assert isinstance(done.exception, PlateflowError)
    assert str(done.exception) == (
        f"the server at {gateway.url} answers 200 with text/html; charset=utf-8, where the "
        "model server answers with JSON: is it its address?; 1 of 2 images are read"
    )


def test_ctrl_c_on_a_terminal(gateway: Gateway) -> None:
    """JSON goes where it should, under a progress bar, and is whole."""
    slow = Said(200, b" " * 10_000, seconds_a_byte=0.1)
    gateway.plan = lambda number, asked: None if number == 0 else slow
    terminal, behind = pty.openpty()
    process = subprocess.Popen(
        [*PREDICT, str(SAMPLE), str(OTHER), "--url", gateway.url, "--json", "--set=concurrent=1"],
        stdout=subprocess.PIPE,
        stderr=behind,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(behind)
    wait_until(lambda: len(gateway.asked) == 2, 30)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert process.returncode == 130
    assert [row["file"] for row in json.loads(out)] == [str(SAMPLE)]
    shown = ""
    # So a terminal ends that nobody writes to any more.
    with suppress(OSError):
        while part := os.read(terminal, 4096):
            shown += part.decode(errors="replace")
    os.close(terminal)
    assert "reading" in shown
    assert "plates" not in shown
    assert "error: stopped; 1 of 2 images are read\r\n" in shown


def service(name: str, url: str) -> dict[str, Any]:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {"predictor": {"containers": [{"name": "kserve-container", "resources": {}}]}},
        "status": {"url": url},
    }


def test_an_inference_service(
    kubernetes: Kubernetes, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = "plates.plateflow.example.com"
    kubernetes.put(service("plates", f"http://{host}"))
    kubernetes.put(service("known", gateway.url))
    of_ours = ("--service", "plates", "--set", "model_name=plateflow", "--json")
    done = predict(SAMPLE, *of_ours, "--url", gateway.url)
    assert done.exit_code == 0, done.exception
    monkeypatch.setenv("PLATEFLOW_GATEWAY", gateway.url)
    assert predict(SAMPLE, *of_ours).stdout.count("plates") == done.stdout.count("plates") == 1
    assert [request.headers["Host"] for request in gateway.asked] == [host, host]
    done = predict(SAMPLE, "--service", "plates")
    assert "/v2/models/plates/infer" in str(done.exception)
    monkeypatch.delenv("PLATEFLOW_GATEWAY")
    done = predict(SAMPLE, "--service", "known", "--set", "model_name=plateflow", "--json")
    assert len(json.loads(done.stdout)) == 1
    done = predict(SAMPLE, "--service", "others")
    assert "others" in str(done.exception)
