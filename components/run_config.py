"""The config of a run: loaded and checked before any work, so that nothing fails after training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sub_module.engine.config import load_config
from sub_module.engine.train_settings import check_train_settings
from sub_module.errors import ConfigError

# What a model is measured by; a model without masks has no dv_mAP.
FIGURES = ("mAP", "dv_mAP", "EIR", "wrong_share", "num_images", "num_plates")
# Those of which more is better, so that a candidate can be chosen by them.
KEYS = ("mAP", "dv_mAP", "EIR")
_SPLITS = ("train", "val", "test")


def run_config(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`load_config`, and what steps after the training would stumble over is refused.

    Raises:
        ConfigError: As `load_config` says; or a key of `evaluate.keys` is no figure to choose by, a
            setting of `train` is out of its range, or a split of the data is to be empty.
    """
    config = load_config(name_or_path, overrides)
    for key in config.get("evaluate", {}).get("keys", []):
        if key not in KEYS:
            raise ConfigError(f"evaluate.keys: {key!r} is none of: {', '.join(KEYS)}")
    if "train" in config:
        check_train_settings(config["train"])
    shares = config.get("dataset", {}).get("split")
    for split in _SPLITS if shares is not None else ():
        if not shares.get(split, 0) > 0:
            raise ConfigError(
                f"dataset.split.{split} must be above 0: a run needs images to train (train), to "
                "choose (val) and to test (test) a model"
            )
    return config
