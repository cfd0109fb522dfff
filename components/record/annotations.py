"""The annotation set of a run: the user's own, or one drawn for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from components.user_data import ANNOTATIONS, PHOTOS, user_data
from dataset_tools import draw as drawing_package
from dataset_tools.draw import draw_dataset
from sub_module.files import listing_hash, tree_hash
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent


def annotation_set(config: Mapping[str, Any], volume: Path, progress: Progress = silent) -> Path:
    """The directory of annotations that a config names; drawn first when it names none.

    Runs with equal drawing settings share one drawn set under `datasets/` of the volume.

    Args:
        config: `plates` and `dataset` are used.
        volume: What all steps share.
        progress: Told of images drawn.

    Raises:
        DataError: The named directory does not exist, or the set cannot be drawn.
    """
    named = user_data(config, volume)
    if ANNOTATIONS in named:
        return named[ANNOTATIONS]
    return _drawn(config, volume, named.get(PHOTOS), progress)


def _drawn(
    config: Mapping[str, Any], volume: Path, photos: Path | None, progress: Progress
) -> Path:
    standard = PlateStandard.from_config(config["plates"])
    draw, shares = config["dataset"]["draw"], config["dataset"]["split"]

    def drawing(done: int, total: int, text: str) -> None:
        progress(done, total, f"drawing {text}")

    out = volume / "datasets" / f"drawn-{_digest(standard, config['dataset'], photos)}"
    out.parent.mkdir(parents=True, exist_ok=True)
    # On a cluster two runs may ask for the same set at once.
    with FileLock(out.with_name(f".{out.name}.lock")):
        if not out.exists():
            draw_dataset(
                out,
                draw["num_images"],
                draw["seed"],
                standard,
                draw,
                shares,
                photos,
                progress=drawing,
            )
    return out


def _digest(standard: PlateStandard, dataset: Mapping[str, Any], photos: Path | None) -> str:
    made_from = [
        standard.fingerprint,
        dataset["draw"],
        dataset["split"],
        photos and listing_hash(photos),
        # Edited drawing draws other plates.
        tree_hash(Path(drawing_package.__path__[0]), "*.py"),
    ]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
