"""Where a training that was cut off goes on."""

from __future__ import annotations

import logging
from pathlib import Path

from sub_module.engine.checkpoint import load_checkpoint
from sub_module.errors import ModelError


def last_whole_checkpoint(work_dir: Path) -> Path | None:
    """The newest checkpoint of a training, after an epoch or within one, that can be loaded."""
    files = [*work_dir.glob("epoch_*.pth"), *work_dir.glob("iter_*.pth")]
    for path in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        try:
            load_checkpoint(path)
            return path
        except ModelError as error:
            logging.getLogger(__name__).warning("not resuming from a checkpoint: %s", error)
    return None
