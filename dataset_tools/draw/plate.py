"""One plate painted flat, seen from the front."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.blank import Blank, blend, varied
from dataset_tools.draw.furniture import (
    BETWEEN,
    OVER_TEXT,
    UNDER_TEXT,
    check_furniture,
    holder,
)
from dataset_tools.draw.glyphs import Glyph, glyph
from dataset_tools.draw.grounds import emboss, worn
from dataset_tools.draw.lettering import (
    gaps_after,
    plate_text,
    random_aspect,
    row_rooms,
    set_row,
)
from dataset_tools.draw.strokes import CHARACTERS, random_face
from sub_module.plates import Group, Layout, PlateStandard, Slot
from sub_module.plates.geometry import UNIT_SQUARE, Points, region_corners

Image = NDArray[np.uint8]
Polygon = NDArray[np.float64]
Letters = Callable[[str], Glyph]

# Plates with furniture are painted at least this wide, and made smaller afterwards: what is small
# on them has no whole pixels.
_MIN_WIDTH_PX = 176
# How far the polygon of a group goes beyond its characters, as a share of the plate's sides.
_GROUP_MARGIN = 0.02


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


def paint_plate(
    standard: PlateStandard,
    layout: Layout,
    width_px: int,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> FlatPlate:
    """Paint a plate with a random text, lettering and colours.

    A layout that names furniture is drawn as real plates are set, text where there is room for it;
    on one that names none, the characters fill the boxes of their groups.

    Args:
        standard: Where colours and class labels come from.
        layout: How the text is set.
        width_px: Width of the plate; the height follows from the layout's aspect. The result is
            larger by a holder, if there is one.
        settings: `dataset.draw` of a config: `fonts` and `strokes`.
        rng: Where chance comes from.

    Raises:
        ConfigError: There is no such furniture or font.
    """
    if not layout.furniture:
        return _plain_plate(standard, layout, width_px, settings["fonts"], rng)
    check_furniture(standard, layout)
    return _Painting(standard, layout, width_px, settings, rng).plate()


class _Painting:
    """A plate with furniture on its way from a blank to a picture."""

    def __init__(
        self,
        standard: PlateStandard,
        layout: Layout,
        width_px: int,
        settings: Mapping[str, Any],
        rng: np.random.Generator,
    ) -> None:
        """Cut the sheet and decide what it will have; see `paint_plate`."""
        self._standard, self._layout, self._width_px, self._rng = standard, layout, width_px, rng
        self._settings = settings
        names, shares = zip(*layout.furniture, strict=True)
        chances = rng.random(len(names))
        drawn = {
            n for n, share, chance in zip(names, shares, chances, strict=True) if chance < share
        }
        width = max(width_px, _MIN_WIDTH_PX)
        height = max(8, round(width / random_aspect(layout, rng)))
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
        self._blank = Blank(image, background, ink, settings["fonts"], rooms, tinted, drawn)

    def plate(self) -> FlatPlate:
        """Paint it all."""
        blank = self._blank
        self._furnish(UNDER_TEXT)
        labels, polygons, smallest = self._text()
        self._furnish(OVER_TEXT)
        image, board = blank.image, UNIT_SQUARE
        if "holder" in blank.drawn:
            image, board = holder(image, blank, self._rng)
        if blank.width > self._width_px:
            scale = self._width_px / blank.width
            size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return FlatPlate(image, tuple(labels), tuple(polygons), smallest, board)

    def _furnish(self, pieces: Mapping[str, Callable[[Blank, np.random.Generator], None]]) -> None:
        for name, paint in pieces.items():
            if name in self._blank.drawn:
                paint(self._blank, self._rng)

    def _text(self) -> tuple[list[str], list[Points], float]:
        """Paint the characters and what parts them.

        Returns:
            Labels and polygons of board, groups and characters, and the height of the smallest
            characters as a share of the plate's.
        """
        rng, blank, layout = self._rng, self._blank, self._layout
        text = iter(plate_text(self._standard, layout, rng))
        letters = _letters(self._standard.alphabet, self._settings, rng)
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
            boxes = self._set(characters, shapes, room, rng)
            outlines = [
                _stamp_box(coverage, shape, box) for shape, box in zip(shapes, boxes, strict=True)
            ]
            smallest = min(smallest, (boxes[0][3] - boxes[0][1]) / blank.height)
            for group in row.groups:
                own = [i for i, (of, _) in enumerate(placed) if of is group]
                if own:
                    labels.append(group.label)
                    polygons.append(_around([outlines[i] for i in own]))
                    labels += [self._standard.label_of(characters[i]) for i in own]
                    polygons += [outlines[i] for i in own]
        self._ink(coverage)
        return labels, polygons, smallest

    def _set(
        self,
        characters: Sequence[str],
        shapes: Sequence[Glyph],
        room: Sequence[float],
        rng: np.random.Generator,
    ) -> list[tuple[float, float, float, float]]:
        """Where a row's characters stand; what stands between them is painted."""
        after = gaps_after(characters, rng)
        parts = [name for name in BETWEEN if name in self._blank.drawn]
        between: dict[int, str | None] = {}
        for number, index in enumerate(after):
            # Seals and emblems stand in one gap, marks in each of the others.
            usable = parts if number == 0 else [p for p in parts if p in ("hyphen", "dot")]
            between[index] = usable[0] if usable else None
            if between[index] in ("seals", "emblem"):
                # Once a plate.
                self._blank.drawn -= {"seals", "emblem"}
        widths = [0.0] * (len(characters) - 1)
        for index, name in between.items():
            widths[index] = rng.uniform(*BETWEEN[name].width) if name else rng.uniform(0.15, 0.5)
        line = set_row(
            [shape.relative_width for shape in shapes], widths, room, room[3] - room[1], rng
        )
        for gap, index in zip(line.gaps, sorted(between), strict=True):
            name = between[index]
            if name is not None:
                BETWEEN[name].paint(self._blank, gap, self._rng)
        play = rng.uniform(0, 0.015) * (room[3] - room[1]) * (rng.random() < 0.2)
        shifts = (rng.normal(size=len(line.boxes)) * play).tolist()
        return [
            (x1, y1 + dy, x2, y2 + dy)
            for (x1, y1, x2, y2), dy in zip(line.boxes, shifts, strict=True)
        ]

    def _ink(self, coverage: Image) -> None:
        """Lay the text's colour on, worn and embossed where that is to be."""
        blank = self._blank
        if "wear" in blank.drawn:
            coverage = worn(coverage, self._rng)
        if "relief" in blank.drawn:
            emboss(blank.image, coverage, self._rng)
        blend(blank.image, coverage, blank.ink)


