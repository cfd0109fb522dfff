"""Recorded data sets: COCO files whose boards carry readings, and their images."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sub_module.errors import DataError, PlateflowError
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard

# The kinds of images that are read, and what their files are called. Pillow knows more, and starts
# programs of the machine for some (Ghostscript for EPS).
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
# What Pillow raises on files that are cut short or are no image of the kind they say.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error)
# Larger than any camera's; a small file that claims more is an attack on the memory.
_MAX_PIXELS = 150_000_000
_EXIF_ORIENTATION = 0x0112

Character = tuple[str, NDArray[np.float32]]
Shape = tuple[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class PlateImage:
    """One image and its ground truth.

    Attributes:
        image_id: As in the COCO file.
        path: The image file.
        width: Pixels, after the EXIF rotation.
        height: Pixels, after the EXIF rotation.
        readings: Its plates.
        characters: For each reading its (character, polygon) pairs in reading order; a polygon
            is (N, 2) pixels.
        shapes: The (class label, polygon) pairs of everything labelled: boards, groups, characters.
    """

    image_id: int
    path: Path
    width: int
    height: int
    readings: tuple[PlateReading, ...]
    characters: tuple[tuple[Character, ...], ...]
    shapes: tuple[Shape, ...]


def load_plate_images(coco_file: Path, standard: PlateStandard) -> list[PlateImage]:
    """Load a recorded COCO file; its images lie beside it.

    Raises:
        DataError: The file is missing, is none of `record`'s, or is of another plate standard.
    """
    try:
        coco = json.loads(coco_file.read_bytes())
        return plate_images_of(coco, coco_file.parent, standard)
    except OSError as error:
        raise DataError(f"{coco_file}: {error.strerror}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{coco_file}: no COCO file of the record step ({error})") from error
    except LookupError as error:
        raise DataError(f"{coco_file}: no COCO file of the record step (no {error})") from error
    except PlateflowError as error:
        raise DataError(f"{coco_file}: {error}") from error


def plate_images_of(
    coco: Mapping[str, Any], root: Path, standard: PlateStandard
) -> list[PlateImage]:
    """The images of a COCO dict in memory.

    Args:
        coco: As `record` writes it: a board's annotation carries its reading, the annotations of a
            plate follow each other, characters in reading order.
        root: What file names are relative to.
        standard: Must be the one that the set was recorded with.

    Raises:
        DataError: It was recorded with another plate standard.
    """
    recorded = PlateStandard.from_config(coco["info"]["standard"])
    if recorded != standard:
        raise DataError(
            f"recorded with the plate standard {recorded.name} ({recorded.fingerprint}), "
            f"not {standard.name} ({standard.fingerprint})"
        )
    names = {category["id"]: category["name"] for category in coco["categories"]}
    plates: dict[int, dict[int, tuple[PlateReading, list[Character]]]] = {}
    shapes: dict[int, list[Shape]] = {}
    for annotation in coco["annotations"]:
        of_image = plates.setdefault(annotation["image_id"], {})
        label = names[annotation["category_id"]]
        polygon = np.array(annotation["segmentation"][0], np.float32).reshape(-1, 2)
        shapes.setdefault(annotation["image_id"], []).append((label, polygon))
        if "reading" in annotation:
            reading = PlateReading.from_dict(annotation["reading"])
            of_image[annotation["plate_id"]] = (reading, [])
            continue
        character = standard.character_of(label)
        if character is not None:
            of_image[annotation["plate_id"]][1].append((character, polygon))
    return [
        PlateImage(
            image_id=image["id"],
            path=root / image["file_name"],
            width=image["width"],
            height=image["height"],
            readings=tuple(reading for reading, _ in plates.get(image["id"], {}).values()),
            characters=tuple(tuple(c) for _, c in plates.get(image["id"], {}).values()),
            shapes=tuple(shapes.get(image["id"], ())),
        )
        for image in coco["images"]
    ]


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (height, width, 3) uint8 RGB, turned as its EXIF data says.

    Raises:
        DataError: The file is missing, truncated, no image, or too large to be a photograph.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            _check_pixels(image)
            upright = ImageOps.exif_transpose(image)
            return np.array(upright.convert("RGB"))
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: {_reason(error)}") from error


def check_image(path: Path) -> tuple[int, int]:
    """Decode an image fully, as cheaply as its format allows, and give its size.

    Returns:
        (width, height) in pixels, after the EXIF rotation.

    Raises:
        DataError: As `load_image`.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            _check_pixels(image)
            width, height = image.size
            turned = image.getexif().get(_EXIF_ORIENTATION, 1) >= 5
            # A JPEG decoded at an eighth still shows where it breaks off.
            image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
            image.load()
    except (*_UNREADABLE, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: {_reason(error)}") from error
    return (height, width) if turned else (width, height)


def _check_pixels(image: Image.Image) -> None:
    # Pillow has such a limit too, but labelme, once imported, turns it off for the process.
    if image.width * image.height > _MAX_PIXELS:
        raise Image.DecompressionBombError(f"{image.width}x{image.height} pixels")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return f"it is no image ({', '.join(_FORMATS)}), or an empty one"
    if isinstance(error, Image.DecompressionBombError):
        return f"the image is too large: {error}"
    return f"the image is damaged: {error}"
