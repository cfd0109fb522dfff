"""The annotation set of a run: the user's own, or drawn anew when what draws it has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.record.annotations import annotation_set
from components.user_data import listings, user_data, weight_files
from sub_module.engine.config import load_config
from sub_module.errors import ConfigError, DataError


def config_with(**dataset: Any) -> dict[str, Any]:
    config = load_config("plate_training")
    config["dataset"] |= dataset
    config["dataset"]["draw"] |= {"num_images": 10, "image_sizes": [[160, 120]]}
    return config


def test_drawn_once_and_again_when_the_drawing_was_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = annotation_set(config_with(), tmp_path)
    assert len(list(first.glob("*/*.jpg"))) == 10
    drawn = first.stat().st_mtime_ns
    assert annotation_set(config_with(), tmp_path) == first
    assert first.stat().st_mtime_ns == drawn
    monkeypatch.setattr("components.record.annotations.tree_hash", lambda *_: "edited")
    assert annotation_set(config_with(), tmp_path) != first


def test_own_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, volume = tmp_path / "here", tmp_path / "volume"
    for folder in (here, volume / "set"):
        folder.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert annotation_set(config_with(annotations="set"), volume) == volume / "set"
    (here / "set").mkdir()
    assert annotation_set(config_with(annotations="set"), volume) == here / "set"


def test_user_data(tmp_path: Path) -> None:
    both = {"dataset": {"annotations": str(tmp_path), "draw": {"photos": "gone"}}}
    assert user_data(both, tmp_path) == {"dataset.annotations": tmp_path}, "nothing is drawn"
    assert user_data({"dataset": {"annotations": None, "draw": {}}}, tmp_path) == {}
    version = {"version": "v3", "annotations": None, "draw": {"photos": "gone"}}
    assert user_data({"dataset": version}, tmp_path) == {}, "a version is nobody's directory"
    with pytest.raises(DataError, match=r"^dataset\.draw\.photos: there is no directory gone$"):
        user_data({"dataset": {"draw": {"photos": "gone"}}}, tmp_path)
    with pytest.raises(ConfigError, match=r"dataset\.annotations: expected the path.* got 2024"):
        user_data({"dataset": {"annotations": 2024}}, tmp_path)


def test_listings_tell_of_candidates(tmp_path: Path) -> None:
    config = {"dataset": {"draw": {}}, "evaluate": {"candidates": ["models/*.pth"]}}
    with pytest.raises(ConfigError, match=r"^evaluate\.candidates: there is no file models/"):
        listings(config, tmp_path)
    checkpoint = tmp_path / "models" / "other.pth"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"one")
    first = listings(config, tmp_path)
    assert list(first) == ["evaluate.candidates"]
    assert listings(config, tmp_path) == first
    checkpoint.write_bytes(b"another")
    assert listings(config, tmp_path) != first


def test_listings_tell_of_weights(tmp_path: Path) -> None:
    config = {"train": {"weights": "start.pth", "backbone_weights": None}}
    with pytest.raises(DataError, match=r"^train\.weights: there is no file start\.pth$"):
        listings(config, tmp_path)
    (tmp_path / "start.pth").write_bytes(b"one")
    assert weight_files(config, tmp_path) == {"train.weights": tmp_path / "start.pth"}
    first = listings(config, tmp_path)
    (tmp_path / "start.pth").write_bytes(b"another")
    assert listings(config, tmp_path) != first
