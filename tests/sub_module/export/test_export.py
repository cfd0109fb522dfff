"""ONNX graphs that do what the checkpoint does."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sub_module.engine.checkpoint import load_model
from sub_module.engine.infer import load_detector
from sub_module.errors import ModelError
from sub_module.export import onnx as onnx_export
from sub_module.export.agreement import check_same_readings
from sub_module.export.onnx import export
from sub_module.export.runtime import OnnxDetector
from tests.standards import kr_standard
from tests.sub_module.engine.test_checkpoint import saved
from tests.sub_module.small import drawn_set


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("checkpoint") / "model.pth")


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    out = checkpoint.parent / "exported"
    export(checkpoint, out)
    return out


@pytest.mark.parametrize("batch", [1, 3])
def test_each_graph_computes_what_its_network_does(
    checkpoint: Path, exported: Path, batch: int
) -> None:
    model = load_model(checkpoint)
    networks = OnnxDetector(exported).networks
    rng = np.random.default_rng(0)
    sizes = model.sizes
    for name, channels, (width, height) in (
        ("detect", 3, sizes.detector),
        ("refine", 3, sizes.crop),
        ("read", 1, sizes.strip),
    ):
        array = rng.integers(0, 256, (batch, channels, height, width)).astype(np.uint8)
        with torch.inference_mode():
            wanted = getattr(model, name)(torch.from_numpy(array))
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        found = networks.run(name, array)
        for a, b in zip(wanted, found, strict=True):
            assert b == pytest.approx(a.numpy(), abs=1e-4)


def test_readings_agree_on_a_set(checkpoint: Path, exported: Path, tmp_path: Path) -> None:
    training_set = drawn_set(tmp_path, kr_standard(), 20)
    assert check_same_readings(checkpoint, exported, training_set / "val.json", 0.0) == 0.0


def eager(path: Path) -> Path:
    """A model that finds a plate everywhere."""
    content = torch.load(saved(path), weights_only=True)
    content["state_dict"]["detector.heat.1.bias"] += 8
    content["state_dict"]["refiner.head.bias"][-1] += 8
    # A quadrangle round each cell, and no doubt about any column.
    content["state_dict"]["detector.corners.1.bias"] += torch.tensor(
        [-3.0, -1.5, 3, -1.5, 3, 1.5, -3, 1.5]
    )
    content["plateflow"]["model"]["reading"]["min_score"] = 0.0
    torch.save(content, path)
    return path


def test_another_models_readings_do_not_agree(exported: Path, tmp_path: Path) -> None:
    """The check can fail: a model that finds a plate everywhere against one that finds none."""
    training_set = drawn_set(tmp_path, kr_standard(), 20)
    eager(tmp_path / "eager.pth")
    with pytest.raises(ModelError, match=r"reads \d of 4 images otherwise than eager\.pth"):
        check_same_readings(tmp_path / "eager.pth", exported, training_set / "val.json", 0.01)


def test_damage_is_noticed(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "model"
    export(checkpoint, out)
    graph = out / "read.onnx"
    whole = graph.read_bytes()
    graph.write_bytes(whole[:-10])
    with pytest.raises(ModelError, match=r"read\.onnx: damaged"):
        load_detector(out)
    graph.unlink()
    with pytest.raises(ModelError, match=r"read\.onnx: No such file"):
        load_detector(out)
    graph.write_bytes(whole)
    settings = json.loads((out / "settings.json").read_text())
    broken_model = {**settings["model"], "sizes": {**settings["model"]["sizes"], "crop": [60, 48]}}
    reading = settings["model"]["reading"]
    readings = [
        {},
        {**reading, "min_score": "x"},
        {**reading, "min_heat": None},
        {**reading, "overlap": float("nan")},
        {**reading, "max_plates": 8.5},
        {**reading, "num_refinements": 10**9},
        {**reading, "more": 1},
    ]
    broken_settings = [
        {**settings, "format": 99},
        {**settings, "graphs": []},
        {**settings, "graphs": {}},
        {**settings, "graphs": {"detect": {}}},
        {**settings, "model": {}},
        {**settings, "model": broken_model},
        *({**settings, "model": {**settings["model"], "reading": each}} for each in readings),
        {**settings, "standard": {}},
    ]
    for broken in ("", "[]", "{", *map(json.dumps, broken_settings)):
        (out / "settings.json").write_text(broken)
        with pytest.raises(ModelError, match=r"settings\.json: "):
            load_detector(out)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ("layouts", "the graph refine tells 2 layouts apart, but the plate standard has 1"),
        ("alphabet", r"the graph read tells 16 characters with the blank apart, but .* has 15"),
    ],
)
def test_a_standard_that_the_graphs_do_not_fit(changed: str, reason: str, tmp_path: Path) -> None:
    export(eager(tmp_path / "eager.pth"), tmp_path / "model")
    path = tmp_path / "model" / "settings.json"
    settings = json.loads(path.read_text())
    standard = settings["standard"]
    if changed == "layouts":
        standard["layouts"] = standard["layouts"][:1]
    else:
        for layout in standard["layouts"]:
            for row in layout["rows"]:
                for group in row["groups"]:
                    for slot in group["slots"]:
                        slot["alphabet"] = slot["alphabet"].replace("9", "")
    path.write_text(json.dumps(settings))
    detector = load_detector(tmp_path / "model")
    with pytest.raises(ModelError, match=reason):
        detector.find([np.zeros((96, 128, 3), np.uint8)])


def test_a_full_disk_leaves_nothing(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(onnx_export, "write_json", full)
    with pytest.raises(ModelError, match=r"model: cannot write the model: No space left"):
        export(checkpoint, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []
