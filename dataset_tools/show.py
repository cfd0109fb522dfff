"""An annotation set for the eye: a contact sheet of its images and its figures, PNG or HTML."""

from __future__ import annotations

import io
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from dataset_tools.annotations import LabelledImage, Problem, iter_set, num_files, sorted_problems
from sub_module.datasets.coco import load_image
from sub_module.errors import DataError
from sub_module.files import write_bytes
from sub_module.plates.geometry import side_lengths
from sub_module.plates.standard import PlateStandard
from sub_module.progress import Progress, silent

_SUFFIXES = (".png", ".html")
_TILE = (480, 360)
_GAP = 6
_PAPER = (24, 26, 30)
BOARD, GROUP, CHARACTER = (255, 196, 0), (0, 200, 255), (80, 255, 120)
_NO_PLATE_COLOUR = (255, 60, 60)
_TEXT_PX = 18


@dataclass(frozen=True)
class SetSummary:
    """Figures of an annotation set.

    Attributes:
        num_images: Images that can be used.
        num_empty: Images without a plate.
        class_counts: Shapes of each class, every class of the standard in its order.
        plate_sizes_px: For each layout of the standard, (width, height) of its plates: the mean
            lengths of opposite edges, whatever the rotation.
        problems: What is wrong with the files that cannot be used.
    """

    num_images: int
    num_empty: int
    class_counts: dict[str, int]
    plate_sizes_px: dict[str, list[tuple[float, float]]]
    problems: tuple[Problem, ...]

    @property
    def num_plates(self) -> int:
        """Plates on all images."""
        return sum(map(len, self.plate_sizes_px.values()))

    @property
    def num_rejected(self) -> int:
        """Files that cannot be used."""
        return num_files(self.problems)

    @property
    def plate_widths_px(self) -> tuple[float, float, float] | None:
        """The smallest, the median and the largest width of a plate; None without plates."""
        widths = [width for sizes in self.plate_sizes_px.values() for width, _ in sizes]
        return (min(widths), median(widths), max(widths)) if widths else None


def show_set(
    annotations: Path,
    out: Path,
    standard: PlateStandard,
    num_images: int = 12,
    progress: Progress = silent,
    name: str | None = None,
) -> SetSummary:
    """Draw images of an annotation set, spread evenly over it, with their polygons and texts.

    Args:
        annotations: The annotation set.
        out: What to write, by its ending: a `.png`, or a `.html`, a page that also has the class
            balance, the plates' sizes and what is wrong with the set.
        standard: What labels and plates must fit.
        num_images: At most so many images on the sheet.
        progress: Told of every label file.
        name: What the page calls the set; None: as its directory.

    Returns:
        Figures of the whole set.

    Raises:
        DataError: No image of the set can be used, or the file has another ending or cannot be
            written.
    """
    check_suffix(out)
    summary, shown = _survey(annotations, standard, max(1, num_images), progress)
    if not shown:
        first = summary.problems[0]
        raise DataError(f"{annotations / first.file}: {first.reason}")
    sheet = _contact_sheet(annotations, shown, standard)
    if out.suffix.lower() == ".html":
        # Draws charts with matplotlib, which takes its time to import.
        from dataset_tools.show_page import set_page

        title = name or annotations.resolve().name
        content = set_page(title, summary, _encoded(sheet, "JPEG"), standard).encode()
    else:
        content = _encoded(sheet, "PNG")
    try:
        write_bytes(out, content)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
    return summary


def check_suffix(out: Path) -> None:
    """Whether `show_set` can write such a file.

    Raises:
        DataError: It cannot.
    """
    if out.suffix.lower() not in _SUFFIXES:
        raise DataError(f"{out}: it must end in {' or '.join(_SUFFIXES)}")


def _survey(
    annotations: Path, standard: PlateStandard, num_shown: int, progress: Progress
) -> tuple[SetSummary, list[LabelledImage]]:
    """Figures of a set, and some of its images."""
    counts: Counter[str] = Counter()
    sizes: dict[str, list[tuple[float, float]]] = {layout.name: [] for layout in standard.layouts}
    problems: list[Problem] = []
    num_usable = num_empty = 0
    # Every so many images one is kept, and of these every other one goes when they are many.
    kept: list[LabelledImage] = []
    every = 1
    for found in iter_set(annotations, standard, progress=progress):
        if isinstance(found, tuple):
            problems += found
            continue
        if num_usable % every == 0:
            kept.append(found)
        if len(kept) == 8 * num_shown:
            kept, every = kept[::2], every * 2
        num_usable += 1
        num_empty += not found.plates
        counts.update(shape.label for shape in found.annotation.shapes)
        for plate in found.plates:
            sizes[plate.reading.layout].append(side_lengths(np.array(plate.reading.corners)))
    summary = SetSummary(
        num_images=num_usable,
        num_empty=num_empty,
        class_counts={label: counts[label] for label in standard.classes},
        plate_sizes_px=sizes,
        problems=sorted_problems(problems),
    )
    step = max(1.0, len(kept) / num_shown)
    return summary, [kept[int(i * step)] for i in range(min(num_shown, len(kept)))]


def _contact_sheet(
    annotations: Path, shown: list[LabelledImage], standard: PlateStandard
) -> Image.Image:
    num_columns = math.ceil(math.sqrt(len(shown)))
    num_rows = math.ceil(len(shown) / num_columns)
    width, height = _TILE[0] + _GAP, _TILE[1] + _GAP
    sheet = Image.new("RGB", (num_columns * width + _GAP, num_rows * height + _GAP), _PAPER)
    for i, image in enumerate(shown):
        place = (_GAP + i % num_columns * width, _GAP + i // num_columns * height)
        sheet.paste(_tile(annotations, image, standard), place)
    return sheet


def _tile(annotations: Path, labelled: LabelledImage, standard: PlateStandard) -> Image.Image:
    """One image with its polygons, fitted into a tile."""
    image = Image.fromarray(load_image(annotations / labelled.file))
    tile = ImageOps.contain(image, _TILE)
    scale_x, scale_y = tile.width / image.width, tile.height / image.height
    draw = ImageDraw.Draw(tile)
    for shape in labelled.annotation.shapes:
        points = [(x * scale_x, y * scale_y) for x, y in shape.points]
        if shape.label in standard.board_labels:
            draw.polygon(points, outline=BOARD, width=2)
        else:
            group = shape.label in standard.group_labels
            draw.polygon(points, outline=GROUP if group else CHARACTER)
    for shape in labelled.annotation.no_plates:
        draw.polygon(
            [(x * scale_x, y * scale_y) for x, y in shape.points], outline=_NO_PLATE_COLOUR
        )
    font = ImageFont.load_default(_TEXT_PX)
    for plate in labelled.plates:
        left = max(0.0, plate.reading.box[0] * scale_x)
        top = max(0.0, plate.reading.box[1] * scale_y - _TEXT_PX - 6)
        box = draw.textbbox((left, top), plate.reading.text, font=font)
        draw.rectangle((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), fill=_PAPER)
        draw.text((left, top), plate.reading.text, fill=BOARD, font=font)
    return tile


def _encoded(sheet: Image.Image, kind: str) -> bytes:
    encoded = io.BytesIO()
    sheet.save(encoded, kind, **({"quality": 88} if kind == "JPEG" else {}))
    return encoded.getvalue()
