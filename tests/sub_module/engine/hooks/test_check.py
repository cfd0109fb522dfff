"""What is refused before training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from sub_module.engine.checkpoint import build_model
from sub_module.engine.hooks import check_data_set, check_model
from sub_module.engine.train import train
from sub_module.errors import ConfigError, DataError
from sub_module.models.platenet.model import PlateNet
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import small_config


@pytest.fixture
def changed_set(training_set: Path, tmp_path: Path) -> Path:
    """A copy of the COCO files, to be changed."""
    copy = tmp_path / "set"
    copy.mkdir()
    for name in ("train.json", "val.json"):
        shutil.copy(training_set / name, copy)
    return copy


def change(file: Path, **keys: Any) -> dict[str, Any]:
    coco: dict[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps({**coco, **keys}))
    return coco


def refusal(training_set: Path, work_dir: Path) -> str:
    with pytest.raises(DataError) as caught:
        train(small_config(kr_standard()), training_set, work_dir)
    assert "\n" not in str(caught.value)
    assert not list(work_dir.iterdir())
    return str(caught.value)


@pytest.mark.parametrize("name", ["train.json", "val.json"])
def test_no_ground_truth(changed_set: Path, tmp_path: Path, name: str) -> None:
    images = change(changed_set / name, annotations=[])["images"]
    message = refusal(changed_set, tmp_path / "work")
    file = changed_set / name
    assert message == f"{file}: there is no plate in any of its {len(images)} images"
    change(changed_set / name, images=[])
    assert "any of its 0 images" in refusal(changed_set, tmp_path / "work")


def test_classes_of_another_set(changed_set: Path, tmp_path: Path) -> None:
    file = changed_set / "val.json"
    coco = change(file)
    categories = coco["categories"]
    change(file, categories=[*categories, {"id": 999, "name": "bicycle"}])
    assert refusal(changed_set, tmp_path / "work") == (
        f"{file}: class 'bicycle': the plate standard kr has no such class"
    )
    # A character, and where it stands.
    lost = categories[-1]
    left = [row for row in coco["annotations"] if row["category_id"] != lost["id"]]
    change(file, categories=categories[:-1], annotations=left)
    assert refusal(changed_set, tmp_path / "work") == (
        f"{file}: class {lost['name']!r}: the file lacks this class of the plate standard"
    )


def test_a_set_that_fits(training_set: Path) -> None:
    check_data_set(training_set, kr_standard())
    with pytest.raises(DataError, match=r"train\.json: recorded with the plate standard kr"):
        check_data_set(training_set, tiny_standard())


def test_a_head_of_the_wrong_size() -> None:
    config = small_config(kr_standard())
    model = build_model(config["model"], kr_standard())
    check_model(model, config)
    assert isinstance(model, PlateNet)
    model.column_reader.classify = nn.Conv1d(8, 7, 1)
    wanted = 1 + len(kr_standard().alphabet)
    with pytest.raises(ConfigError) as caught:
        check_model(model, config)
    assert str(caught.value) == (
        f"model PlateNet: characters has 7 outputs, but the plate standard kr takes {wanted}"
    )


@pytest.mark.parametrize(
    ("best_metric", "evaluate", "refused"),
    [
        pytest.param("dv_mAP", {}, "train.best_metric: dv_mAP needs masks", id="by best_metric"),
        pytest.param("EIR", {"keys": ["dv_mAP", "EIR"]}, "evaluate.keys: dv_mAP", id="by keys"),
        pytest.param("mAP", {"keys": ["EIR", "mAP"]}, "", id="what every model has"),
        pytest.param(
            "EIR",
            {"keys": ["dv_mAP", "EIR"], "candidates": ["runs/*/train/best.pth"]},
            "",
            id="another candidate may have masks",
        ),
    ],
)
def test_masks_that_a_model_does_not_have(
    best_metric: str, evaluate: dict[str, Any], refused: str
) -> None:
    config = {**small_config(kr_standard(), best_metric=best_metric), "evaluate": evaluate}
    model = build_model(config["model"], kr_standard())
    if not refused:
        check_model(model, config)
        return
    with pytest.raises(ConfigError) as caught:
        check_model(model, config)
    assert str(caught.value).startswith(refused)
