"""labelme's label files: reading, writing and checking them.

An annotation set is a directory of images, each with a label file beside it that names it. Inside
a label file only polygons and rectangles count; their labels are the classes of a plate standard,
or `no_plate`: what a model takes for a plate, or might, and is to learn to leave alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import DataError, LabelError
from sub_module.plates.geometry import area_of
from sub_module.plates.label_faults import shape_faults
from sub_module.plates.on_board import ImageShapes
from sub_module.plates.standard import PlateStandard

# What labelme writes into its files; its loader takes any.
_LABELME_VERSION = "6.3.1"
# Hands slip: points may lie this far outside of the image.
_SLACK_PX = 2.0
# Of a file name: more, and the file systems of today refuse to look for it.
_MAX_NAME_BYTES = 255
# The flag of a label file that labelme shows as a box to tick.
_REVIEWED = "reviewed"
# The label of what is no plate, in every standard.
NO_PLATE = "no_plate"


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
        shapes: The labelled polygons of plates.
        reviewed: Whether a person drew it or went through it; False: a model's proposal, of which
            the flag `reviewed` is not ticked yet.
        no_plates: Polygons of what is no plate.
        numbers: Places of `shapes` in the file, as messages name them; None: in order.
    """

    image_name: str
    width: int
    height: int
    shapes: tuple[Shape, ...]
    reviewed: bool = True
    no_plates: tuple[Shape, ...] = ()
    numbers: tuple[int, ...] | None = field(default=None, compare=False)


def read_annotation(path: Path, standard: PlateStandard) -> Annotation:
    """Read a label file of labelme (versions 3 to 6) and check it against a plate standard.

    Raises:
        DataError: The file cannot be read, or is no JSON of labelme.
        LabelError: Shapes with an unknown label, too few points, no area, points outside of the
            image, or that are neither polygons nor rectangles; then also those that fit no plate,
            as far as they do not do so because of the former. Each fault names file and shape.
    """
    try:
        return _annotation(json.loads(path.read_bytes()), standard)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    # A file that is no UTF-8 raises a ValueError too, and absurd nesting a RecursionError.
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: no valid JSON: {error}") from error
    except LabelError as error:
        raise LabelError([f"{path}: {fault}" for fault in error.faults]) from error
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
        for shape in (*annotation.shapes, *annotation.no_plates)
    ]
    return json.dumps(
        {
            "version": _LABELME_VERSION,
            "flags": {} if annotation.reviewed else {_REVIEWED: False},
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
    image_name = _image_name(raw["imagePath"])
    drawn = [_drawn(shape, size, standard) for shape in raw["shapes"]]
    if any(found.reasons for found in drawn):
        raise LabelError(_faults(drawn, size, standard))
    flags = raw.get("flags")
    shapes = [Shape(str(d.label), d.points, d.group_id) for d in drawn]
    return Annotation(
        image_name=image_name,
        width=size[0],
        height=size[1],
        shapes=tuple(shape for shape in shapes if shape.label != NO_PLATE),
        reviewed=not isinstance(flags, dict) or bool(flags.get(_REVIEWED, True)),
        no_plates=tuple(shape for shape in shapes if shape.label == NO_PLATE),
        numbers=tuple(i for i, shape in enumerate(shapes) if shape.label != NO_PLATE),
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


class _Drawn(NamedTuple):
    """A shape of a label file: what could be made out of it, and what is wrong with it.

    Attributes:
        label: None: unknown.
        points: Empty: unknown.
        group_id: As in the file.
        reasons: What is wrong; empty: it can be used.
        is_misplaced: Whether that is its points.
    """

    label: str | None
    points: tuple[tuple[float, float], ...]
    group_id: int | None
    reasons: list[str]
    is_misplaced: bool


def _drawn(raw: Any, size: tuple[int, int], standard: PlateStandard) -> _Drawn:
    if not isinstance(raw, dict):
        return _Drawn(None, (), None, ["no JSON object"], True)
    reasons: list[str] = []
    label = raw.get("label")
    if label not in standard.classes and label != NO_PLATE:
        reasons.append(f"unknown label {label!r}")
        label = None
    group_id = raw.get("group_id")
    if group_id is not None and not isinstance(group_id, int):
        reasons.append(f"group_id must be a whole number or null, not {group_id!r}")
        group_id = None
    points: tuple[tuple[float, float], ...] = ()
    try:
        points = _points(raw)
        _check_points(points, size)
    except DataError as error:
        return _Drawn(label, points, group_id, [*reasons, str(error)], True)
    return _Drawn(label, points, group_id, reasons, False)


def _points(raw: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """The corners of a shape's polygon or rectangle."""
    kind = raw.get("shape_type") or "polygon"
    if kind not in ("polygon", "rectangle"):
        raise DataError(f"is a {kind!r}; only polygons and rectangles count")
    try:
        points = tuple((float(x), float(y)) for x, y in raw.get("points") or ())
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError("its points must be [x, y] pairs of numbers") from error
    if kind == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        return (x1, y1), (x2, y1), (x2, y2), (x1, y2)
    if len(points) < 3:
        number = "1 point" if len(points) == 1 else f"{len(points)} points"
        raise DataError(f"its polygon has {number}, it needs 3 or more")
    return points


def _check_points(points: tuple[tuple[float, float], ...], size: tuple[int, int]) -> None:
    """Whether a polygon has an area, inside of the image.

    Raises:
        DataError: It does not.
    """
    width, height = size
    for x, y in points:
        # Also false for NaN, which JSON in Python's dialect may hold.
        in_x = -_SLACK_PX <= x <= width + _SLACK_PX
        if not (in_x and -_SLACK_PX <= y <= height + _SLACK_PX):
            raise DataError(f"point ({x:g}, {y:g}) lies outside of the {width}x{height} image")
    if area_of(np.array(points)) == 0:
        raise DataError("its polygon has no area")


def _faults(drawn: Sequence[_Drawn], size: tuple[int, int], standard: PlateStandard) -> list[str]:
    """All that is wrong with the shapes of a file, of which some cannot be used."""
    faults = []
    for index, found in enumerate(drawn):
        name = f"shape {index}" if found.label is None else f"shape {index} ({found.label!r})"
        faults += [(index, f"{name}: {reason}") for reason in found.reasons]
    numbers = [number for number, found in enumerate(drawn) if found.label != NO_PLATE]
    of_plates = [drawn[number] for number in numbers]
    shapes = ImageShapes(
        [found.label for found in of_plates],
        [_polygon(found.points, size) for found in of_plates],
        [found.group_id for found in of_plates],
        standard,
        numbers,
    )
    # Where a shape lies because of wrong points is no fault of its own.
    faults += [fault for fault in shape_faults(shapes) if not drawn[fault[0]].is_misplaced]
    return [fault for _, fault in sorted(faults, key=lambda fault: fault[0])]


def _polygon(
    points: tuple[tuple[float, float], ...], size: tuple[int, int]
) -> NDArray[np.float64] | None:
    """Points of which some may be wrong, held within reach of the image; None: there are none."""
    polygon = np.array(points, np.float64)
    if not points or not np.isfinite(polygon).all():
        return None
    return np.clip(polygon, [-size[0], -size[1]], [2 * size[0], 2 * size[1]])
