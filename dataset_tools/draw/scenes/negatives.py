"""What is easily taken for a plate and is none: each kind was, by a detector, or looks like one.

Each gives the outlines of what it drew, which are labelled `no_plate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image, Polygon, as_image, lay_ink
from dataset_tools.draw.chance import pick, size_within, varied_grey
from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.plates.paint import paint_plate
from dataset_tools.draw.scenes.boards import paint_board, paint_sign, timestamp
from dataset_tools.draw.scenes.cars import draw_car
from dataset_tools.draw.scenes.plane import Plane, blob
from dataset_tools.draw.scenes.pose import paste, place, posed, to_image
from dataset_tools.draw.scenes.screens import paint_screen, phone_bar
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import UNIT_SQUARE, Points, boxes_touch, region_corners

_MARGIN_PX = 8.0
# Of a plate that the border cuts, so much lies outside.
_CUT = (0.3, 0.75)
_TRIES_TO_PLACE = 6


@dataclass(frozen=True)
class _Scene:
    """What a negative is drawn into."""

    image: Image
    taken: Sequence[Polygon]
    standard: PlateStandard
    settings: Mapping[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the image in pixels."""
        return self.image.shape[1], self.image.shape[0]

    def random_place(
        self, aspect: float, rng: np.random.Generator, room: tuple[float, float] = (1.0, 1.0)
    ) -> Polygon | None:
        """A free quadrangle (4, 2) of the size that plates have, turned as they are.

        Args:
            aspect: Its width over its height.
            rng: Where chance comes from.
            room: What must be free with it about its middle, in its widths and heights.
        """
        width = self.size[0] * size_within(self.settings["plate_width"], rng)
        whole = (width / aspect * room[1], width * room[0])
        corners = place(whole, self.size, self.settings, self.taken, rng)
        if corners is None or room == (1.0, 1.0):
            return corners
        return to_image((UNIT_SQUARE - 0.5) / room + 0.5, corners)

    def is_free(self, polygon: Points) -> bool:
        """Whether nothing that must stay visible lies there."""
        return not any(boxes_touch(polygon, other, _MARGIN_PX) for other in self.taken)


