"""Export of a checkpoint, and the model directory that readers use."""

from __future__ import annotations

import shutil
from pathlib import Path

from components.step import Step
from sub_module.export.agreement import check_same_readings
from sub_module.export.onnx import export
from sub_module.files import appearing, point, tree_hash


def export_checked(step: Step, checkpoint: Path, val: Path) -> tuple[Path, float]:
    """Export into the step's folder and compare with the checkpoint on the images of `val`.

    Returns:
        The exported model, and the share of images that it reads otherwise.

    Raises:
        ModelError: That share is above `deploy.max_different`.
    """
    exported = step.empty_folder() / "model"
    export(checkpoint, exported)
    allowed = step.config["deploy"]["max_different"]
    different = check_same_readings(checkpoint, exported, val, allowed, step.progress)
    return exported, different


def put_in_place(exported: Path, models: Path, run: str) -> Path:
    """Copy a model to `models/<run>-<content hash>` and point `models/current` at it.

    Both appear at once: a reader finds the old model or the new one.

    Returns:
        The model's directory.
    """
    version = f"{run}-{tree_hash(exported)[:8]}"
    target = models / version
    if not target.exists():
        with appearing(target) as partial:
            shutil.copytree(exported, partial, dirs_exist_ok=True)
    point(models / "current", version)
    return target
