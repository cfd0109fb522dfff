"""A mask_rcnn_swin that trains a step in a blink, and samples for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sub_module.engine.checkpoint import build_model
from sub_module.engine.config import load_config
from sub_module.models.mask_rcnn_swin.model import MaskRCNNSwin
from sub_module.plates import PlateStandard

# No chance but the order of the images.
SAMPLES = {"zoom": [1.0, 1.0], "shift": 0.0, "contrast": 0.0, "brightness": 0.0}
_MICRO = {
    "model.input_size": [128, 96],
    "model.embed_dim": 16,
    "model.depths": [2, 1, 1, 1],
    "model.num_heads": [1, 2, 4, 8],
    "model.fpn_channels": 16,
    "model.anchors.sizes": [[6], [12], [24], [64]],
    "model.proposals.samples": 64,
    "model.proposals.before_nms_train": 60,
    "model.proposals.after_nms_train": 60,
    "model.proposals.before_nms_test": 60,
    "model.proposals.after_nms_test": 40,
    "model.box_head.num_convs": 1,
    "model.box_head.width": 64,
    "model.box_head.samples": 48,
    "model.mask_head.channels": 16,
    "model.mask_head.num_convs": 1,
}


def micro_config(**changes: Any) -> dict[str, Any]:
    """`model` of the nano config, much smaller still.

    Args:
        changes: Settings by name, two underscores for a dot: `detections__min_score=0.5`.
    """
    overrides = {f"model.{key.replace('__', '.')}": value for key, value in changes.items()}
    config: dict[str, Any] = load_config("mask_rcnn_nano", {**_MICRO, **overrides})["model"]
    return config


def micro_model(standard: PlateStandard, **changes: Any) -> MaskRCNNSwin:
    """A model of `micro_config`, with random weights."""
    model = build_model(micro_config(**changes), standard)
    assert isinstance(model, MaskRCNNSwin)
    return model


def batch_of(model: MaskRCNNSwin, training_set: Path, *indices: int) -> dict[str, Any]:
    """Images of a recorded training set as a batch, always alike."""
    samples = model.training_set(training_set / "train.json", SAMPLES)
    return model.collate([samples[index] for index in indices])