def draw_hard_negative(
    image: Image,
    taken: Sequence[Polygon],
    standard: PlateStandard,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> list[Polygon]:
    """Draw one thing that is no plate, or a plate that must not be read, into an image, in place.

    Nothing is drawn where no place is free.

    Args:
        image: (H, W, 3) RGB, changed.
        taken: Quadrangles of plates that must stay visible.
        standard: Whose plates may be cut off, mirrored and upside down.
        settings: `dataset.draw`.
        rng: Where chance comes from.

    Returns:
        (4, 2) corners of what could be taken for a plate, pixels; they may lie outside.
    """
    weights = np.array([weight for _, weight in _KINDS])
    kind, _ = _KINDS[int(rng.choice(len(_KINDS), p=weights / weights.sum()))]
    return kind(_Scene(image, taken, standard, settings), rng)


def _grey(low: float, high: float, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.array(varied_grey(low, high, 6, rng))


def _window_gap(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A bright gap in something dark, with dark shapes in it, as wide as a plate."""
    aspect = rng.uniform(1.3, 6.5)
    room = (rng.uniform(1.1, 2.2), rng.uniform(1.2, 3.5))
    corners = scene.random_place(aspect, rng, room)
    if corners is None:
        return []
    plane = Plane.through(scene.image, corners, 1.0, 1 / aspect)
    around = _grey(5, 90, rng)
    if rng.random() < 0.75:
        taper = rng.uniform(-0.2, 0.2)
        wide, high = room[0] / 2 / (1 + abs(taper)), room[1] / 2 / aspect
        plane.fill(blob(0, 0, wide, high, rng.uniform(4, 16), taper), around)
    if rng.random() < 0.5:
        view = _bright_view(scene.image, aspect, rng)
        skew = rng.uniform(-0.04, 0.04, (4, 2)) * plane.pixels_per_metre / (1, aspect)
        paste(scene.image, view, corners + skew, 1.0)
    else:
        plane.fill(blob(0, 0, 0.5, 0.5 / aspect, rng.uniform(5, 16), rng.uniform(-0.15, 0.15),
                        rng.uniform(-0.06, 0.06)), _grey(150, 255, rng))  # fmt: skip
    is_pillars = rng.random() < 0.5
    for _ in range(int(rng.integers(0, 8))):
        # Headrests, which stand on the lower edge, or pillars and branches: characters from afar.
        half = rng.uniform(0.006, 0.03) if is_pillars else rng.uniform(0.03, 0.07)
        high = (0.5 if is_pillars else rng.uniform(0.15, 0.35)) / aspect
        shape = blob(rng.uniform(-0.45, 0.45), 0.5 / aspect - high, half, high, 4.0, 0,
                     rng.normal(0, 0.01))  # fmt: skip
        plane.fill(shape, np.clip(around + rng.uniform(0, 50), 0, 255))
    plane.light(blob(0, 0, 0.5, 0.5 / aspect, 8.0), rng.uniform(0.7, 1.15, (3, 5)))
    return [corners]


def _bright_view(image: Image, aspect: float, rng: np.random.Generator) -> Image:
    """A piece of the image itself in bright light, of a given width over height."""
    width, height = 120, max(12, round(120 / aspect))
    room = np.array(image.shape[:2]) - (height, width)
    y, x = (int(value) for value in rng.random(2) * np.maximum(room, 0))
    piece = cv2.resize(image[y : y + height, x : x + width], (width, height))
    share = rng.uniform(0.2, 0.6)
    bright = cv2.convertScaleAbs(piece, alpha=share, beta=250 * (1 - share))
    return as_image(bright)


def _lamp(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A lamp: a bright or red glass with ribs and bulbs."""
    aspect = rng.uniform(0.9, 5.0)
    corners = scene.random_place(aspect, rng, (1.12, 1.16))
    if corners is None:
        return []
    plane = Plane.through(scene.image, corners, 1.0, 1 / aspect)
    glass = np.array([(235.0, 235, 225), (200.0, 25, 30), (240.0, 150, 30), (250.0, 245, 200)])
    colour = np.clip(pick(glass, rng) * rng.uniform(0.6, 1.05), 0, 255)
    square = rng.uniform(2, 8)
    plane.fill(blob(0, 0, 0.54, 0.56 / aspect, square), _grey(20, 160, rng))
    plane.fill(blob(0, 0, 0.5, 0.5 / aspect, square), colour)
    for x in np.linspace(-0.4, 0.4, int(rng.integers(0, 9))):
        rib = np.array([(x, -0.4), (x, 0.4)]) / (1, aspect)
        plane.line(rib, colour * rng.uniform(0.5, 0.9), 0.012)
    for _ in range(int(rng.integers(0, 3))):
        radius = rng.uniform(0.1, 0.35) / aspect
        plane.fill(blob(rng.uniform(-0.35, 0.35), 0, radius, radius, 2.0), _grey(200, 255, rng))
    plane.light(blob(0, 0, 0.5, 0.5 / aspect, square), rng.uniform(0.6, 1.3, (3, 4)))
    return [corners]


def _slots(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A grille, a vent or a row of bars: strokes at equal distances on a panel."""
    aspect = rng.uniform(1.5, 6.0)
    corners = scene.random_place(aspect, rng)
    if corners is None:
        return []
    plane = Plane.through(scene.image, corners, 1.0, 1 / aspect)
    panel, bar = _grey(10, 250, rng), _grey(10, 250, rng)
    plane.fill(blob(0, 0, 0.5, 0.5 / aspect, rng.uniform(4, 12)), panel)
    is_upright = rng.random() < 0.6
    count = int(rng.integers(4, 16)) if is_upright else int(rng.integers(2, 7))
    thickness = rng.uniform(0.2, 0.6) * (0.9 if is_upright else 0.9 / aspect) / count
    for at in np.linspace(-0.43, 0.43, count):
        ends = [(at, -0.33), (at, 0.33)] if is_upright else [(-0.4, at), (0.4, at)]
        plane.line(np.array(ends) / (1, aspect), bar, thickness)
    plane.light(blob(0, 0, 0.5, 0.5 / aspect, 8.0), rng.uniform(0.6, 1.2, (3, 5)))
    return [corners]


def _car_without_plate(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A car with an empty place for its plate; where there is a labelled plate, none."""
    corners = scene.random_place(rng.uniform(3.9, 5.3), rng)
    if corners is None or scene.taken:
        return []
    draw_car(scene.image, corners, rng)
    if rng.random() < 0.4:
        blank = np.full((24, 110, 3), rng.uniform(20, 250), np.uint8)
        paste(scene.image, blank, corners, 1.0)
    return [corners]


def _sign(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    return _put_flat(scene, paint_sign(scene.settings["fonts"], rng), rng)


def _board(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    return _put_flat(scene, paint_board(scene.standard, scene.settings, rng), rng)


def _caption(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """Date and time, burnt into a corner."""
    mask = timestamp(scene.size, rng)
    height, width = mask.shape
    room = np.array(scene.size) - (width, height)
    if (room <= 4).any():
        return []
    x, y = (rng.integers(0, 2, 2) * 0.94 * room + 0.03 * room * rng.random()).astype(int)
    corners = region_corners((x, y, x + width, y + height))
    if not scene.is_free(corners):
        return []
    region = scene.image[y : y + height, x : x + width]
    if rng.random() < 0.35:
        region[:] = rng.integers(0, 60)
    elif rng.random() < 0.5:
        edge = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        region[:] = (region * (1 - edge[..., None] / 255.0)).astype(np.uint8)
    ink = np.array([(255, 255, 255), (255, 240, 60), (250, 160, 40), (90, 255, 90)])
    lay_ink(region, mask, pick(ink, rng))
    return [np.asarray(corners, np.float64)]


def _bars(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """The bars of a telephone's screen, above and below, as in a screenshot."""
    width, height = scene.size
    for is_top in (True, False):
        bar = phone_bar(scene.settings["fonts"], scene.size, is_top, rng)
        y = 0 if is_top else height - len(bar)
        if scene.is_free(region_corners((0, y, width, y + len(bar)))):
            scene.image[y : y + len(bar)] = bar
    # As wide as the image: no plate looks like that.
    return []


def _screen(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A code, keys or numbers as devices show them: upright and large, or a device in the scene."""
    screen, boxes = paint_screen(scene.settings["fonts"], rng)
    height, width = screen.shape[:2]
    if rng.random() < 0.3:
        corners = scene.random_place(width / height, rng)
    else:
        corners = _upright_place(scene, width / height, rng)
    if corners is None:
        return []
    paste(scene.image, screen, corners, float(rng.uniform(0.7, 1.0)))
    lines = [region_corners(box) / (width, height) for box in boxes]
    return [to_image(line, corners) for line in lines]


def _upright_place(scene: _Scene, aspect: float, rng: np.random.Generator) -> Polygon | None:
    """A free rectangle (4, 2) in pixels, from a third of the image's width to all of it."""
    for _ in range(_TRIES_TO_PLACE):
        width = scene.size[0] * rng.uniform(0.33, 1.0)
        size = np.array((width, width / aspect))
        room = np.array(scene.size) - size
        if (room < 0).any():
            continue
        at = room * rng.random(2)
        corners = np.asarray(region_corners((*at, *(at + size))), np.float64)
        if scene.is_free(corners):
            return corners
    return None


def _cut_plate(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A plate of which part lies outside of the image."""
    plate = _any_plate(scene, rng)
    width, height = scene.size
    corners = posed(plate.board_shape, scene.settings, rng)
    low, high = corners.min(0), corners.max(0)
    extent, room = high - low, np.maximum(np.array(scene.size) - (high - low), 0)
    at = rng.random(2) * room
    axis, is_far = int(rng.integers(2)), rng.random() < 0.5
    outside = rng.uniform(*_CUT) * extent[axis]
    at[axis] = (width, height)[axis] - extent[axis] + outside if is_far else -outside
    return _paste_free(scene, plate, corners - low + at, rng)


def _mirrored_plate(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A plate seen in a mirror."""
    return _turned_plate(scene, [1, 0, 3, 2], rng)


def _upside_down_plate(scene: _Scene, rng: np.random.Generator) -> list[Polygon]:
    """A plate turned by 180 degrees."""
    return _turned_plate(scene, [2, 3, 0, 1], rng)


def _turned_plate(scene: _Scene, order: list[int], rng: np.random.Generator) -> list[Polygon]:
    plate = _any_plate(scene, rng)
    corners = posed(plate.board_shape, scene.settings, rng)
    room = np.array(scene.size) - (corners.max(0) - corners.min(0))
    if not (room > 0).all():
        return []
    at = corners - corners.min(0) + rng.random(2) * room
    return _paste_free(scene, plate, at[order], rng)


def _any_plate(scene: _Scene, rng: np.random.Generator) -> FlatPlate:
    low, high = scene.settings["plate_width"]
    share = rng.uniform(max(low, 0.12), max(high * 0.8, 0.15))
    width_px = max(scene.settings["min_width_px"], round(scene.size[0] * share))
    layout = pick(scene.standard.layouts, rng)
    return paint_plate(scene.standard, layout, width_px, scene.settings, rng)


def _paste_free(
    scene: _Scene, plate: FlatPlate, corners: Polygon, rng: np.random.Generator
) -> list[Polygon]:
    if not scene.is_free(corners):
        return []
    paste(scene.image, plate.image, corners, float(rng.uniform(0.6, 1.1)), plate.board)
    return [corners]


def _put_flat(scene: _Scene, flat: Image, rng: np.random.Generator) -> list[Polygon]:
    corners = scene.random_place(flat.shape[1] / flat.shape[0], rng)
    if corners is None:
        return []
    paste(scene.image, flat, corners, float(rng.uniform(0.5, 1.1)))
    return [corners]


# How often each is drawn beside the others.
_KINDS: tuple[tuple[Callable[[_Scene, np.random.Generator], list[Polygon]], float], ...] = (
    (_window_gap, 3.0),
    (_lamp, 1.5),
    (_slots, 1.5),
    (_car_without_plate, 1.5),
    (_sign, 2.5),
    (_board, 2.0),
    (_caption, 1.0),
    (_bars, 0.4),
    (_screen, 1.5),
    (_cut_plate, 1.0),
    (_mirrored_plate, 0.5),
    (_upside_down_plate, 0.5),
)
