"""What a training wrote down."""

from __future__ import annotations

import json
from pathlib import Path


def scalars(work_dir: Path) -> list[dict[str, float]]:
    """The figures of all sessions in order, one table a log line."""
    files = sorted(work_dir.glob("*/vis_data/scalars.json"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def iterations(work_dir: Path) -> list[int]:
    """The iterations of all sessions in order; `log_interval` is 1."""
    return [int(record["iter"]) for record in scalars(work_dir) if "loss" in record]


def log_text(work_dir: Path) -> str:
    """The log files of all sessions."""
    return "".join(file.read_text() for file in sorted(work_dir.glob("*/*.log")))
