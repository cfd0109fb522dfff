"""An exported mask_rcnn_swin reads as its checkpoint does, and trusts no settings file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sub_module.engine.checkpoint import description, load_model
from sub_module.errors import ModelError
from sub_module.export.onnx import export
from sub_module.export.runtime import OnnxDetector
from sub_module.plates import PlateStandard
from tests.sub_module.models.micro_mask_rcnn import micro_config, micro_model

# Whatever is found counts, however doubtful.
LOOSE = {
    "detections__min_score": 0.0,
    "detections__max_number": 100,
    "reading__min_score": 0.0,
    "reading__overlap": 0.9,
}
NOISE = list(np.random.default_rng(0).integers(0, 256, (4, 96, 128, 3), dtype=np.uint8))


def two_of(alphabet: str) -> dict[str, Any]:
    """A plate standard so simple that any two characters anywhere on a board are a text."""
    whole = [0.0, 0.0, 1.0, 1.0]
    slots = [{"field": "serial", "alphabet": alphabet}] * 2
    group = {"label": "text", "box": whole, "slots": slots}
    layout = {"name": "flat", "label": "board", "aspect": 2.0}
    return {
        "name": "two",
        "layouts": [{**layout, "rows": [{"box": whole, "groups": [group]}]}],
        "colours": [{"background": [255, 255, 255], "text": [0, 0, 0]}],
        "classes": [*alphabet, "board", "text"],
    }


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights, which sees boards and characters in noise, and its export."""
    path = tmp_path_factory.mktemp("loose") / "model.pth"
    standard = PlateStandard.from_config(two_of("ABCDEFGHIJKLMNOP"))
    torch.manual_seed(2)
    weights = micro_model(standard, **LOOSE).state_dict()
    described = description(micro_config(**LOOSE), standard)
    torch.save({"state_dict": weights, "plateflow": described}, path)
    export(path, path.parent / "exported")
    return path


def test_both_runtimes_read_the_same(checkpoint: Path) -> None:
    wanted = load_model(checkpoint).predict(NOISE)
    found = OnnxDetector(checkpoint.parent / "exported", 1).predict(NOISE)
    assert len({reading.text for readings in wanted for reading in readings}) > 2
    for ours, theirs in zip(wanted, found, strict=True):
        assert [reading.text for reading in theirs] == [reading.text for reading in ours]
        for a, b in zip(ours, theirs, strict=True):
            assert b.score == pytest.approx(a.score, abs=1e-4)
            assert np.array(b.corners) == pytest.approx(np.array(a.corners), abs=0.05)


def with_settings(exported: Path, out: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of an exported model whose settings were changed."""
    out.mkdir()
    settings = json.loads((exported / "settings.json").read_text())
    change(settings)
    (out / "settings.json").write_text(json.dumps(settings))
    (out / "detect.onnx").write_bytes((exported / "detect.onnx").read_bytes())
    return out


@pytest.mark.parametrize(
    ("reading", "field"),
    [
        ({"min_score": "x", "overlap": 0.5}, "min_score"),
        ({"min_score": 0.5, "overlap": 7}, "overlap"),
        ({"min_score": float("nan"), "overlap": 0.5}, "min_score"),
        ({"min_score": 0.5}, "overlap"),
        ([], "min_score"),
    ],
)
def test_a_wrong_number_is_named_before_an_image_is_read(
    checkpoint: Path, tmp_path: Path, reading: Any, field: str
) -> None:
    out = with_settings(
        checkpoint.parent / "exported",
        tmp_path / "model",
        lambda settings: settings["model"].update(reading=reading),
    )
    with pytest.raises(ModelError, match=rf"settings\.json: .*model\.reading\.{field}"):
        OnnxDetector(out, 1)


def test_a_standard_of_fewer_classes_than_the_graph_has(checkpoint: Path, tmp_path: Path) -> None:
    out = with_settings(
        checkpoint.parent / "exported",
        tmp_path / "model",
        lambda settings: settings.update(standard=two_of("AB")),
    )
    detector = OnnxDetector(out, 1)
    with pytest.raises(ModelError, match=r"finds classes from \d+ to \d+, but .* two has 4"):
        detector.find(NOISE)
