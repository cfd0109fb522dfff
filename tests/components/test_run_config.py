"""What a run's config is refused for before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.evaluate.candidates import scores_of
from components.run_config import FIGURES, run_config
from sub_module.engine.config import load_config
from sub_module.engine.evaluate import Evaluation
from sub_module.engine.train_settings import METRICS
from sub_module.errors import ConfigError
from sub_module.metrics.readings import score_readings


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param({"evaluate.keys": ["EIR", "mAp"]}, r"evaluate\.keys: 'mAp'.*mAP", id="a typo"),
        pytest.param({"evaluate.keys": ["wrong_share"]}, r"evaluate\.keys", id="less is better"),
        pytest.param({"train.max_epochs": 0}, r"train\.max_epochs must be", id="no epoch"),
        pytest.param({"dataset.split.val": 0}, r"dataset\.split\.val", id="nothing to choose with"),
        pytest.param({"dataset.split.test": 0.0}, r"dataset\.split\.test", id="nothing to test"),
        pytest.param({"dataset.split.train": -1}, r"dataset\.split\.train", id="less than none"),
        pytest.param({"dataset.version": 3}, r"dataset\.version: .* got 3", id="a number"),
        pytest.param({"dataset.category": None}, r"dataset\.category: .* null", id="of nothing"),
        pytest.param(
            {"dataset.version": "v3", "dataset.annotations": "here"},
            r"dataset\.version and dataset\.annotations",
            id="two sets",
        ),
        pytest.param({"train.max_epoch": 1}, r"train\.max_epochs", id="an unknown key"),
        pytest.param({"train.num_processes": "two"}, r"train\.num_processes .* 'two'", id="a word"),
        pytest.param({"train.samples.zoom": [0, 1]}, r"train\.samples\.zoom must be", id="samples"),
        pytest.param(
            {"model.reading.min_score": 7}, r"model\.reading\.min_score must be", id="reading"
        ),
        pytest.param({"model.sizes.crop": [9, 9]}, r"model\.sizes\.crop", id="sizes"),
        pytest.param({"model.type": "NoNet"}, r"model\.type: 'NoNet'", id="no such model"),
        pytest.param({"dataset.draw.clean": 9}, r"dataset\.draw\.clean must be", id="drawing"),
    ],
)
def test_refused(overrides: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run_config("plate_training", overrides)


def test_split_that_is_not_named(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"dataset": {"split": {"train": 0.9, "val": 0.1}}}))
    with pytest.raises(ConfigError, match=r"dataset\.split\.test"):
        run_config(str(file))


def test_what_is_not_drawn_is_not_looked_at() -> None:
    config = {"dataset.draw.clean": 9.0}
    for source in ("version", "annotations"):
        run_config("plate_training", {**config, f"dataset.{source}": "v3"})


def test_fonts_of_another_machine() -> None:
    run_config("plate_training", {"dataset.draw.fonts": ["/volume/fonts/own.ttf"]})


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        pytest.param("train", {"samples": None}, r"^train\.samples must be a table", id="no table"),
        pytest.param("train", {"lr": "2e-3"}, r"^train\.lr must be .*, not '2e-3'$", id="a text"),
        pytest.param("train", {"memory": 1}, r"^train\.memory\.skip_validation is", id="a number"),
        pytest.param(
            "model", {"reading": {}}, r"^model\.reading\.min_heat is missing$", id="empty"
        ),
        pytest.param("model", {"sizes": None}, r"^model\.sizes: ", id="no sizes"),
        pytest.param("model", {"reading": None}, r"^model: ", id="no reading"),
    ],
)
def test_a_config_of_the_wrong_shape(part: str, value: dict[str, Any], words: str) -> None:
    config = load_config("plate_training")
    with pytest.raises(ConfigError, match=words):
        run_config({**config, part: {**config[part], **value}})


def test_settings_of_another_model() -> None:
    assert "contrast" in run_config("mask_rcnn_nano")["train"]["samples"]
    with pytest.raises(ConfigError, match=r"model\.reading\.overlap must be from 0 to 1"):
        run_config("mask_rcnn_nano", {"model.reading.overlap": 2})


def test_every_key_is_a_figure() -> None:
    config = run_config("plate_training", {"evaluate.keys": list(METRICS)})
    assert config["evaluate"]["keys"] == list(METRICS)
    assert set(METRICS) < set(FIGURES)
    assert tuple(scores_of(Evaluation(0.5, 0.5, score_readings([], []), (), ()))) == FIGURES


def test_calibration_of_a_model_that_takes_none() -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.calibrate: model\.reading"):
        run_config("mask_rcnn_nano", {"evaluate.calibrate": True})
    assert run_config("plate_training", {"evaluate.calibrate": True})["evaluate"]["calibrate"]
