"""A model in fewer bits, kept only if it reads as well."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.deploy.gate import gate
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import ModelError
from sub_module.export import convert
from sub_module.export.variants import add_variant
from sub_module.files import tree_hash
from tests.standards import kr_standard
from tests.sub_module.small import drawn_set


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("set"), kr_standard(), 30)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The shipped model as `export` would write it: without variants."""
    model = tmp_path / "model"
    shutil.copytree(SHIPPED_MODEL, model, ignore=shutil.ignore_patterns("*.int8.onnx"))
    settings = json.loads((model / "settings.json").read_text())
    del settings["variants"]
    (model / "settings.json").write_text(json.dumps(settings))
    return model


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_a_variant_is_added_with_its_figures(
    precision: str, model: Path, training_set: Path
) -> None:
    whole = load_detector(model, 1).predict([np.zeros((480, 640, 3), np.uint8)])
    before = (model / "detect.onnx").read_bytes()
    scores = add_variant(
        model, precision, training_set / "train.json", training_set / "val.json", 0.3
    )
    assert scores.EIR > 0.6
    noted = json.loads((model / "settings.json").read_text())["variants"][precision]
    assert noted["EIR"] == scores.EIR
    assert noted["EIR_float32"] == scores.EIR_float32
    assert noted["num_plates"] > 0
    # It is there beside what was there.
    assert (model / "detect.onnx").read_bytes() == before
    assert (
        load_detector(model, 1, precision=precision).predict([np.zeros((480, 640, 3), np.uint8)])
        == whole
    )
    settings = {"min_eir": 0.0, "tolerance": 0.0}
    figures = gate(model, model / "none", training_set / "val.json", settings)
    assert figures == {"EIR": scores.EIR_float32, f"EIR_{precision}": scores.EIR}


def test_a_variant_that_reads_worse_is_not_kept(
    model: Path, training_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blunted(graph: Path, out: Path, samples: object) -> None:
        """Weights with so few steps that nothing can be read."""
        content = onnx.load(graph)
        for tensor in content.graph.initializer:
            values = numpy_helper.to_array(tensor)
            if values.ndim == 4:
                step = np.abs(values).max()
                coarse = (np.round(values / step) * step).astype(np.float32)
                tensor.CopyFrom(numpy_helper.from_array(coarse, tensor.name))
        onnx.save(content, out)

    monkeypatch.setitem(convert.CONVERTERS, "int8", blunted)
    before = tree_hash(model)
    with pytest.raises(ModelError, match=r"not kept in int8: its EIR 0\.\d+ is more than 0\.0050"):
        add_variant(model, "int8", training_set / "train.json", training_set / "val.json", 0.005)
    assert tree_hash(model) == before


def test_a_precision_that_there_is_not(model: Path, training_set: Path) -> None:
    val = training_set / "val.json"
    with pytest.raises(ModelError, match="precision 'int4' is none of: int8, float16"):
        add_variant(model, "int4", val, val, 0.0)


def test_nothing_to_calibrate_with(model: Path, training_set: Path) -> None:
    """A model that finds no plate in any image shows nothing of its later graphs."""
    settings = json.loads((model / "settings.json").read_text())
    settings["model"]["reading"]["min_heat"] = 1.0
    (model / "settings.json").write_text(json.dumps(settings))
    val = training_set / "val.json"
    with pytest.raises(ModelError, match=r"val\.json: in its images nothing is found for .* refi"):
        add_variant(model, "int8", val, val, 1.0)
