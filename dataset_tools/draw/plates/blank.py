"""A plate that is being painted: its picture, the room that its text has, and a few brushes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import SHIFT, Colour, Image, fill, fixed_point, shrunk
from dataset_tools.draw.chance import pick
from dataset_tools.draw.faces.glyphs import word

# From this width over height on there is little room above and below the text.
_WIDE = 3.4
_LEVELS = np.arange(256).reshape(1, 256, 1) / 255
_ARC = np.linspace(0, np.pi / 2, 6)


@dataclass
class Blank:
    """A plate that is being painted, all lengths in pixels of its picture.

    Attributes:
        image: (H, W, 3) RGB, changed by every brush.
        background: RGB of the plate.
        ink: RGB of its text.
        fonts: Font files for small print.
        rooms: For each row the (x1, y1, x2, y2) where its text may stand; what stands beside the
            text takes from it.
        around: RGB of what is seen behind rounded corners, and of the holder.
        drawn: The names of all furniture that this plate has.
    """

    image: Image
    background: Colour
    ink: Colour
    fonts: Sequence[str]
    rooms: list[list[float]]
    around: Colour = (30.0, 30.0, 32.0)
    drawn: set[str] = field(default_factory=set)

    @property
    def height(self) -> int:
        """Of the plate."""
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        """Of the plate."""
        return int(self.image.shape[1])

    @property
    def is_dark(self) -> bool:
        """Whether the text is lighter than its ground."""
        return sum(self.background) < sum(self.ink)

    @property
    def is_wide(self) -> bool:
        """Whether it is long and low, as most of Europe's are."""
        return self.width >= _WIDE * self.height

    def font(self, rng: np.random.Generator) -> str:
        """One of the fonts for small print."""
        return pick(self.fonts, rng)

    def fill(self, box: Sequence[float], colour: Colour) -> None:
        """Fill an upright box (x1, y1, x2, y2)."""
        x1, y1, x2, y2 = (round(value) for value in box)
        self.image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = np.array(colour, np.uint8)

    def disc(
        self, centre: Sequence[float], radius: float, colour: Colour, line: float = 0.0
    ) -> None:
        """A disc; with a `line` width only its edge."""
        x, y, size = (round(value * (1 << SHIFT)) for value in (*centre, radius))
        width = max(1, round(line)) if line else -1
        cv2.circle(self.image, (x, y), size, tuple(colour), width, cv2.LINE_AA, SHIFT)

    def polygon(self, points: NDArray[np.floating], colour: Colour, line: float = 0.0) -> None:
        """A polygon (n, 2), filled; with a `line` width only its edge."""
        if not line:
            fill(self.image, points, colour)
            return
        width, fixed = max(1, round(line)), [fixed_point(points)]
        cv2.polylines(self.image, fixed, True, tuple(colour), width, cv2.LINE_AA, SHIFT)

    def write(self, text: str, font: str, box: Sequence[float], colour: Colour) -> None:
        """Set words into the middle of a box, as high as fits; specks are left out."""
        x1, y1, x2, y2 = box
        mask = word(font, text)
        height, width = mask.shape
        scale = min((y2 - y1) / height, (x2 - x1) / width * 1.15)
        w, h = round(min(scale * width, x2 - x1)), round(scale * height)
        if w < 2 or h < 3:
            return
        left, top = max(round((x1 + x2 - w) / 2), 0), max(round((y1 + y2 - h) / 2), 0)
        region = self.image[top : top + h, left : left + w]
        blend(region, shrunk(mask, (w, h)), colour)


def blend(region: Image, coverage: Image, colour: Colour) -> None:
    """Lay a colour over a picture, in place, as densely as `coverage` (h, w) says, of 255.

    The coverage may be larger than the picture; what stands out is left out.
    """
    height, width = region.shape[:2]
    alpha = cv2.merge([coverage[:height, :width]] * 3)
    # Whole numbers throughout: several times as fast as floating point.
    own = cv2.LUT(alpha, (_LEVELS * np.asarray(colour)).astype(np.uint8))
    region[:] = cv2.add(cv2.multiply(region, cv2.bitwise_not(alpha), scale=1 / 255), own)


def rounded(box: Sequence[float], radius: float) -> NDArray[np.float64]:
    """(24, 2) the outline of a box (x1, y1, x2, y2) with round corners, clockwise."""
    x1, y1, x2, y2 = box
    radius = max(0.0, min(radius, (x2 - x1) / 2, (y2 - y1) / 2))
    cos, sin = np.cos(_ARC) * radius, np.sin(_ARC) * radius
    corners = (
        (x2 - radius + sin, y1 + radius - cos),
        (x2 - radius + cos, y2 - radius + sin),
        (x1 + radius - sin, y2 - radius + cos),
        (x1 + radius - cos, y1 + radius - sin),
    )
    return np.concatenate([np.stack(corner, axis=1) for corner in corners])
