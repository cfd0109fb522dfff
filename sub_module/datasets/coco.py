"""Recorded data sets: COCO files whose boards carry readings, and their images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.decode import checked_size, decode_image
from sub_module.errors import DataError, PlateflowError
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard

# What files of the kinds of images that are read are called.
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
# Larger than any camera's; a small file that claims more is an attack on the memory.
_MAX_PIXELS = 150_000_000

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
        shapes: The (class label, polygon) pairs of plates: boards, groups, characters.
        no_plates: (N, 2) polygons of what is no plate and is easily taken for one.
    """

    image_id: int
    path: Path
    width: int
    height: int
    readings: tuple[PlateReading, ...]
    characters: tuple[tuple[Character, ...], ...]
    shapes: tuple[Shape, ...]
    no_plates: tuple[NDArray[np.float32], ...] = ()


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
    if recorded.fingerprint != standard.fingerprint:
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
            no_plates=tuple(
                np.array(outline, np.float32).reshape(-1, 2)
                for outline in image.get("no_plates", ())
            ),
        )
        for image in coco["images"]
    ]


def load_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (height, width, 3) uint8 RGB, turned as its EXIF data says.

    Raises:
        DataError: The file is missing, truncated, no image, or too large to be a photograph.
    """
    with _named(path):
        return decode_image(path.read_bytes(), _MAX_PIXELS).pixels


def check_image(path: Path) -> tuple[int, int]:
    """Decode an image fully, as cheaply as its format allows, and give its size.

    Returns:
        (width, height) in pixels, after the EXIF rotation.

    Raises:
        DataError: As `load_image`.
    """
    with _named(path):
        return checked_size(path.read_bytes(), _MAX_PIXELS)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
