"""The directory of models that readers use, and which of them is in use."""

# Without torch, which `deploy` would wait for.

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sub_module.errors import ModelError
from sub_module.files import appearing, point, tree_hash


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
