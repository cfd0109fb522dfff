"""What `train.samples` of platenet may be, and that a model looks at it before any image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sub_module.engine.checkpoint import build_model
from sub_module.errors import ConfigError
from sub_module.models.platenet.sample_settings import check_samples
from tests.standards import tiny_standard
from tests.sub_module.small import SAMPLES, small_config


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zoom", [0, 1]),
        ("zoom", [1.2, 0.8]),
        ("zoom", [0.8, 1.0, 1.2]),
        ("zoom", 1.0),
        ("zoom", ["0.8", 1.2]),
        ("shift", -0.1),
        ("shift", float("nan")),
        ("shift", [0.1, 0.2]),
        ("mirror", 1.5),
        ("mirror", True),
        ("crops_per_plate", -1),
        ("strips_per_row", 1.5),
        ("empty_crops_per_image", None),
        ("empty_strips_per_image", "1"),
        ("no_plates_per_image", -1),
        ("no_plates_per_image", [1]),
        ("empty_tries", 0),
        ("turned_crops", 2),
        ("turned_strips", -0.5),
        ("crop_jitter", -0.1),
        ("crop_jitter", 0.31),
        ("strip_jitter", [0.1]),
        ("strip_jitter", [0.1, -0.1]),
        ("strip_margin", [-0.5, 0.0]),
        ("strip_gamma", [0, 1]),
        ("strip_gamma", []),
    ],
)
def test_what_no_samples_can_be_made_with(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^train\.samples\.{name} must be .* to .*, not "):
        check_samples({**SAMPLES, name: value})


def test_the_ends_of_what_is_allowed() -> None:
    check_samples(SAMPLES)
    check_samples({**SAMPLES, "zoom": [0.1, 10], "shift": 0, "mirror": 1, "crops_per_plate": 0})
    check_samples({**SAMPLES, "crop_jitter": [0, 0.3], "strip_jitter": 0.3, "empty_tries": 1})
    check_samples({**SAMPLES, "strip_margin": (-0.25, 1), "strip_gamma": [1, 1]})


def test_a_setting_too_few_or_too_many() -> None:
    with pytest.raises(ConfigError, match=r"^train\.samples\.mirror is missing$"):
        check_samples({name: value for name, value in SAMPLES.items() if name != "mirror"})
    with pytest.raises(ConfigError, match=r"^train\.samples\.miror is unknown$"):
        check_samples({**SAMPLES, "miror": 0.5})
    for value in (None, [], 3):
        with pytest.raises(ConfigError, match=r"^train\.samples must be a table of keys, not "):
            check_samples(value)
    with pytest.raises(ConfigError, match="is missing"):
        check_samples({})


def test_a_model_refuses_them_before_it_looks_for_images(tmp_path: Path) -> None:
    standard = tiny_standard()
    model = build_model(small_config(standard)["model"], standard)
    with pytest.raises(ConfigError, match=r"train\.samples\.zoom"):
        model.training_set(tmp_path / "none.json", {**SAMPLES, "zoom": [0, 1]})
