"""Checkpoints: complete in one file, and never trusted."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch

from sub_module.engine import checkpoint
from sub_module.engine.checkpoint import build_model, description, load_model
from sub_module.engine.config import load_config
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import load_detector, model_in_use
from sub_module.errors import DataError, ModelError
from sub_module.models.base import PlateModel
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import drawn_set, small_config


def saved(path: Path, **changes: Any) -> Path:
    """A checkpoint of a small model with random weights."""
    standard = kr_standard()
    config = small_config(standard)["model"]
    torch.manual_seed(0)
    model = build_model(config, standard)
    content = {"state_dict": model.state_dict(), "plateflow": description(config, standard)}
    torch.save({**content, **changes}, path)
    return path


def test_the_file_alone_is_enough(tmp_path: Path) -> None:
    model = load_model(saved(tmp_path / "model.pth"))
    assert model.standard == kr_standard()
    assert not model.training


def test_another_plate_standard_is_refused(tmp_path: Path) -> None:
    detector = load_detector(saved(tmp_path / "model.pth"))
    other = drawn_set(tmp_path, tiny_standard(), 12)
    with pytest.raises(DataError, match=r"val\.json: recorded with the plate standard tiny"):
        evaluate(detector, other / "val.json")


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.pth")
    whole = path.read_bytes()
    for content in (b"", b"not a checkpoint", whole[:1000], whole[:-1000]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.pth: damaged, or no checkpoint"):
            load_model(path)
    with pytest.raises(ModelError, match=r"nowhere\.pth: no such file"):
        load_model(tmp_path / "nowhere.pth")


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelError, match=r"other\.pth: no checkpoint of Plateflow"):
        load_model(path)


def test_code_in_a_checkpoint_does_not_run(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.system, (f"touch {tmp_path / 'owned'}",)

    path = saved(tmp_path / "model.pth", attack=Attack())
    with pytest.raises(ModelError, match="damaged, or no checkpoint"):
        load_model(path)
    path.write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ModelError, match="damaged, or no checkpoint"):
        load_model(path)
    assert not (tmp_path / "owned").exists()


def test_only_registered_models_are_built(tmp_path: Path) -> None:
    standard = kr_standard()
    for name in ("os.system", "torch.nn.Linear", "NoSuchNet", ""):
        with pytest.raises(ModelError, match="is none of: MaskRCNNSwin, PlateNet"):
            build_model({"type": name}, standard)
    evil = {**description({"type": "os.system"}, standard)}
    with pytest.raises(ModelError, match="'system' is none of"):
        load_model(saved(tmp_path / "model.pth", plateflow=evil))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    config = small_config(kr_standard())["model"]
    other = {**config, "widths": {"detector": 16, "refiner": 8, "reader": 8}}
    path = saved(tmp_path / "model.pth", plateflow=description(other, kr_standard()))
    reason = r"model\.pth: detector\.to_8\.0\.0\.weight is of shape \(\d+, .*the model's of \(8, "
    with pytest.raises(ModelError, match=reason) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("mask_rcnn_nano", {"embed_dim": 128, "depths": [4] * 4}),
        ("plate_training", {"widths": {"detector": 256, "refiner": 24, "reader": 32}}),
        ("plate_training", {"widths": {"detector": 10**30, "refiner": 24, "reader": 32}}),
    ],
    ids=["deep", "wide", "wider than can be counted"],
)
def test_a_description_gets_no_memory_that_the_file_has_not(
    model: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices: list[str] = []

    def watched(*arguments: Any) -> PlateModel:
        built = build_model(*arguments)
        devices.extend({weight.device.type for weight in built.state_dict().values()})
        return built

    monkeypatch.setattr(checkpoint, "build_model", watched)
    told = description({**load_config(model)["model"], **changes}, kr_standard())
    path = saved(tmp_path / "model.pth", plateflow=told)
    with pytest.raises(ModelError, match=r"model\.pth: ") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert "cpu" not in devices
    load_model(saved(path))
    assert devices[-1] == "cpu"


def test_few_bytes_that_are_told_to_be_many_are_refused(tmp_path: Path) -> None:
    """One number seen as a whole tensor has the right shape, yet is not in the file."""
    path = saved(tmp_path / "model.pth")
    weights = torch.load(path, weights_only=True)["state_dict"]
    seen = {name: torch.zeros((), dtype=w.dtype).expand(w.shape) for name, w in weights.items()}
    with pytest.raises(ModelError, match=r"model\.pth: tells of \d+ bytes of weights, but has"):
        load_model(saved(path, state_dict=seen))
    nowhere = {name: weight.to("meta") for name, weight in weights.items()}
    with pytest.raises(ModelError, match=r"model\.pth: \S+ is no plain tensor"):
        load_model(saved(path, state_dict=nowhere))


def test_an_exported_model_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"settings\.json: No such file"):
        load_detector(tmp_path)


def test_a_link_to_a_model_that_is_gone_is_not_passed_over(tmp_path: Path) -> None:
    current = tmp_path / "models" / "current"
    current.parent.mkdir()
    current.symlink_to(tmp_path / "gone")
    assert model_in_use(tmp_path) == current
    with pytest.raises(ModelError, match=r"models/current: no such file"):
        load_detector(model_in_use(tmp_path))
