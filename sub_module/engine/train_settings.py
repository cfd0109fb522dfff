"""What `train` of a config may say (`configs/schedules/cpu_minutes.py` explains each key).

No torch in here: whoever starts a run somewhere else need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from sub_module.errors import ConfigError
from sub_module.models.platenet.sample_settings import check_samples
from sub_module.models.reader import Networks, build_reader
from sub_module.plates import PlateStandard

METRICS = ("EIR", "mAP", "dv_mAP")
# What may be said by a word.
_CHOICES = {
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "best_metric": METRICS,
    "val_unit": ("epoch", "iteration"),
}
_PATHS = ("weights", "backbone_weights")
_MEMORY = ("skip_validation", "stop")
# Lowest and highest value; None: no limit.
_RANGES: dict[str, tuple[float, float | None]] = {
    "max_epochs": (1, None),
    "batch_size": (1, None),
    "val_interval": (1, None),
    "log_interval": (1, None),
    "accumulate": (1, None),
    "num_workers": (0, None),
    "num_pictures": (0, None),
    "warm_up_iters": (0, None),
    "seed": (0, 2**31 - 1),
    "lr": (1e-9, 10.0),
    "weight_decay": (0.0, 1.0),
    "max_grad_norm": (1e-6, None),
    "first_lr": (1e-6, 1.0),
    "final_lr": (0.0, 1.0),
}
# Model type to what looks at its `train.samples`; those of other types are looked at in training.
_SAMPLES: dict[str, Callable[[Any], None]] = {"PlateNet": check_samples}


def check_train_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that cannot be trained with.

    Raises:
        ConfigError: One is missing or out of its range; the message names it.
    """
    for name, (low, high) in _RANGES.items():
        value = _get(settings, name)
        if not _is_number(value) or not low <= value or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ConfigError(f"train.{name} must be {limits}, not {value!r}")
    for name, choices in _CHOICES.items():
        if _get(settings, name) not in choices:
            known = ", ".join(choices)
            raise ConfigError(f"train.{name} must be one of {known}, not {settings[name]!r}")
    if not isinstance(_get(settings, "deterministic"), bool):
        raise ConfigError(
            f"train.deterministic must be true or false, not {settings['deterministic']!r}"
        )
    for name in _PATHS:
        if not isinstance(_get(settings, name), str | None):
            raise ConfigError(f"train.{name} must be a path or null, not {settings[name]!r}")
    if all(settings[name] is not None for name in _PATHS):
        raise ConfigError("train.weights has a backbone: train.backbone_weights must be null")
    for name in _MEMORY:
        share = _get(_get(settings, "memory"), name, "train.memory")
        if not _is_number(share) or not 0 < share <= 1:
            raise ConfigError(f"train.memory.{name} must be above 0 and at most 1, not {share!r}")
    processes = _get(settings, "num_processes")
    if processes is not None and (not _is_number(processes) or processes < 1):
        raise ConfigError(f"train.num_processes must be at least 1 or null, not {processes!r}")
    if settings["batch_size"] < (processes or 1):
        raise ConfigError(
            f"train.batch_size {settings['batch_size']} leaves no image for some of the "
            f"{processes} processes"
        )


def check_model_settings(config: Mapping[str, Any]) -> None:
    """Refuse what the model of a config could not read plates with, or not be trained with.

    Args:
        config: A pipeline config; what it lacks is not looked at.

    Raises:
        ConfigError: A setting of `train.samples` or of what the reader is told is missing, unknown
            or out of its range; or there is no such model.
    """
    if "model" not in config or "plates" not in config:
        return
    model, standard = config["model"], PlateStandard.from_config(config["plates"])
    try:
        # It is asked, and never reads.
        build_reader(model, standard, cast(Networks, None))
    except KeyError as error:
        raise ConfigError(f"model: key {error} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"model: {error}") from error
    check = _SAMPLES.get(model["type"].rsplit(".", 1)[-1])
    if check is not None and "train" in config:
        check(_get(config["train"], "samples"))


def _get(table: Any, name: str, where: str = "train") -> Any:
    if not isinstance(table, Mapping) or name not in table:
        raise ConfigError(f"{where}.{name} is missing")
    return table[name]


def _is_number(value: Any) -> bool:
    # True and False are whole numbers to Python.
    return isinstance(value, int | float) and not isinstance(value, bool)
