"""The images that every server gets."""

from __future__ import annotations

import math
from pathlib import Path

from dataset_tools.draw import draw_dataset
from sub_module.engine.config import load_config
from sub_module.export.runtime import read_settings
from sub_module.plates import PlateStandard

# Its split `test` lies over photographs that the shipped model never saw; so do its fonts.
_CONFIG = "platenet_kr_test"
_SIZE = [640, 480]


def draw_pictures(model_dir: Path, folder: Path, num_images: int, seed: int) -> list[Path]:
    """JPEGs of 640x480 with plates of the model's standard.

    Args:
        model_dir: The exported model.
        folder: Where they are written; appears.
        num_images: How many.
        seed: Of every choice made.

    Raises:
        ModelError: There is no such model.
    """
    standard = PlateStandard.from_config(read_settings(model_dir)["standard"])
    dataset = load_config(_CONFIG)["dataset"]
    shares = dataset["split"]
    num_drawn = math.ceil((num_images + 1) * sum(shares.values()) / shares["test"])
    draw = dataset["draw"] | {"image_sizes": [_SIZE]}
    draw_dataset(folder, num_drawn, seed, standard, draw, shares, num_processes=1)
    return sorted((folder / "test").glob("*.jpg"))[:num_images]
