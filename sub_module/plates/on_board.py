"""The labelled shapes of an image, and those of one board as they stand on its plate.

What stands on a plate is decided in plate coordinates, where rotation and perspective are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, combinations, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.geometry import (
    boxes_touch,
    contains,
    image_to_plate,
    map_points,
    quadrangle,
    quadrangle_iou,
)
from sub_module.plates.standard import Layout, PlateBox, PlateStandard

Array = NDArray[np.floating]

# Two characters stand in one place when they share more than this part of the smaller one's box.
_SAME_PLACE = 0.5
# Two boards are drawn round one plate when their quadrangles have a larger IoU; of plates that
# stand in front of each other, more of the rear one is seen.
SAME_BOARD_IOU = 0.8
# So far outside of its board, in plate coordinates, a shape's middle may lie.
_SLACK = 0.01


class Character(NamedTuple):
    """A character on a plate: shape number, text, middle and box in plate coordinates.

    The text is empty, which is in any alphabet, where a shape cannot be made out.
    """

    shape: int
    text: str
    x: float
    y: float
    box: PlateBox


class GroupShape(NamedTuple):
    """A group's polygon on a plate: shape number, label, box and points in plate coordinates."""

    shape: int
    label: str
    box: PlateBox
    polygon: Array

    def holds(self, character: Character) -> bool:
        """Whether the middle of a character lies in it."""
        x1, y1, x2, y2 = self.box
        point = character.x, character.y
        # A comparison of numbers spares most calls.
        in_box = x1 <= point[0] <= x2 and y1 <= point[1] <= y2
        return in_box and contains(self.polygon, np.array(point))


class Placed(NamedTuple):
    """The shapes of one board, held one way round: rows from left to right, and groups."""

    rows: tuple[list[Character], ...]
    groups: list[GroupShape]


# The character in each slot of a layout; None where it is left out.
Slots = list[Character | None]


class ImageShapes:
    """The labelled shapes of one image.

    Attributes:
        labels: The class of each shape; None for one that cannot be made out.
        polygons: For each shape its (N, 2) points, pixels of the image; None where unknown.
        group_ids: For each shape a number that the shapes of one plate share, or None.
        standard: Gives the classes their meaning.
        numbers: What messages call each shape.
        boards: Indices of the boards whose polygons are known.
    """

    def __init__(
        self,
        labels: Sequence[str | None],
        polygons: Sequence[Array | None],
        group_ids: Sequence[int | None],
        standard: PlateStandard,
        numbers: Sequence[int] | None = None,
    ) -> None:
        """Take shapes as they are; see the attributes."""
        self.labels = labels
        # Nothing lies in, on or round a point that is no number.
        self.polygons = [np.full((1, 2), np.nan) if p is None else p for p in polygons]
        self.group_ids = group_ids
        self.standard = standard
        self.numbers = range(len(labels)) if numbers is None else numbers
        self.boards = [
            index
            for index, (label, polygon) in enumerate(zip(labels, polygons, strict=True))
            if label in standard.board_labels and polygon is not None
        ]

    def name(self, index: int) -> str:
        """A shape as messages name it."""
        return f"shape {self.numbers[index]} ({self.labels[index]!r})"

    @cached_property
    def middles(self) -> Array:
        """(n, 2) the middle of the upright box round each shape."""
        if not self.polygons:
            return np.empty((0, 2))
        lows, highs = _extents(np.concatenate(self.polygons), self.polygons)
        middles: Array = (lows + highs) / 2
        return middles

    @cached_property
    def _board_of_group_id(self) -> dict[int, int]:
        """The board of each group_id that exactly one board has."""
        ids = [self.group_ids[board] for board in self.boards]
        return {
            group_id: board
            for group_id, board in zip(ids, self.boards, strict=True)
            if group_id is not None and ids.count(group_id) == 1
        }

    def joined_board(self, index: int) -> int | None:
        """The board to which a shape's group_id joins it; None: it does not decide."""
        group_id = self.group_ids[index]
        return None if group_id is None else self._board_of_group_id.get(group_id)

    def board_around(self, index: int) -> int | None:
        """The board on which the middle of a shape lies; of several, the one nearest by middle."""
        middle = self.middles[index]
        if np.isnan(middle).any():
            return None
        around = [board for board in self.boards if contains(self.polygons[board], middle)]
        if len(around) <= 1:
            return around[0] if around else None
        return min(around, key=lambda board: float(np.hypot(*(self.middles[board] - middle))))

    def on_board(self, corners: Array, indices: Sequence[int]) -> list[bool]:
        """Whether each of some shapes lies, by its middle, on a board with these corners."""
        if not indices:
            return []
        middles = map_points(image_to_plate(corners), self.middles[indices]).tolist()
        low, high = -_SLACK, 1 + _SLACK
        return [low <= x <= high and low <= y <= high for x, y in middles]

    def placed(self, corners: Array, layout: Layout, indices: Sequence[int]) -> Placed:
        """Some shapes on a board, were the plate's top left at the first of its corners."""
        rows: tuple[list[Character], ...] = tuple([] for _ in layout.rows)
        groups: list[GroupShape] = []
        if indices:
            polygons = [self.polygons[index] for index in indices]
            points = map_points(image_to_plate(corners), np.concatenate(polygons))
            boxes = np.concatenate(_extents(points, polygons), axis=1).tolist()
            start = 0
            for index, polygon, (x1, y1, x2, y2) in zip(indices, polygons, boxes, strict=True):
                label = str(self.labels[index])
                character = self.standard.character_of(label)
                if label in self.standard.group_labels:
                    own = points[start : start + len(polygon)]
                    groups.append(GroupShape(index, label, (x1, y1, x2, y2), own))
                elif character is not None or label not in self.standard.classes:
                    x, y = (x1 + x2) / 2, (y1 + y2) / 2
                    place = Character(index, character or "", x, y, (x1, y1, x2, y2))
                    rows[layout.nearest_row(y)].append(place)
                start += len(polygon)
        for row in rows:
            row.sort(key=lambda place: (place.x, place.y, place.shape))
        return Placed(rows, groups)


