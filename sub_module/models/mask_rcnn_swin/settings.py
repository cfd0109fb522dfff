"""What `model` of a config may say; `configs/models/mask_rcnn_swin_tiny.py` explains each key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sub_module.errors import ConfigError
from sub_module.models.ranges import check_ranges, value_of

# See `check_ranges`. Upper limits keep a config from asking for what no machine has; what a model
# file asks for is held to what it has (`engine.checkpoint.load_model`).
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


_READING = {name: limits for name, limits in _RANGES.items() if name.startswith("reading.")}
_KNOWN = {"input_size", *_RANGES}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse settings that no model can be built from; `canvas_size` looks at `input_size`.

    Raises:
        ConfigError: One is missing, unknown or out of its range; the message names it.
    """
    value_of(settings, "input_size")
    check_ranges(settings, _RANGES)
    unknown = [name for name in _names(settings) if name not in _KNOWN]
    if unknown:
        raise ConfigError(f"model.{unknown[0]}: there is no such setting")
    if settings["proposals"]["negative_iou"] > settings["proposals"]["positive_iou"]:
        raise ConfigError("model.proposals: negative_iou must not be above positive_iou")


def check_reading(settings: Mapping[str, Any]) -> None:
    """Refuse what no reader can be built from.

    Raises:
        ConfigError: A number in `reading` is missing, none or out of its range.
    """
    check_ranges(settings, _READING)


def _names(settings: Mapping[str, Any]) -> Iterator[str]:
    """Dotted names of settings and of those in groups."""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from (f"{key}.{inner}" for inner in value)
        else:
            yield key
