"""Plates without furniture: characters fill the boxes of their groups."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Colour, Image, Polygon
from dataset_tools.draw.chance import pick, varied
from dataset_tools.draw.faces.glyphs import glyph
from dataset_tools.draw.plates.flat import FlatPlate, stamp
from sub_module.plates import Group, Layout, PlateStandard, Slot
from sub_module.plates.geometry import UNIT_SQUARE, Points, region_corners


def paint_plain(
    standard: PlateStandard,
    layout: Layout,
    width_px: int,
    fonts: Sequence[str],
    rng: np.random.Generator,
) -> FlatPlate:
    """Paint a plate of a layout without furniture: see `paint_plate`."""
    height_px = max(8, round(width_px / layout.aspect))
    colours = pick(standard.colours, rng)
    background, ink = varied(colours.background, 10, rng), varied(colours.text, 10, rng)
    coverage = np.zeros((height_px, width_px), np.uint8)
    font = pick(fonts, rng)
    labels: list[str] = [layout.label]
    polygons: list[Points] = [UNIT_SQUARE]
    for group in layout.groups:
        text = [c for c in _random_text(group.slots, rng) if c]
        cells = _cells(group, len(text), rng)
        if text:
            labels.append(group.label)
            polygons.append(region_corners(group.box))
        for character, cell in zip(text, cells, strict=True):
            labels.append(standard.label_of(character))
            polygons.append(_stamp(coverage, font, character, cell))
    ground = _ground(height_px, width_px, background, ink, rng)
    alpha = coverage[..., None].astype(np.float32) / 255.0
    image = ground * (1 - alpha) + np.array(ink, np.float32) * alpha
    smallest = min(group.box[3] - group.box[1] for group in layout.groups)
    return FlatPlate(
        np.clip(image, 0, 255).astype(np.uint8), tuple(labels), tuple(polygons), smallest
    )


def _random_text(slots: Sequence[Slot], rng: np.random.Generator) -> list[str]:
    """A character for each slot; an optional one is left out (empty) half of the time."""
    return [
        "" if slot.optional and rng.random() < 0.5 else pick(slot.alphabet, rng) for slot in slots
    ]


def _cells(group: Group, count: int, rng: np.random.Generator) -> list[tuple[float, ...]]:
    """Boxes for a group's characters: (x1, y1, x2, y2), evenly spaced, with a little play."""
    x1, y1, x2, y2 = group.box
    pitch = (x2 - x1) / max(count, 1)
    gap = rng.uniform(0.06, 0.20) * pitch
    inset = rng.uniform(0.0, 0.08) * (y2 - y1)
    return [
        (x1 + i * pitch + gap / 2, y1 + inset, x1 + (i + 1) * pitch - gap / 2, y2 - inset)
        for i in range(count)
    ]


def _stamp(coverage: Image, font: str, character: str, cell: tuple[float, ...]) -> Polygon:
    """Draw a character into `coverage`, filling the cell's height; return its outline."""
    height, width = coverage.shape
    shape = glyph(font, character)
    x1, y1, x2, y2 = np.array(cell) * (width, height, width, height)
    # Narrow characters keep their proportion; wide ones are squeezed into the cell.
    ink_width = min(shape.relative_width / 0.78, 1.0) * (x2 - x1)
    left = (x1 + x2 - ink_width) / 2
    return stamp(coverage, shape, (left, y1, left + ink_width, y2))


def _ground(
    height: int, width: int, background: Colour, ink: Colour, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The plate without text: a soft gradient, a border line and two bolts, each by chance."""
    ground = np.empty((height, width, 3), np.float32)
    ground[:] = background
    if rng.random() < 0.6:
        ramp = np.linspace(rng.uniform(-30, 10), rng.uniform(-10, 20), width, dtype=np.float32)
        ground += ramp[None, :, None]
    if rng.random() < 0.7:
        thickness = max(1, round(height * rng.uniform(0.012, 0.03)))
        margin = round(height * rng.uniform(0.0, 0.03))
        corner = (width - 1 - margin, height - 1 - margin)
        cv2.rectangle(ground, (margin, margin), corner, tuple(ink), thickness)
    if rng.random() < 0.5:
        radius = max(1, round(height * rng.uniform(0.02, 0.04)))
        grey = float(rng.uniform(60, 200))
        y = round(height * rng.uniform(0.08, 0.2))
        for x in (round(width * 0.12), round(width * 0.88)):
            cv2.circle(ground, (x, y), radius, (grey, grey, grey), -1, cv2.LINE_AA)
    return ground
