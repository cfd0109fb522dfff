"""Sets drawn for tests."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from dataset_tools.draw import draw_dataset
from tests.standards import kr_standard
from tests.sub_module.small import DATASET

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def draw(out: Path, num_images: int = 10, **changes: Any) -> None:
    arguments: dict[str, Any] = {
        "seed": 5,
        "standard": kr_standard(),
        "settings": DATASET["draw"],
        "shares": SHARES,
        "num_processes": 1,
    }
    draw_dataset(out, num_images, **{**arguments, **changes})


def digests(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
