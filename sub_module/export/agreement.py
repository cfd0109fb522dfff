"""The proof that an exported model reads as its checkpoint does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.engine.infer import load_detector
from sub_module.errors import ModelError
from sub_module.plates import PlateReading
from sub_module.progress import Progress, silent


def check_same_readings(
    checkpoint: Path, exported: Path, coco_file: Path, progress: Progress = silent
) -> int:
    """Read images with both models and compare layouts and texts.

    Args:
        checkpoint: The model as trained.
        exported: The directory that `export` wrote.
        coco_file: A recorded set of the model's plate standard.
        progress: Told of images.

    Returns:
        The number of images compared.

    Raises:
        ModelError: In some image they read otherwise.
    """
    trained, deployed = load_detector(checkpoint), load_detector(exported)
    images = load_plate_images(coco_file, trained.standard)
    for done, record in enumerate(images, start=1):
        image = load_image(record.path)
        wanted, found = (_texts(model.predict([image])[0]) for model in (trained, deployed))
        if wanted != found:
            raise ModelError(
                f"{exported}: reads {record.path.name} otherwise than {checkpoint.name}: "
                f"{found} instead of {wanted}"
            )
        progress(done, len(images), "comparing")
    return len(images)


def _texts(readings: Sequence[PlateReading]) -> list[tuple[str, str]]:
    return sorted((reading.layout, reading.text) for reading in readings)
