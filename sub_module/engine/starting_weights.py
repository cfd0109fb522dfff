"""Weights to start from that are not random."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sub_module.engine.checkpoint import load_checkpoint
from sub_module.errors import ModelError, PlateflowError
from sub_module.models.base import PlateModel
from sub_module.models.weights import check_weights
from sub_module.plates import PlateStandard


def load_starting_weights(model: PlateModel, settings: Mapping[str, Any]) -> None:
    """Give a model the weights that `train` of a config names, if it names any.

    Args:
        model: Its weights change.
        settings: `weights` and `backbone_weights` are paths or None.

    Raises:
        ModelError: A file is missing or damaged, or its weights do not fit the model.
        ConfigError: The model has no pretrained backbone.
    """
    if settings["backbone_weights"] is not None:
        model.load_backbone(Path(settings["backbone_weights"]))
    if settings["weights"] is not None:
        load_weights(model, Path(settings["weights"]))


def load_weights(model: PlateModel, path: Path) -> None:
    """Load the weights of a checkpoint of the same model family and plate standard.

    Raises:
        ModelError: See `load_starting_weights`; what differs is named.
    """
    checkpoint = load_checkpoint(path)
    told = checkpoint["plateflow"]
    try:
        theirs = PlateStandard.from_config(told["standard"])
        family = str(told["model"]["type"]).rsplit(".", 1)[-1]
        weights = dict(checkpoint["state_dict"])
    except (PlateflowError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: {str(error).splitlines()[0]}") from error
    ours = model.standard
    if theirs.fingerprint != ours.fingerprint:
        raise ModelError(
            f"{path}: trained for the plate standard {theirs.name} ({theirs.fingerprint}), "
            f"not {ours.name} ({ours.fingerprint})"
        )
    if family != type(model).__name__:
        raise ModelError(f"{path}: a {family}, but the config's model is a {type(model).__name__}")
    check_weights(path, weights, model.state_dict())
    model.load_state_dict(weights)
