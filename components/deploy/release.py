"""Export of a checkpoint, and the model directory that readers use."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from components.step import Step
from sub_module.export.agreement import check_same_readings
from sub_module.export.onnx import export


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
    version = f"{run}-{_content_hash(exported)}"
    target = models / version
    models.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        partial = models / f".{version}.partial-{os.getpid()}"
        try:
            shutil.copytree(exported, partial)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    link = models / f".current.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(version)
    os.replace(link, models / "current")
    return target


def _content_hash(directory: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(str(file.relative_to(directory)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:8]
