"""What a training logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def logged(work_dir: Path) -> Iterator[dict[str, Any]]:
    """Every record of all sessions of a training, oldest first: of training, and of validations.

    Args:
        work_dir: The training's.
    """
    for log in sorted(work_dir.glob("*/vis_data/scalars.json")):
        for line in log.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                # Half a line: a kill left it, or it is being written.
                continue
