"""Who runs an exported model, and in which precision."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from sub_module.datasets.coco import load_image
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import ModelError
from sub_module.export import engines
from sub_module.export.runtime import OnnxDetector
from sub_module.plates.reading import texts_of
from tests.standards import REPOSITORY

SAMPLES = sorted((REPOSITORY / "docs" / "samples").glob("*.jpg"))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_each_runtime_reads_the_same(precision: str) -> None:
    one, other = (
        load_detector(SHIPPED_MODEL, 1, runtime, precision)
        for runtime in ("onnxruntime", "openvino")
    )
    images = [load_image(path) for path in SAMPLES]
    found = [texts_of(readings) for readings in one.predict(images)]
    assert any(found)
    assert found == [texts_of(readings) for readings in other.predict(images)]


def test_a_whole_batch_reads_as_its_images_do() -> None:
    detector = load_detector(SHIPPED_MODEL, 1, "openvino", "int8")
    images = [load_image(path) for path in SAMPLES]
    one_by_one = [texts_of(detector.predict([image])[0]) for image in images]
    assert [texts_of(readings) for readings in detector.predict(images)] == one_by_one


def test_a_runtime_keeps_what_it_gave() -> None:
    """OpenVINO writes its next answer over the last one; a caller's arrays must not change."""
    networks = OnnxDetector(SHIPPED_MODEL, 1, "openvino").networks
    rng = np.random.default_rng(0)
    strips = rng.integers(0, 256, (2, 1, 1, 32, 160)).astype(np.uint8)
    (first,) = networks.run("read", strips[0])
    before = first.copy()
    networks.run("read", strips[1])
    assert (first == before).all()


def test_auto_is_the_fastest_that_the_model_has(tmp_path: Path) -> None:
    assert OnnxDetector(SHIPPED_MODEL, 1, precision="auto").precision == "int8"
    without = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, without)
    settings = json.loads((without / "settings.json").read_text())
    del settings["variants"]
    (without / "settings.json").write_text(json.dumps(settings))
    assert OnnxDetector(without, 1, precision="auto").precision == "float32"


def test_a_version_is_of_what_is_read_with(tmp_path: Path) -> None:
    float32, int8 = (OnnxDetector(SHIPPED_MODEL, 1, precision=p) for p in ("float32", "int8"))
    assert len(float32.version) == 12
    assert int(float32.version, 16) >= 0
    assert float32.version != int8.version
    copy = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, copy)
    assert OnnxDetector(copy, 1).version == float32.version
    settings = json.loads((copy / "settings.json").read_text())
    settings["model"]["reading"]["min_score"] = 0.5
    (copy / "settings.json").write_text(json.dumps(settings))
    assert OnnxDetector(copy, 1).version != float32.version


@pytest.mark.parametrize(
    ("runtime", "precision", "reason"),
    [
        ("tflite", "float32", "runtime 'tflite' is none of: onnxruntime, openvino, onnxruntime-c"),
        ("onnxruntime-cuda", "float32", "has no CUDAExecutionProvider .* onnxruntime-gpu"),
        ("torch", "float32", "an exported model, and torch reads checkpoints only"),
        ("onnxruntime", "int4", "the model has no precision 'int4', only: float32, int8"),
    ],
)
def test_what_a_model_cannot_be_read_with(runtime: str, precision: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        load_detector(SHIPPED_MODEL, 1, runtime, precision)


def test_a_runtime_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match="not installed: pip install openvino"):
        load_detector(SHIPPED_MODEL, 1, "openvino")


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_a_graph_that_a_runtime_cannot_load(runtime: str) -> None:
    with pytest.raises(ModelError, match=r"cannot load the graph read: .+"):
        engines.load_networks(runtime, {"read": b"no graph"}, 1)


def test_sums_of_bytes_do_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without VNNI would add products in 16 bits; then onnxruntime is told not to."""
    images = [load_image(path) for path in SAMPLES]
    found = []
    for adds_in_16_bits in (False, True):
        monkeypatch.setattr(engines, "_adds_in_16_bits", lambda answer=adds_in_16_bits: answer)
        detector = load_detector(SHIPPED_MODEL, 1, precision="int8")
        found.append([texts_of(readings) for readings in detector.predict(images)])
    assert found[0] == found[1]


def test_an_integer_graph_is_small_and_whole() -> None:
    for name in ("detect", "refine", "read"):
        graph = onnx.load(SHIPPED_MODEL / f"{name}.int8.onnx")
        onnx.checker.check_model(graph, full_check=True)
        whole = (SHIPPED_MODEL / f"{name}.onnx").stat().st_size
        assert (SHIPPED_MODEL / f"{name}.int8.onnx").stat().st_size < whole / 3
