"""Reading of image files, and pictures of what was read."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sub_module.datasets.coco import load_image
from sub_module.files import write_bytes
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.picture import annotate

if TYPE_CHECKING:
    # Pictures of readings are also made where no model runs.
    from sub_module.engine.infer import Detector


def read_image(detector: Detector, file: Path, picture: Path | None = None) -> list[PlateReading]:
    """The plates on one image file; a picture with the plates marked goes to `picture`.

    Raises:
        DataError: The file is missing, or no image.
    """
    image = load_image(file)
    (readings,) = detector.predict([image])
    if picture is not None:
        write_picture(picture, image, readings, detector.standard)
    return readings


def write_picture(
    file: Path,
    image: NDArray[np.uint8],
    readings: Sequence[PlateReading],
    standard: PlateStandard,
) -> None:
    """Write a JPEG of the image with its plates marked.

    Args:
        file: To write; it appears whole.
        image: (H, W, 3) uint8 RGB.
        readings: In pixels of that image.
        standard: Theirs.
    """
    jpeg = io.BytesIO()
    Image.fromarray(annotate(image, readings, standard)).save(jpeg, "JPEG", quality=90)
    write_bytes(file, jpeg.getvalue())


def picture_files(images: Sequence[Path], folder: Path) -> list[Path]:
    """`<stem>.read.jpg` for each image, numbered where two images share a stem; never an image."""
    taken = {image.absolute() for image in images}
    files = []
    for image in images:
        file, number = folder / f"{image.stem}.read.jpg", 1
        while file.absolute() in taken:
            number += 1
            file = folder / f"{image.stem}.{number}.read.jpg"
        taken.add(file.absolute())
        files.append(file)
    return files
