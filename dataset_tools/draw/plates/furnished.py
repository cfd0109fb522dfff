"""Plates as real ones are made: text where there is room for it, and furniture round it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dataset_tools.draw.brushes import Image, Polygon, shrunk
from dataset_tools.draw.chance import own_generator, varied
from dataset_tools.draw.faces.glyphs import Glyph
from dataset_tools.draw.faces.strokes import random_letters
from dataset_tools.draw.plates.blank import Blank, blend
from dataset_tools.draw.plates.flat import FlatPlate, stamp
from dataset_tools.draw.plates.furniture import BETWEEN, OVER_TEXT, UNDER_TEXT, Painter, holder
from dataset_tools.draw.plates.grounds import emboss, worn
from dataset_tools.draw.plates.texts import random_text
from dataset_tools.draw.plates.typesetting import gaps_after, row_rooms, set_row
from sub_module.plates import Layout, PlateStandard
from sub_module.plates.geometry import UNIT_SQUARE, Box, Points, region_corners

# Plates are painted at least this wide, and made smaller afterwards: what is small on them has no
# whole pixels.
_MIN_WIDTH_PX = 176
# How far the polygon of a group goes beyond its characters, as a share of the plate's sides.
_GROUP_MARGIN = 0.02


def paint_furnished(
    standard: PlateStandard,
    layout: Layout,
    width_px: int,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> FlatPlate:
    """Paint a plate of a layout with furniture: see `paint_plate`."""
    # Pieces of furniture take from generators of their own: without one the rest stays as it is.
    rng = np.random.default_rng(int(rng.integers(2**32)))
    width = max(width_px, _MIN_WIDTH_PX)
    blank = _random_blank(standard, layout, width, settings["fonts"], own_generator(rng, "blank"))
    _furnish(blank, UNDER_TEXT, rng)
    labels, polygons, smallest = _letter(blank, standard, layout, settings, rng)
    _furnish(blank, OVER_TEXT, rng)
    image, board = blank.image, UNIT_SQUARE
    if "holder" in blank.drawn:
        image, board = holder(blank, own_generator(rng, "holder"))
    if blank.width > width_px:
        scale = width_px / blank.width
        image = shrunk(image, [max(1, round(side * scale)) for side in image.shape[1::-1]])
    return FlatPlate(image, tuple(labels), tuple(polygons), smallest, board)


def _random_blank(
    standard: PlateStandard,
    layout: Layout,
    width: int,
    fonts: Sequence[str],
    rng: np.random.Generator,
) -> Blank:
    """An empty sheet, `width` pixels wide, with all decided that it will have."""
    drawn = {name for name, share in layout.furniture if own_generator(rng, name).random() < share}
    height = max(8, round(width / _random_aspect(layout, rng)))
    weights = np.cumsum([pair.weight for pair in standard.colours])
    pair = standard.colours[int(np.searchsorted(weights, rng.random() * weights[-1]))]
    # Faded or bright; the shade of colour differs less.
    background, ink = (
        varied(np.array(colour) + rng.normal(0, 9), 4, rng)
        for colour in (pair.background, pair.text)
    )
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.array(background, np.uint8)
    dark = rng.random() < 0.7
    around = rng.uniform(8, 60) if dark else rng.uniform(120, 245)
    tinted = varied((around,) * 3, 6, rng)
    rooms = row_rooms(layout, drawn, (width, height), rng)
    return Blank(image, background, ink, fonts, rooms, tinted, drawn)


def _random_aspect(layout: Layout, rng: np.random.Generator) -> float:
    """Half of the time near the layout's own proportions, else anywhere in its range."""
    low, high = layout.aspects
    anywhere = low * (high / low) ** rng.random()
    if low <= layout.aspect <= high and rng.random() < 0.5:
        return float(layout.aspect + (anywhere - layout.aspect) * 0.3 * rng.random())
    return float(anywhere)


def _furnish(blank: Blank, pieces: Mapping[str, Painter], rng: np.random.Generator) -> None:
    for name, paint in pieces.items():
        if name in blank.drawn:
            paint(blank, own_generator(rng, name))