def _letters(alphabet: str, settings: Mapping[str, Any], rng: np.random.Generator) -> Letters:
    """A stroke face as often as `strokes` says, if those have the characters; else a font."""
    if rng.random() < settings["strokes"] and set(alphabet) <= set(CHARACTERS):
        return random_face(rng).glyph
    return partial(glyph, settings["fonts"][int(rng.integers(len(settings["fonts"])))])


def _stamp_box(coverage: Image, shape: Glyph, box: tuple[float, float, float, float]) -> Polygon:
    """Draw a character into `coverage`, filling a box of pixels; return its outline, in shares."""
    height, width = coverage.shape
    x1, y1, x2, y2 = box
    left, top = max(round(x1), 0), max(round(y1), 0)
    size = (max(2, round(x2 - x1)), max(3, round(y2 - y1)))
    mask = cv2.resize(shape.mask, size, interpolation=cv2.INTER_AREA)
    target = coverage[top : top + size[1], left : left + size[0]]
    np.maximum(target, mask[: target.shape[0], : target.shape[1]], out=target)
    outline: Polygon = (shape.outline * size + (left, top)) / (width, height)
    return outline


def _around(outlines: Sequence[Polygon]) -> Points:
    """The corners of an upright box round outlines, with a margin, inside the plate."""
    points = np.concatenate(outlines)
    low = np.clip(points.min(0) - _GROUP_MARGIN, 0, 1)
    high = np.clip(points.max(0) + _GROUP_MARGIN, 0, 1)
    return region_corners((*low, *high))


def random_text(slots: Sequence[Slot], rng: np.random.Generator) -> list[str]:
    """A character for each slot; an optional one is left out (empty) half of the time."""
    return [
        ""
        if slot.optional and rng.random() < 0.5
        else slot.alphabet[rng.integers(len(slot.alphabet))]
        for slot in slots
    ]


def _plain_plate(
    standard: PlateStandard,
    layout: Layout,
    width_px: int,
    fonts: Sequence[str],
    rng: np.random.Generator,
) -> FlatPlate:
    """A plate without furniture: see `paint_plate`."""
    height_px = max(8, round(width_px / layout.aspect))
    colours = standard.colours[rng.integers(len(standard.colours))]
    background = np.clip(np.array(colours.background) + rng.normal(0, 10, 3), 0, 255)
    ink = np.clip(np.array(colours.text) + rng.normal(0, 10, 3), 0, 255)
    coverage = np.zeros((height_px, width_px), np.uint8)
    font = fonts[int(rng.integers(len(fonts)))]
    labels: list[str] = [layout.label]
    polygons: list[Points] = [UNIT_SQUARE]
    for group in layout.groups:
        text = [c for c in random_text(group.slots, rng) if c]
        cells = _cells(group, len(text), rng)
        if text:
            labels.append(group.label)
            polygons.append(region_corners(group.box))
        for character, cell in zip(text, cells, strict=True):
            labels.append(standard.label_of(character))
            polygons.append(_stamp(coverage, font, character, cell))
    ground = _ground(height_px, width_px, background, ink, rng)
    alpha = coverage[..., None].astype(np.float32) / 255.0
    image = ground * (1 - alpha) + ink.astype(np.float32) * alpha
    smallest = min(group.box[3] - group.box[1] for group in layout.groups)
    return FlatPlate(
        np.clip(image, 0, 255).astype(np.uint8), tuple(labels), tuple(polygons), smallest
    )


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
    return _stamp_box(coverage, shape, (left, y1, left + ink_width, y2))


def _ground(
    height: int, width: int, background: Polygon, ink: Polygon, rng: np.random.Generator
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
        cv2.rectangle(ground, (margin, margin), corner, ink.tolist(), thickness)
    if rng.random() < 0.5:
        radius = max(1, round(height * rng.uniform(0.02, 0.04)))
        grey = float(rng.uniform(60, 200))
        y = round(height * rng.uniform(0.08, 0.2))
        for x in (round(width * 0.12), round(width * 0.88)):
            cv2.circle(ground, (x, y), radius, (grey, grey, grey), -1, cv2.LINE_AA)
    return ground
