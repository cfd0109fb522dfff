"""An annotation set for the eye: a contact sheet of its images and a few figures."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dataset_tools.annotations import LabelledImage, Problem, read_set
from sub_module.datasets.coco import load_image
from sub_module.errors import DataError
from sub_module.files import write_bytes
from sub_module.plates.geometry import side_lengths
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent

_TILE = (480, 360)
_GAP = 6
_PAPER = (24, 26, 30)
_BOARD, _GROUP, _CHARACTER = (255, 196, 0), (0, 200, 255), (80, 255, 120)
_TEXT_PX = 18


@dataclass(frozen=True)
class SetSummary:
    """Figures of an annotation set.

    Attributes:
        num_images: Images that can be used.
        num_plates: Plates on them.
        num_empty: Images without a plate.
        class_counts: Shapes of each class, every class of the standard in its order.
        plate_widths_px: The smallest, the median and the largest width of a plate (of its longer
            sides' mean, whatever the rotation); None without plates.
        problems: The files that cannot be used.
    """

    num_images: int
    num_plates: int
    num_empty: int
    class_counts: dict[str, int]
    plate_widths_px: tuple[float, float, float] | None
    problems: tuple[Problem, ...]


def contact_sheet(
    annotations: Path,
    out: Path,
    standard: PlateStandard,
    num_images: int = 12,
    progress: Progress = silent,
) -> SetSummary:
    """Draw images of an annotation set, spread evenly over it, with their polygons and texts.

    Args:
        annotations: The annotation set.
        out: The PNG to write.
        standard: What labels and plates must fit.
        num_images: At most so many images on the sheet.
        progress: Told of every label file.

    Returns:
        Figures of the whole set.

    Raises:
        DataError: No image of the set can be used, or the sheet cannot be written.
    """
    labelled = read_set(annotations, standard, progress=progress)
    if not labelled.images:
        first = labelled.problems[0]
        raise DataError(f"{annotations / first.file}: {first.reason}")
    num_shown = max(1, min(num_images, len(labelled.images)))
    step = len(labelled.images) / num_shown
    shown = [labelled.images[int(i * step)] for i in range(num_shown)]
    num_columns = math.ceil(math.sqrt(num_shown))
    num_rows = math.ceil(num_shown / num_columns)
    width, height = _TILE[0] + _GAP, _TILE[1] + _GAP
    sheet = Image.new("RGB", (num_columns * width + _GAP, num_rows * height + _GAP), _PAPER)
    for i, image in enumerate(shown):
        place = (_GAP + i % num_columns * width, _GAP + i // num_columns * height)
        sheet.paste(_tile(annotations, image, standard), place)
    _write_png(sheet, out)
    return _summary(labelled.images, labelled.problems, standard)


def _summary(
    images: Sequence[LabelledImage], problems: tuple[Problem, ...], standard: PlateStandard
) -> SetSummary:
    counts = Counter(shape.label for image in images for shape in image.annotation.shapes)
    corners = [np.array(plate.reading.corners) for image in images for plate in image.plates]
    widths = [side_lengths(c)[0] for c in corners]
    return SetSummary(
        num_images=len(images),
        num_plates=len(corners),
        num_empty=sum(not image.plates for image in images),
        class_counts={label: counts[label] for label in standard.classes},
        plate_widths_px=(min(widths), float(np.median(widths)), max(widths)) if widths else None,
        problems=problems,
    )


def _tile(annotations: Path, labelled: LabelledImage, standard: PlateStandard) -> Image.Image:
    """One image with its polygons, fitted into a tile."""
    image = Image.fromarray(load_image(annotations / labelled.file))
    tile = ImageOps.contain(image, _TILE)
    scale_x, scale_y = tile.width / image.width, tile.height / image.height
    draw = ImageDraw.Draw(tile)
    for shape in labelled.annotation.shapes:
        points = [(x * scale_x, y * scale_y) for x, y in shape.points]
        if shape.label in standard.board_labels:
            draw.polygon(points, outline=_BOARD, width=2)
        else:
            group = shape.label in standard.group_labels
            draw.polygon(points, outline=_GROUP if group else _CHARACTER)
    font = ImageFont.load_default(_TEXT_PX)
    for plate in labelled.plates:
        left = max(0.0, plate.reading.box[0] * scale_x)
        top = max(0.0, plate.reading.box[1] * scale_y - _TEXT_PX - 6)
        box = draw.textbbox((left, top), plate.reading.text, font=font)
        draw.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), fill=_PAPER)
        draw.text((left, top), plate.reading.text, fill=_BOARD, font=font)
    return tile


def _write_png(sheet: Image.Image, out: Path) -> None:
    png = io.BytesIO()
    sheet.save(png, "PNG")
    try:
        write_bytes(out, png.getvalue())
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