def _letter(
    blank: Blank,
    standard: PlateStandard,
    layout: Layout,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[list[str], list[Points], float]:
    """Paint the characters and what parts them.

    Returns:
        Labels and polygons of board, groups and characters, and the height of the smallest
        characters as a share of the plate's.
    """
    text = iter(random_text(standard, layout, rng))
    letters = random_letters(standard.alphabet, settings, rng)
    coverage = np.zeros(blank.image.shape[:2], np.uint8)
    labels: list[str] = [layout.label]
    polygons: list[Points] = [UNIT_SQUARE]
    smallest = 1.0
    for row, room in zip(layout.rows, blank.rooms, strict=True):
        # Which group each character is of.
        placed = [(g, c) for g in row.groups for _, c in zip(g.slots, text, strict=False) if c]
        if not placed:
            continue
        characters = [c for _, c in placed]
        shapes = [letters(c) for c in characters]
        boxes = _set(blank, characters, shapes, room, rng)
        outlines = [stamp(coverage, s, box) for s, box in zip(shapes, boxes, strict=True)]
        smallest = min(smallest, (boxes[0][3] - boxes[0][1]) / blank.height)
        for group in row.groups:
            own = [i for i, (of, _) in enumerate(placed) if of is group]
            if own:
                labels.append(group.label)
                polygons.append(_around([outlines[i] for i in own]))
                labels += [standard.label_of(characters[i]) for i in own]
                polygons += [outlines[i] for i in own]
    _ink(blank, coverage, rng)
    return labels, polygons, smallest


def _set(
    blank: Blank,
    characters: Sequence[str],
    shapes: Sequence[Glyph],
    room: Sequence[float],
    rng: np.random.Generator,
) -> list[Box]:
    """Where a row's characters stand, in pixels; what stands between them is painted."""
    parts = [name for name in BETWEEN if name in blank.drawn]
    between: dict[int, str | None] = {}
    for number, index in enumerate(gaps_after(characters, rng)):
        # Seals and emblems stand in one gap, marks in each of the others.
        usable = parts if number == 0 else [p for p in parts if p in ("hyphen", "dot")]
        between[index] = usable[0] if usable else None
        if between[index] in ("seals", "emblem"):
            # Once a plate.
            blank.drawn -= {"seals", "emblem"}
    widths = [0.0] * (len(characters) - 1)
    for index, name in between.items():
        widths[index] = rng.uniform(*BETWEEN[name].width) if name else rng.uniform(0.15, 0.5)
    line = set_row([shape.relative_width for shape in shapes], widths, room, rng)
    for gap, index in zip(line.gaps, sorted(between), strict=True):
        name = between[index]
        if name is not None:
            BETWEEN[name].paint(blank, gap, own_generator(rng, name))
    play = rng.uniform(0, 0.015) * (room[3] - room[1]) * (rng.random() < 0.2)
    shifts = (rng.normal(size=len(line.boxes)) * play).tolist()
    return [
        (x1, y1 + dy, x2, y2 + dy) for (x1, y1, x2, y2), dy in zip(line.boxes, shifts, strict=True)
    ]


def _ink(blank: Blank, coverage: Image, rng: np.random.Generator) -> None:
    """Lay the text's colour on, worn and embossed where that is to be."""
    if "wear" in blank.drawn:
        coverage = worn(coverage, own_generator(rng, "wear"))
    if "relief" in blank.drawn:
        emboss(blank.image, coverage, own_generator(rng, "relief"))
    blend(blank.image, coverage, blank.ink)


def _around(outlines: Sequence[Polygon]) -> Points:
    """The corners of an upright box round outlines, with a margin, inside the plate."""
    points = np.concatenate(outlines)
    low = np.clip(points.min(0) - _GROUP_MARGIN, 0, 1)
    high = np.clip(points.max(0) + _GROUP_MARGIN, 0, 1)
    return region_corners((*low, *high))
