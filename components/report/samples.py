"""Pictures of plates: what the model read rightly, wrongly, missed or made up."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from sub_module.datasets.coco import load_image
from sub_module.errors import DataError
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.geometry import Box
from sub_module.plates.picture import annotate
from sub_module.plates.reading import Point

_WIDTH_PX, _HEIGHT_PX = 360, 240
_JPEG_QUALITY = 82
# Pieces of a text; the second entry says whether the piece differs from the other text.
Pieces = tuple[tuple[str, bool], ...]
Corners = tuple[Point, Point, Point, Point]


@dataclass(frozen=True)
class Sample:
    """One plate of the test.

    Attributes:
        file: Name of its image.
        picture: A data URL of a JPEG; None when the image cannot be read.
        truth: Its text; empty when there is no such plate.
        read: The model's text; empty when it read none.
        score: The model's confidence; None when it read none.
        layouts: Of truth and reading, where they differ.
    """

    file: str
    picture: str | None
    truth: Pieces
    read: Pieces
    score: float | None
    layouts: tuple[str, str] | None


@dataclass(frozen=True, eq=False)
class CloseUp:
    """A part of an image, enlarged.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        left: Pixels of the whole image that were cut off on the left.
        top: The same above.
        scale: By which the rest was enlarged.
    """

    image: npt.NDArray[np.uint8]
    left: int
    top: int
    scale: float

    def moved(self, point: Point) -> Point:
        """Where a point of the whole image is in this one."""
        x, y = point
        return (x - self.left) * self.scale, (y - self.top) * self.scale


def sample(
    path: Path, truth: PlateReading | None, reading: PlateReading | None, standard: PlateStandard
) -> Sample:
    """A plate and what is round it, marked by the reading or, where there is none, the truth."""
    shown = reading or truth
    if shown is None:
        raise ValueError("a sample needs a truth or a reading")
    truth_text, read_text = (plate.text if plate else "" for plate in (truth, reading))
    return Sample(
        file=path.name,
        picture=picture_of(path, [shown], standard),
        truth=pieces(truth_text, read_text),
        read=pieces(read_text, truth_text),
        score=reading.score if reading else None,
        layouts=(
            (truth.layout, reading.layout)
            if truth and reading and truth.layout != reading.layout
            else None
        ),
    )


def pieces_of(texts: Sequence[str], others: Sequence[str]) -> tuple[Pieces, ...]:
    """Texts that are not found among the others cut where they differ, if there is one of each."""
    own = [text for text in texts if text not in others]
    rest = [text for text in others if text not in texts]
    other = rest[0] if len(own) == len(rest) == 1 else ""
    return tuple(pieces(text, other if text in own else "") for text in texts)


def pieces(text: str, other: str) -> Pieces:
    """The text cut where it begins or ceases to differ from the other; whole if there is none."""
    if not other:
        return ((text, False),) if text else ()
    if len(text) == len(other):
        runs = groupby(zip(text, other, strict=True), key=lambda pair: pair[0] != pair[1])
        return tuple(("".join(own for own, _ in run), differs) for differs, run in runs)
    codes = SequenceMatcher(None, text, other, autojunk=False).get_opcodes()
    return tuple((text[i1:i2], tag != "equal") for tag, i1, i2, _, _ in codes if i2 > i1)


def picture_of(path: Path, plates: Sequence[PlateReading], standard: PlateStandard) -> str | None:
    """A data URL of a JPEG of these plates, marked, and what is round them.

    Returns:
        None when the image cannot be read, or there are no plates.
    """
    try:
        return data_url(_marked(load_image(path), plates, standard)) if plates else None
    except DataError:
        return None


def _marked(
    image: npt.NDArray[np.uint8], plates: Sequence[PlateReading], standard: PlateStandard
) -> npt.NDArray[np.uint8]:
    shown = close_up(image, [plate.box for plate in plates])
    moved = [replace(plate, corners=_moved(plate, shown)) for plate in plates]
    return annotate(shown.image, moved, standard)


def close_up(image: npt.NDArray[np.uint8], boxes: Sequence[Box]) -> CloseUp:
    """What is round some boxes (x1, y1, x2, y2) of an image (H, W, 3), fitted to the page."""
    height_px, width_px = image.shape[:2]
    corners = np.array(boxes).reshape(-1, 2, 2)
    (x1, y1), (x2, y2) = corners.min(axis=(0, 1)), corners.max(axis=(0, 1))
    # They take about half of the width, so that one sees where they hang.
    wanted = max(2 * (x2 - x1), 2.4 * (y2 - y1) * _WIDTH_PX / _HEIGHT_PX, 64)
    crop_width = round(min(wanted, width_px))
    crop_height = round(min(wanted * _HEIGHT_PX / _WIDTH_PX, height_px))
    left = int(np.clip((x1 + x2 - crop_width) / 2, 0, width_px - crop_width))
    top = int(np.clip((y1 + y2 - crop_height) / 2, 0, height_px - crop_height))
    crop = image[top : top + crop_height, left : left + crop_width]
    scale = min(_WIDTH_PX / crop_width, _HEIGHT_PX / crop_height)
    size = (max(1, round(crop_width * scale)), max(1, round(crop_height * scale)))
    resized = np.array(Image.fromarray(crop).resize(size, Image.Resampling.BICUBIC))
    return CloseUp(resized, left, top, scale)


def _moved(plate: PlateReading, shown: CloseUp) -> Corners:
    first, second, third, fourth = (shown.moved(point) for point in plate.corners)
    return first, second, third, fourth


def data_url(image: npt.NDArray[np.uint8]) -> str:
    """A JPEG of (H, W, 3) uint8 RGB that stands in the page itself."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
