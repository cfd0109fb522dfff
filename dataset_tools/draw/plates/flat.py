"""A plate seen from the front, and characters put on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dataset_tools.draw.brushes import Image, Polygon, shrunk
from dataset_tools.draw.faces.glyphs import Glyph
from sub_module.plates.geometry import UNIT_SQUARE, Points


@dataclass(frozen=True)
class FlatPlate:
    """A plate before it stands in a scene.

    Attributes:
        image: (H, W, 3) RGB: the plate, and round it its holder, if it has one.
        labels: Class of each polygon: board, groups, characters.
        polygons: Each (n, 2), in plate coordinates (0 to 1).
        character_height: Height of the smallest characters as a share of the plate's height.
        board: (4, 2) corners of the plate as shares of the picture's width and height.
    """

    image: Image
    labels: tuple[str, ...]
    polygons: tuple[Points, ...]
    character_height: float
    board: Points = field(default_factory=lambda: UNIT_SQUARE)

    @property
    def board_shape(self) -> tuple[float, float]:
        """(height, width) of the plate in pixels, without its holder."""
        width, height = np.ptp(self.board, axis=0) * self.image.shape[1::-1]
        return float(height), float(width)


def stamp(coverage: Image, shape: Glyph, box: Sequence[float]) -> Polygon:
    """Draw a character into the ink of a plate, in place.

    Args:
        coverage: (H, W), 255 where there is ink; changed.
        shape: The character.
        box: (x1, y1, x2, y2) in pixels that it fills.

    Returns:
        (n, 2) its outline, in plate coordinates.
    """
    height, width = coverage.shape
    x1, y1, x2, y2 = box
    left, top = max(round(x1), 0), max(round(y1), 0)
    size = (max(2, round(x2 - x1)), max(3, round(y2 - y1)))
    mask = shrunk(shape.mask, size)
    target = coverage[top : top + size[1], left : left + size[0]]
    np.maximum(target, mask[: target.shape[0], : target.shape[1]], out=target)
    outline: Polygon = (shape.outline * size + (left, top)) / (width, height)
    return outline
