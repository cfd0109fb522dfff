"""A small platenet, a small drawn data set, and settings to train it in seconds."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from dataset_tools.draw import draw_dataset
from dataset_tools.record import record
from sub_module.plates import PlateStandard
from tests.standards import REPOSITORY

CONFIGS = REPOSITORY / "configs"
DATASET: dict[str, Any] = runpy.run_path(str(CONFIGS / "datasets" / "drawn.py"))["dataset"]
SIZES: dict[str, Any] = {
    "detector": [128, 96],
    "crop": [64, 48],
    "strip": [96, 24],
    "crop_margin": 0.25,
}
SAMPLES: dict[str, Any] = {
    "zoom": [0.9, 1.1],
    "shift": 0.1,
    "mirror": 0.5,
    "crops_per_plate": 1,
    "strips_per_row": 1,
    "empty_crops_per_image": 1,
    "empty_strips_per_image": 0,
    "empty_tries": 1,
    "no_plates_per_image": 2,
    "turned_crops": 0.0,
    "turned_strips": 0.0,
    "crop_jitter": 0.1,
    "strip_jitter": 0.03,
    "strip_margin": [0.0, 0.0],
    "strip_gamma": [1.0, 1.0],
}


def small_config(standard: PlateStandard, **train: Any) -> dict[str, Any]:
    """A pipeline config's `plates`, `model`, `dataset` and `train`, small enough for a test.

    Args:
        standard: The plates.
        train: Changes to `train`.
    """
    model = {
        "type": "PlateNet",
        "sizes": SIZES,
        "widths": {"detector": 8, "refiner": 8, "reader": 8},
        "reading": {
            "min_heat": 0.15,
            "min_plate": 0.3,
            "min_score": 0.05,
            "max_plates": 8,
            "num_refinements": 2,
            "overlap": 0.4,
        },
        "loss_weights": dict.fromkeys(
            ("heat", "corners", "offsets", "layouts", "is_plate", "columns"), 1.0
        ),
    }
    schedule = runpy.run_path(str(CONFIGS / "schedules" / "cpu_minutes.py"))["train"]
    small = {"samples": SAMPLES, "batch_size": 8, "log_interval": 1, "num_pictures": 0}
    settings = {**schedule, **small, **train}
    return {
        "plates": standard.to_config(),
        "dataset": DATASET,
        "model": model,
        "train": settings,
    }


def drawn_set(directory: Path, standard: PlateStandard, num_images: int) -> Path:
    """Draw and record a set under `directory`; gives the training set's directory."""
    annotations = directory / "annotations"
    draw_dataset(
        annotations,
        num_images,
        seed=3,
        standard=standard,
        settings=DATASET["draw"],
        shares={"train": 0.6, "val": 0.2, "test": 0.2},
        num_processes=1,
    )
    record(annotations, directory / "set", standard, DATASET, num_threads=1)
    return directory / "set"