def _extents(points: Array, polygons: Sequence[Array]) -> tuple[Array, Array]:
    """The least and the largest (n, 2) coordinates of polygons whose points follow each other."""
    starts = [0, *accumulate(len(polygon) for polygon in polygons[:-1])]
    return np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)


def board_iou(a: Array, b: Array) -> float:
    """The IoU of two boards; 0 where one is no quadrangle."""
    if not boxes_touch(a, b):
        return 0.0
    quad_a, quad_b = quadrangle(a), quadrangle(b)
    return 0.0 if quad_a is None or quad_b is None else quadrangle_iou(quad_a, quad_b)


def same_place(a: Character, b: Character) -> bool:
    """Whether two characters stand in one place."""
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = a.box, b.box
    width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    if width <= 0 or height <= 0:
        return False
    smaller = min((ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1))
    return width * height > _SAME_PLACE * smaller


def climbs(a: Character, b: Character, layout: Layout) -> bool:
    """Whether from one character of a row to the next the text goes up or down, not on."""
    return (b.x - a.x) * layout.aspect < abs(b.y - a.y)


def is_in_place(group: GroupShape, layout: Layout) -> bool:
    """Whether a group's polygon stands where its layout has a group of that label."""
    x1, y1, x2, y2 = group.box
    return layout.nearest_group((x1 + x2) / 2, (y1 + y2) / 2).label == group.label


def slot_places(layout: Layout, number: int) -> list[tuple[str, float, float]]:
    """For each slot of a row its group's label, where its middle stands, and how wide it is."""
    places = []
    for group in layout.rows[number].groups:
        x1, _, x2, _ = group.box
        width = (x2 - x1) / len(group.slots)
        places += [(group.label, x1 + (i + 0.5) * width, width) for i in range(len(group.slots))]
    return places


def fit(layout: Layout, placed: Placed) -> Slots | None:
    """The character of each slot; None where the text does not fit the layout this way round."""
    if not all(is_in_place(group, layout) for group in placed.groups):
        return None
    slots: Slots = []
    for number, row in enumerate(placed.rows):
        # On a plate turned by a right angle, the text would climb instead of running on.
        if any(climbs(a, b, layout) for a, b in pairwise(row)):
            return None
        filled = _fill(layout, number, row, placed.groups)
        if filled is None:
            return None
        slots += filled
    return slots


def _fill(
    layout: Layout, number: int, row: Sequence[Character], groups: Sequence[GroupShape]
) -> Slots | None:
    """Put a row's characters, from left to right, into its slots, leaving out optional slots only.

    Of several ways, the one that agrees best with the group polygons wins, then the one nearest to
    where the slots stand.
    """
    slots = layout.rows[number].slots

    def fits(chosen: tuple[int, ...]) -> bool:
        return all(slot.optional or i in chosen for i, slot in enumerate(slots)) and all(
            place.text in slots[i].alphabet for i, place in zip(chosen, row, strict=True)
        )

    ways = [c for c in combinations(range(len(slots)), len(row)) if fits(c)]
    if not ways:
        return None
    best = ways[0]
    if len(ways) > 1:
        places = slot_places(layout, number)
        own = [{group.label for group in groups if group.holds(place)} for place in row]

        def cost(chosen: tuple[int, ...]) -> tuple[int, float]:
            pairs = list(zip(chosen, row, own, strict=True))
            strangers = sum(bool(labels) and places[i][0] not in labels for i, _, labels in pairs)
            return strangers, sum(abs(places[i][1] - place.x) for i, place, _ in pairs)

        best = min(ways, key=cost)
    filled: Slots = [None] * len(slots)
    for i, place in zip(best, row, strict=True):
        filled[i] = place
    return filled
