"""What `model` of a config may say; `configs/models/mask_rcnn_swin_tiny.py` explains each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sub_module.errors import ConfigError

# Lowest and highest value; where a key holds a list, of each number in it. Upper limits keep a
# model file, which is untrusted input, from asking for all memory.
_RANGES: dict[str, tuple[float, float]] = {
    "embed_dim": (8, 512),
    "depths": (1, 64),
    "num_heads": (1, 128),
    "swin_window_size": (2, 32),
    "swin_mlp_ratio": (0.5, 16),
    "swin_drop_rate": (0, 0.9),
    "drop_path": (0, 0.9),
    "fpn_channels": (8, 1024),
    "anchors.sizes": (1, 4096),
    "anchors.ratios": (0.01, 100),
    "proposals.positive_iou": (0, 1),
    "proposals.negative_iou": (0, 1),
    "proposals.samples": (2, 4096),
    "proposals.before_nms_train": (1, 20000),
    "proposals.after_nms_train": (1, 20000),
    "proposals.before_nms_test": (1, 20000),
    "proposals.after_nms_test": (1, 20000),
    "proposals.overlap": (0, 1),
    "box_head.num_convs": (0, 8),
    "box_head.width": (8, 8192),
    "box_head.samples": (2, 4096),
    "box_head.positive_share": (0.01, 1),
    "mask_head.channels": (8, 1024),
    "mask_head.num_convs": (1, 8),
    "detections.min_score": (0, 1),
    "detections.overlap": (0, 1),
    "detections.max_number": (1, 2000),
    "reading.min_score": (0, 1),
    "reading.overlap": (0, 1),
    "loss_weights.loss_objectness": (0, 1000),
    "loss_weights.loss_rpn_box_reg": (0, 1000),
    "loss_weights.loss_classifier": (0, 1000),
    "loss_weights.loss_box_reg": (0, 1000),
    "loss_weights.loss_mask": (0, 1000),
}
LOSSES = tuple(key.split(".")[1] for key in _RANGES if key.startswith("loss_weights."))


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that no model can be built from.

    Raises:
        ConfigError: One is missing, unknown or out of its range; the message names it.
    """
    for name, (low, high) in _RANGES.items():
        for value in _numbers(_value(settings, name), name):
            if not low <= value <= high:
                raise ConfigError(f"model.{name} must be from {low} to {high}, not {value}")
    groups = {name.split(".")[0] for name in _RANGES if "." in name}
    unknown = [
        f"{group}.{key}"
        for group in sorted(groups)
        for key in settings[group]
        if f"{group}.{key}" not in _RANGES
    ]
    if unknown:
        raise ConfigError(f"model.{unknown[0]}: there is no such setting")
    if settings["proposals"]["negative_iou"] > settings["proposals"]["positive_iou"]:
        raise ConfigError("model.proposals: negative_iou must not be above positive_iou")


def _value(settings: Mapping[str, Any], name: str) -> Any:
    value: Any = settings
    for key in name.split("."):
        if not isinstance(value, Mapping) or key not in value:
            raise ConfigError(f"model.{name} is missing")
        value = value[key]
    return value


def _numbers(value: Any, name: str) -> Iterator[float]:
    """A number, or those in a list of numbers or of lists."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _numbers(item, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value
    else:
        raise ConfigError(f"model.{name} must be a number, not {value!r}")
