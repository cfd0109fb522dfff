"""The annotation set of a run: the user's own, or one drawn for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from components.step import Step
from dataset_tools.draw import draw_dataset
from sub_module.errors import DataError
from sub_module.files import listing_hash


def annotation_set(step: Step) -> Path:
    """The directory of annotations that the run's config names; drawn first when it names none.

    Runs with equal drawing settings share one drawn set under `datasets/` of the volume.

    Raises:
        DataError: The named directory does not exist, or the set cannot be drawn.
    """
    dataset = step.config["dataset"]
    if dataset["annotations"] is not None:
        return _directory(step, "dataset.annotations", dataset["annotations"])
    draw = dataset["draw"]
    photos = None
    if draw["photos"] is not None:
        photos = _directory(step, "dataset.draw.photos", draw["photos"])

    def drawing(done: int, total: int, text: str) -> None:
        step.progress(done, total, f"drawing {text}")

    made_from = [step.standard.fingerprint, draw, dataset["split"], photos and listing_hash(photos)]
    digest = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
    out = step.volume / "datasets" / f"drawn-{digest}"
    out.parent.mkdir(parents=True, exist_ok=True)
    # On a cluster two runs may ask for the same set at once.
    with FileLock(out.with_name(f".{out.name}.lock")):
        if not out.exists():
            draw_dataset(
                out,
                draw["num_images"],
                draw["seed"],
                step.standard,
                draw,
                dataset["split"],
                photos,
                progress=drawing,
            )
    return out


def _directory(step: Step, key: str, path: str) -> Path:
    for directory in (Path(path).absolute(), step.volume / path):
        if directory.is_dir():
            return directory
    raise DataError(f"{key}: there is no directory {path}")
