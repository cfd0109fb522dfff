"""labelme's label files: reading, writing and checking them.

An annotation set is a directory of images, each with a label file beside it that names it. Inside
a label file only polygons and rectangles count; their labels are the classes of a plate standard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import DataError
from sub_module.plates.geometry import area_of
from sub_module.plates.standard import PlateStandard

# What labelme writes into its files; its loader takes any.
_LABELME_VERSION = "6.3.1"
# Hands slip: points may lie this far outside of the image.
_SLACK_PX = 2.0
# Of a file name: more, and the file systems of today refuse to look for it.
_MAX_NAME_BYTES = 255


@dataclass(frozen=True)
class Shape:
    """One labelled polygon.

    Attributes:
        label: A class of the plate standard.
        points: (x, y) pixels of the image.
        group_id: A number that the shapes of one plate share, or None.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    group_id: int | None

    @cached_property
    def polygon(self) -> NDArray[np.float64]:
        """The points as (N, 2)."""
        return np.array(self.points, np.float64)


@dataclass(frozen=True)
class Annotation:
    """What a label file says of one image.

    Attributes:
        image_name: Name of the image file, which lies beside the label file.
        width: Pixels, after the EXIF rotation.
        height: Pixels, after the EXIF rotation.
        shapes: The labelled polygons.
    """

    image_name: str
    width: int
    height: int
    shapes: tuple[Shape, ...]


def read_annotation(path: Path, standard: PlateStandard) -> Annotation:
    """Read a label file of labelme (versions 3 to 6) and check it against a plate standard.

    Raises:
        DataError: The file is no JSON of labelme, or a shape has an unknown label, too few points,
            no area, points outside of the image, or is neither polygon nor rectangle.
    """
    try:
        return _annotation(json.loads(path.read_bytes()), standard)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    # A file that is no UTF-8 raises a ValueError too, and absurd nesting a RecursionError.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no valid JSON: {error}") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def annotation_json(annotation: Annotation) -> str:
    """The text of a label file that labelme 5 and 6 open; coordinates rounded to 0.01 px.

    The same annotation gives the same text, byte for byte.
    """
    shapes: list[dict[str, Any]] = [
        {
            "label": shape.label,
            "points": [[round(x, 2), round(y, 2)] for x, y in shape.points],
            "group_id": shape.group_id,
            "description": "",
            "shape_type": "polygon",
            "flags": {},
            "mask": None,
        }
        for shape in annotation.shapes
    ]
    return json.dumps(
        {
            "version": _LABELME_VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": annotation.image_name,
            "imageData": None,
            "imageHeight": annotation.height,
            "imageWidth": annotation.width,
        }
    )


def _annotation(raw: Any, standard: PlateStandard) -> Annotation:
    if not isinstance(raw, dict) or not isinstance(raw.get("shapes"), list):
        raise DataError("no label file of labelme: it has no list of shapes")
    if not isinstance(raw.get("imagePath"), str) or not raw["imagePath"]:
        raise DataError("no label file of labelme: it has no imagePath")
    for key in ("imageWidth", "imageHeight"):
        value = raw.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise DataError(f"{key} must be a number of pixels, not {value!r}")
    size = raw["imageWidth"], raw["imageHeight"]
    return Annotation(
        image_name=_image_name(raw["imagePath"]),
        width=size[0],
        height=size[1],
        shapes=tuple(_shape(i, s, size, standard) for i, s in enumerate(raw["shapes"])),
    )


def _image_name(image_path: str) -> str:
    # labelme writes Windows' separators on Windows; of a path only the name is taken, so a
    # label file can never point out of its set.
    name = PureWindowsPath(image_path).name
    # Unprintable also means: no lone surrogates, so the name can be encoded.
    if not name or not name.isprintable() or len(name.encode()) > _MAX_NAME_BYTES:
        shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}..."
        raise DataError(f"imagePath names no file: {shown}")
    return name


def _shape(index: int, raw: Any, size: tuple[int, int], standard: PlateStandard) -> Shape:
    if not isinstance(raw, dict):
        raise DataError(f"shape {index} is no JSON object")
    label = raw.get("label")
    if label not in standard.classes:
        raise DataError(f"shape {index}: unknown label {label!r}")
    name = f"shape {index} ({label!r})"
    group_id = raw.get("group_id")
    if group_id is not None and not isinstance(group_id, int):
        raise DataError(f"{name}: group_id must be a whole number or null, not {group_id!r}")
    points = _points(name, raw, size)
    shape = Shape(label, points, group_id)
    if area_of(shape.polygon) == 0:
        raise DataError(f"{name}: its polygon has no area")
    return shape


def _points(
    name: str, raw: Mapping[str, Any], size: tuple[int, int]
) -> tuple[tuple[float, float], ...]:
    """The corners of a shape's polygon or rectangle, checked."""
    try:
        points = tuple((float(x), float(y)) for x, y in raw.get("points") or ())
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{name}: its points must be [x, y] pairs of numbers") from error
    for x, y in points:
        # Also false for NaN, which JSON in Python's dialect may hold.
        in_x = -_SLACK_PX <= x <= size[0] + _SLACK_PX
        in_y = -_SLACK_PX <= y <= size[1] + _SLACK_PX
        if not (in_x and in_y):
            raise DataError(
                f"{name}: point ({x:g}, {y:g}) lies outside of the {size[0]}x{size[1]} image"
            )
    kind = raw.get("shape_type") or "polygon"
    if kind == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return (x1, y1), (x2, y1), (x2, y2), (x1, y2)
    if kind not in ("polygon", "rectangle"):
        raise DataError(f"{name} is a {kind!r}; only polygons and rectangles count")
    if len(points) < 3:
        raise DataError(f"{name}: its polygon has {len(points)} points, it needs 3 or more")
    return points
