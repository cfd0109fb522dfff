"""Checkpoints: one file that says everything needed to build the model again."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.fileio import LocalBackend, register_backend

import sub_module.models.mask_rcnn_swin.model
import sub_module.models.platenet.model  # noqa: F401 - a family registers itself when imported
from sub_module.errors import ModelError, PlateflowError
from sub_module.files import write_bytes
from sub_module.models.base import PlateModel
from sub_module.models.registry import MODELS
from sub_module.models.weights import check_weights
from sub_module.plates import PlateStandard

FORMAT = 1
_KEY = "plateflow"


@register_backend("atomic")
class AtomicBackend(LocalBackend):  # type: ignore[misc]
    """mmengine's local files, but a file appears whole or not at all."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """See `files.write_bytes`."""
        write_bytes(Path(filepath), obj)


def build_model(model_config: Mapping[str, Any], standard: PlateStandard) -> PlateModel:
    """Build a model with random weights.

    Args:
        model_config: `model` of a config; only names in Plateflow's own registry are built.
        standard: The plates that it reads.

    Raises:
        ModelError: The type is unknown or the arguments do not fit it.
    """
    arguments = dict(model_config)
    name = str(arguments.pop("type", "")).rsplit(".", 1)[-1]
    model_type = MODELS.module_dict.get(name)
    if model_type is None:
        known = ", ".join(sorted(MODELS.module_dict))
        raise ModelError(f"model.type: {name!r} is none of: {known}")
    try:
        model: PlateModel = model_type(plates=standard.to_config(), **arguments)
    except PlateflowError:
        raise
    except (TypeError, KeyError, ValueError, OverflowError, RuntimeError) as error:
        raise ModelError(f"model {name}: {str(error).splitlines()[0]}") from error
    return model


def description(model_config: Mapping[str, Any], standard: PlateStandard) -> dict[str, Any]:
    """What a checkpoint says of its model, as plain data."""
    return {
        "format": FORMAT,
        "model": dict(model_config),
        "standard": standard.to_config(),
        "classes": list(standard.classes),
    }


def attach(checkpoint: dict[str, Any], model_description: Mapping[str, Any]) -> None:
    """Put a `description` into a checkpoint of mmengine's that is about to be saved.

    What the Runner keeps beside weights is made plain data (its log history, which is in the logs
    too, is left out), so that the file loads under torch's `weights_only`.
    """
    hub = checkpoint["message_hub"]
    plain = {
        k: v.item() if isinstance(v, np.generic) else v for k, v in hub["runtime_info"].items()
    }
    checkpoint["message_hub"] = {**hub, "log_scalars": {}, "runtime_info": plain}
    checkpoint[_KEY] = dict(model_description)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load a checkpoint to the CPU, trusting nothing in it.

    Raises:
        ModelError: It is missing, damaged, or not of this software.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except Exception as error:  # a damaged file fails in torch, zipfile or pickle, each its way
        raise ModelError(f"{path}: damaged, or no checkpoint") from error
    whole = isinstance(checkpoint, dict) and {"state_dict", _KEY} <= checkpoint.keys()
    if not whole or not isinstance(checkpoint[_KEY], dict):
        raise ModelError(f"{path}: no checkpoint of Plateflow")
    if checkpoint[_KEY].get("format") != FORMAT:
        raise ModelError(
            f"{path}: checkpoint of format {checkpoint[_KEY].get('format')}, not {FORMAT}"
        )
    return dict(checkpoint)


def load_model(path: Path) -> PlateModel:
    """Build the model of a checkpoint, from the file alone, in evaluation mode.

    It takes memory only for weights that the file has.

    Raises:
        ModelError: See `load_checkpoint`; or the weights do not fit the description.
    """
    checkpoint = load_checkpoint(path)
    try:
        own = PlateStandard.from_config(checkpoint[_KEY]["standard"])
        weights = dict(checkpoint["state_dict"])
        # A description of few bytes can ask for all memory; on this device it gets none.
        with torch.device("meta"):
            wanted = build_model(checkpoint[_KEY]["model"], own).state_dict()
    except (PlateflowError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"{path}: {str(error).splitlines()[0]}") from error
    check_weights(path, weights, wanted)
    model = build_model(checkpoint[_KEY]["model"], own)
    model.load_state_dict(weights)
    model.eval()
    return model


def model_config_of(path: Path) -> dict[str, Any]:
    """What the model of a checkpoint was built from.

    Raises:
        ModelError: See `load_checkpoint`.
    """
    return dict(load_checkpoint(path)[_KEY]["model"])


def publish(source: Path, target: Path) -> None:
    """Copy a training checkpoint without what only training needs; `target` appears at once.

    Raises:
        ModelError: See `load_checkpoint`.
        OSError: `target` cannot be written.
    """
    checkpoint = load_checkpoint(source)
    # Through memory: torch reports a full disk as a RuntimeError.
    content = io.BytesIO()
    kept = {key: checkpoint[key] for key in ("state_dict", _KEY)}
    # One that was saved within an epoch says another number.
    epoch = checkpoint.get("meta", {}).get("epoch") if "epoch" in source.stem else None
    torch.save({**kept, "meta": {"epoch": epoch}}, content)
    write_bytes(target, content.getvalue())
