"""What a run's config is refused for before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.evaluate.candidates import scores_of
from components.run_config import FIGURES, run_config
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


def test_every_key_is_a_figure() -> None:
    config = run_config("plate_training", {"evaluate.keys": list(METRICS)})
    assert config["evaluate"]["keys"] == list(METRICS)
    assert set(METRICS) < set(FIGURES)
    assert tuple(scores_of(Evaluation(0.5, 0.5, score_readings([], []), (), ()))) == FIGURES


def test_calibration_of_a_model_that_takes_none() -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.calibrate: model\.reading"):
        run_config("mask_rcnn_nano", {"evaluate.calibrate": True})
    assert run_config("plate_training", {"evaluate.calibrate": True})["evaluate"]["calibrate"]
