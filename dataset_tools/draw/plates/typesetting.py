"""Where the characters of a plate stand, set as real plates are: text need not fill the plate, and
stands in groups with something between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sub_module.plates import Layout
from sub_module.plates.geometry import Box

# Gaps: at a change from letters to digits, elsewhere, and how many a row has at most.
_GAP_AT_CHANGE, _GAP_ELSEWHERE, _MAX_GAPS = 0.72, 0.1, 3
# Characters are narrowed and widened within these factors.
_NARROWEST, _WIDEST = 0.66, 1.25
# Height of the characters, as a share of that of their group's box.
_TEXT_HEIGHT = (0.65, 1.0)
# Above (or below) the rows of a plate of several, where it has a caption there.
_CAPTION_HEIGHT = (0.13, 0.19)


@dataclass(frozen=True)
class Line:
    """Where the characters of a row stand, in pixels.

    Attributes:
        boxes: (x1, y1, x2, y2) of the ink of each character.
        gaps: (x1, y1, x2, y2) of each gap between groups of characters.
    """

    boxes: list[Box]
    gaps: list[Box]


def row_rooms(
    layout: Layout, drawn: set[str], size: tuple[int, int], rng: np.random.Generator
) -> list[list[float]]:
    """Where each row's characters stand on a plate of (width, height) pixels: (x1, y1, x2, y2)."""
    width, height = size
    top, bottom = 0.0, 1.0
    if len(layout.rows) > 1:
        if drawn & {"caption_above", "top_band"}:
            top = rng.uniform(*_CAPTION_HEIGHT)
        if "caption_below" in drawn:
            bottom = 1 - rng.uniform(*_CAPTION_HEIGHT) * 0.8
    low, high = _TEXT_HEIGHT
    share = low + (high - low) * rng.random() ** 0.8
    rooms = []
    for row in layout.rows:
        x1, x2 = min(g.box[0] for g in row.groups), max(g.box[2] for g in row.groups)
        y1, y2 = (
            top + y * (bottom - top)
            for y in (min(g.box[1] for g in row.groups), max(g.box[3] for g in row.groups))
        )
        own = share * (y2 - y1) * (rng.uniform(0.85, 1.0) if len(layout.rows) > 1 else 1.0)
        y1 += (y2 - y1 - own) * min(max(rng.normal(0.5, 0.18), 0.0), 1.0)
        rooms.append([x1 * width, y1 * height, x2 * width, (y1 + own) * height])
    return rooms


def gaps_after(text: Sequence[str], rng: np.random.Generator) -> list[int]:
    """After which of a row's characters, by index, there is a gap: mostly where letters change to
    digits or back."""
    if rng.random() < 0.15:
        return []
    gaps = [
        i
        for i, (a, b) in enumerate(pairwise(text))
        if rng.random() < (_GAP_AT_CHANGE if a.isalpha() != b.isalpha() else _GAP_ELSEWHERE)
    ]
    while len(gaps) > _MAX_GAPS:
        gaps.pop(int(rng.integers(len(gaps))))
    return gaps


def set_row(
    widths: Sequence[float],
    gap_widths: Sequence[float],
    room: Sequence[float],
    rng: np.random.Generator,
) -> Line:
    """Set the characters of a row into a room, in the manner of one plate maker or another.

    Args:
        widths: Of each character, as a share of its height.
        gap_widths: After each character but the last, as a share of the height: 0 where there is
            no gap.
        room: (x1, y1, x2, y2) in pixels, as high as the characters; long texts are lower.
        rng: Where chance comes from.
    """
    x1, y1, x2, y2 = room
    # Some makers give every character the room of a wide one, a narrow 1 or I too.
    least = 0.95 * float(np.median(widths)) if rng.random() < 0.35 else 0.0
    cells = [max(width, least) for width in widths]
    space = rng.uniform(0.06, 0.26)
    needed = sum(cells) + space * len(gap_widths) + sum(gap_widths)
    height, wide = _fitted(needed, (x2 - x1, y2 - y1), rng)
    slack = max((x2 - x1) / height - needed * wide, 0.0)
    spread = _spread(slack, needed, rng)
    # What is to spare goes between the characters, and twice as much into each gap.
    parts = len(gap_widths) + 2 * sum(gap > 0 for gap in gap_widths)
    share = spread / parts if parts else 0.0
    x = x1 + (slack - share * parts) * height * _alignment(rng)
    top = y1 + (y2 - y1 - height) * rng.uniform(0.3, 0.7)
    boxes, gaps = [], []
    for width, cell, gap in zip(widths, cells, [*gap_widths, 0.0], strict=True):
        left = x + (cell - width) / 2 * wide * height
        boxes.append((left, top, left + width * wide * height, top + height))
        x += cell * wide * height
        step = ((gap + space) * wide + share * (3 if gap > 0 else 1)) * height
        if gap > 0:
            gaps.append((x, top, x + step, top + height))
        x += step
    return Line(boxes, gaps)


def _fitted(
    needed: float, room: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float]:
    """How high, in pixels, and how wide, of their own width, characters are that fit a room.

    Args:
        needed: The text's width, in heights.
        room: Its width and its height, in pixels.
        rng: Where chance comes from.
    """
    width, height = room
    share = width / height / needed
    if share >= 1:
        return height, rng.uniform(1.0, min(_WIDEST, share)) if rng.random() < 0.5 else 1.0
    if share < _NARROWEST:
        return height * share / _NARROWEST, _NARROWEST
    return height, share


def _spread(slack: float, needed: float, rng: np.random.Generator) -> float:
    """How much of the width to spare goes between the characters."""
    choice = rng.random()
    if choice < 0.4:
        return 0.0
    most = min(slack, needed * 0.6)
    return most if choice < 0.65 else most * rng.random()


def _alignment(rng: np.random.Generator) -> float:
    """How much of the width that stays to spare stands left of the text."""
    choice = rng.random()
    if choice < 0.55:
        return 0.5
    return 0.0 if choice < 0.68 else 1.0 if choice < 0.76 else rng.random()
