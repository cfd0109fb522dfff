"""Signs and words that are no plate, for a detector to learn from."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image, Polygon, lay_ink, shrunk
from dataset_tools.draw.chance import pick
from dataset_tools.draw.faces.glyphs import glyph
from sub_module.plates.geometry import boxes_touch, region_corners

_WORDS = (
    *("EXIT", "SALE", "TAXI", "STOP", "OPEN", "PARKING", "HOTEL", "BUS 7", "24H", "50%", "CAFE"),
    *("No. 5", "WC", "24/7", "2026", "FRAGILE", "Platz 3", "km 80", "+49 30", "www", "KEEP LEFT"),
)
_SIGN_SHAPES = ("board", "circle", "words")


def draw_distractor(
    image: Image,
    taken: Sequence[Polygon],
    fonts: Sequence[str],
    rng: np.random.Generator,
) -> None:
    """Draw a sign or a word into the image, in place; draw nothing when no place is free.

    Args:
        image: (H, W, 3) RGB, changed.
        taken: Quadrangles of plates that must stay visible.
        fonts: Font files to choose from.
        rng: Where chance comes from.
    """
    height, width = image.shape[:2]
    sign_w = int(rng.uniform(0.06, 0.3) * width)
    sign_h = int(np.clip(sign_w * rng.uniform(0.2, 1.2), 12, height // 3))
    x, y = int(rng.integers(0, width - sign_w)), int(rng.integers(0, height - sign_h))
    sign = region_corners((x, y, x + sign_w, y + sign_h))
    if any(boxes_touch(sign, other, margin=8.0) for other in taken):
        return
    background, ink = rng.integers(0, 256, 3), rng.integers(0, 256, 3)
    region = image[y : y + sign_h, x : x + sign_w]
    shape = pick(_SIGN_SHAPES, rng)
    if shape == "board":
        region[:] = background
    elif shape == "circle":
        radius = min(sign_w, sign_h) // 2
        centre = (sign_w // 2, sign_h // 2)
        cv2.circle(region, centre, radius, background.tolist(), -1, cv2.LINE_AA)
        cv2.circle(region, centre, radius, ink.tolist(), max(1, radius // 8), cv2.LINE_AA)
    if shape == "words" or rng.random() < 0.7:
        _write(region, pick(_WORDS, rng), pick(fonts, rng), ink)


def _write(region: Image, word: str, font: str, ink: NDArray[np.int64]) -> None:
    """Set a word across the middle of the region, as high as fits."""
    height, width = region.shape[:2]
    glyphs = [None if c == " " else glyph(font, c) for c in word]
    relative = sum((g.relative_width if g else 0.4) + 0.12 for g in glyphs)
    size = min(height * 0.6, width * 0.9 / relative)
    x, top = (width - relative * size) / 2, (height - size) / 2
    for g in glyphs:
        advance = (g.relative_width if g else 0.4) * size
        if g is not None and advance >= 2 and size >= 4:
            mask = shrunk(g.mask, (int(advance), int(size)))
            spot = region[int(top) : int(top) + mask.shape[0], int(x) : int(x) + mask.shape[1]]
            lay_ink(spot, mask[: spot.shape[0], : spot.shape[1]], ink)
        x += advance + 0.12 * size
