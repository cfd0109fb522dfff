"""The config of a run: loaded and checked before any work, so that nothing fails after training."""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from sub_module.engine.config import load_config, parse_overrides
from sub_module.engine.train_settings import METRICS, check_model_settings, check_train_settings
from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard

# What a model is measured by; a model without masks has no dv_mAP.
FIGURES = ("mAP", "dv_mAP", "EIR", "wrong_share", "num_images", "num_plates")
_SPLITS = ("train", "val", "test")


def run_config(
    config: str | Mapping[str, Any], overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`load_config`, and what steps after the training would stumble over is refused.

    What the config says of a cluster is left out: it says where steps run, not what they do.

    Raises:
        ConfigError: As `load_config` says; or a key of `evaluate.keys` is no figure to choose by,
            the model takes no calibration though `evaluate.calibrate` asks for one, a setting of
            `train` or of `model.reading` is out of its range, a split of the data is to be empty, a
            name in `dataset` is none or one too many, or nothing can be drawn as `dataset.draw`
            says, where it is to be.
    """
    resolved = load_config(config, overrides)
    resolved.pop("cluster", None)
    for key in resolved.get("evaluate", {}).get("keys", []):
        if key not in METRICS:
            raise ConfigError(f"evaluate.keys: {key!r} is none of: {', '.join(METRICS)}")
    wanted = resolved.get("evaluate", {}).get("calibrate", False)
    if wanted and "calibration" not in resolved["model"]["reading"]:
        raise ConfigError("evaluate.calibrate: model.reading of this family has no calibration")
    if "train" in resolved:
        check_train_settings(resolved["train"])
    check_model_settings(resolved)
    _check_dataset(resolved.get("dataset", {}))
    _check_drawing(resolved)
    return resolved


def _check_dataset(dataset: Mapping[str, Any]) -> None:
    shares: Any = dataset.get("split")
    for split in _SPLITS if shares is not None else ():
        if not shares.get(split, 0) > 0:
            raise ConfigError(
                f"dataset.split.{split} must be above 0: a run needs images to train (train), to "
                "choose (val) and to test (test) a model"
            )
    version = dataset.get("version")
    for key, name in (("version", version or "v1"), ("category", dataset.get("category", "all"))):
        if not isinstance(name, str):
            # YAML takes 2024 for a number.
            raise ConfigError(f"dataset.{key}: expected a name in quotes, got {json.dumps(name)}")
    if version is not None and dataset.get("annotations") is not None:
        raise ConfigError("dataset.version and dataset.annotations name a set each: give one")


def _check_drawing(config: Mapping[str, Any]) -> None:
    dataset = config.get("dataset", {})
    is_drawn = dataset.get("version") is None and dataset.get("annotations") is None
    if is_drawn and "draw" in dataset and "plates" in config:
        # It takes its time to import.
        from dataset_tools.draw.settings import check_values

        # The fonts may lie where the run is, and not here.
        check_values(dataset["draw"], PlateStandard.from_config(config["plates"]))


def read_overrides(file: Path | None) -> dict[str, Any]:
    """Overrides from a YAML or JSON file: a mapping of dotted keys to values; none from None.

    Raises:
        ConfigError: The file cannot be read, or is no such mapping; the message names file and key.
    """
    if file is None:
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {getattr(error, 'strerror', None) or 'not text'}") from error
    except (yaml.YAMLError, ValueError) as error:
        # A ValueError is a date that does not exist.
        raise ConfigError(f"{file}: not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{file}: expected config keys and values, such as `train.lr: 0.001`")
    overrides: dict[str, Any] = {}
    for key, value in content.items():
        if not isinstance(key, str):
            raise ConfigError(f"{file}: {key!r} is no config key")
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            kind = type(value).__name__
            raise ConfigError(f"{file}: {key}: a {kind} that no config can hold") from error
        # JSON is YAML, and --set says what a number is.
        overrides |= parse_overrides([f"{key}={text}"])
    return overrides


@contextmanager
def named_by(
    file: Path | None, overrides: Mapping[str, Any], won_over: Container[str] = ()
) -> Iterator[None]:
    """Let an error that is about one of a file's overrides name the file.

    Args:
        file: The file; None: there is none.
        overrides: Its.
        won_over: Keys whose value is another's, given by --set.

    Raises:
        ConfigError: As it was raised inside, with the file's name before it.
    """
    try:
        yield
    except ConfigError as error:
        keys = [key for key in overrides if key not in won_over]
        if file is not None and any(key in str(error) for key in keys):
            raise ConfigError(f"{file}: {error}") from error
        raise
