"""The annotation set of a run: the user's own, or one drawn for it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from filelock import FileLock

from components.step import Step
from components.user_data import ANNOTATIONS, PHOTOS, user_data
from dataset_tools import draw as drawing_package
from dataset_tools.draw import draw_dataset
from sub_module.files import listing_hash, tree_hash


def annotation_set(step: Step) -> Path:
    """The directory of annotations that the run's config names; drawn first when it names none.

    Runs with equal drawing settings share one drawn set under `datasets/` of the volume.

    Raises:
        DataError: The named directory does not exist, or the set cannot be drawn.
    """
    named = user_data(step.config, step.volume)
    return named[ANNOTATIONS] if ANNOTATIONS in named else _drawn(step, named.get(PHOTOS))


def _drawn(step: Step, photos: Path | None) -> Path:
    draw, shares = step.config["dataset"]["draw"], step.config["dataset"]["split"]

    def drawing(done: int, total: int, text: str) -> None:
        step.progress(done, total, f"drawing {text}")

    out = step.volume / "datasets" / f"drawn-{_digest(step, photos)}"
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
                shares,
                photos,
                progress=drawing,
            )
    return out


def _digest(step: Step, photos: Path | None) -> str:
    made_from = [
        step.standard.fingerprint,
        step.config["dataset"]["draw"],
        step.config["dataset"]["split"],
        photos and listing_hash(photos),
        # Edited drawing draws other plates.
        tree_hash(Path(drawing_package.__path__[0]), "*.py"),
    ]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:12]
