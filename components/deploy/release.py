"""Export of a checkpoint, and the model directory that readers use."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from components.step import Step
from sub_module.errors import ModelError
from sub_module.export.agreement import check_same_readings
from sub_module.export.onnx import export
from sub_module.export.variants import add_variant
from sub_module.files import appearing, point, tree_hash


def export_checked(step: Step, checkpoint: Path, val: Path) -> tuple[Path, float]:
    """Export into the step's folder and compare with the checkpoint on the images of `val`.

    The precisions of `deploy.variants` are added; one that reads worse there is left out.

    Returns:
        The exported model, and the share of images that it reads otherwise.

    Raises:
        ModelError: That share is above `deploy.max_different`.
    """
    exported = step.empty_folder() / "model"
    export(checkpoint, exported)
    allowed = step.config["deploy"]["max_different"]
    different = check_same_readings(checkpoint, exported, val, allowed, step.progress)
    _add_variants(step, exported, val)
    return exported, different


def _add_variants(step: Step, exported: Path, val: Path) -> None:
    settings = step.config["deploy"]
    # Not the images that EIR is measured on.
    calibration = val.with_name("train.json")
    for precision in settings["variants"]:
        allowed = settings["max_eir_loss"]
        try:
            add_variant(exported, precision, calibration, val, allowed, step.progress)
        except ModelError as error:
            print(f"deployed without {precision}: {error}")


def put_in_place(exported: Path, models: Path, run: str) -> Path:
    """Copy a model to `models/<run>-<content hash>` and point `models/current` at it.

    Both appear at once: a reader finds the old model or the new one. `models/previous` points at
    the one that was in use.

    Returns:
        The model's directory.
    """
    target = copied(exported, models, run)
    _use(models, target.name)
    return target


def copied(exported: Path, models: Path, run: str) -> Path:
    """A model's copy `models/<run>-<content hash>`, which appears at once."""
    target = models / f"{run}-{tree_hash(exported)[:8]}"
    if not target.exists():
        with appearing(target) as partial:
            shutil.copytree(exported, partial, dirs_exist_ok=True)
    return target


def roll_back(models: Path) -> Path:
    """Use `models/previous` again, in exchange with the one in use; gives its directory.

    Raises:
        ModelError: There is none.
    """
    previous = models / "previous"
    if not previous.is_dir():
        raise ModelError(f"{models}: no model was in use before this one")
    target = previous.resolve()
    _use(models, target.name)
    return target


def _use(models: Path, version: str) -> None:
    current = models / "current"
    if current.is_symlink() and os.readlink(current) != version:
        point(models / "previous", os.readlink(current))
    point(current, version)
