"""Readings from the instances that a model found: boards, groups of characters, characters.

`assemble` does this for exact labels and says what is wrong with them; here anything may be
missing, doubled or false, and what cannot be read is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.fill_row import FoundCharacters, fill_row
from sub_module.plates.geometry import (
    Corners,
    area_of,
    box_iou,
    by_uprightness,
    image_to_plate,
    map_points,
    quadrangle,
    quadrangle_iou,
    rectangle_around,
    straightened,
)
from sub_module.plates.instances import Instances
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import Layout, PlateBox, PlateStandard

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

# Smaller boards hold no text.
_MIN_AREA_PX = 16.0
# A found group stands in its place when its box has this IoU with the layout's.
_MIN_GROUP_IOU = 0.4


def read_instances(
    instances: Instances, standard: PlateStandard, min_score: float, overlap: float
) -> tuple[PlateReading, ...]:
    """Put an image's instances together to readings, best first.

    A plate is a board with the characters whose middles lie in it; characters on no board are left
    out. Boards are tried in the order of their scores, each with the characters that none before it
    used up. All is decided in plate coordinates, where rotation and shear are gone; where a text
    fits its layout both ways round, the more upright way wins. Groups help where they were found
    and are not needed. What does not fill all slots of the board's layout that are not optional,
    each from its alphabet, is no reading.

    A reading's score is the board's times the least of its characters' and of 1 - s for each
    character of a score s that was left out although it stands in a row, away from those used.

    Args:
        instances: Of one image; boards need not have four corners.
        standard: Gives the classes their meaning.
        min_score: Instances below this are not looked at.
        overlap: Of two boards whose outlines have a larger IoU, whatever their layouts, the first
            that can be read stays; of two characters of a plate that share more than this part of
            the smaller one's upright box, at most one is used.

    Returns:
        Readings with the board's box, and as corners those of its outline; where it has more than
        four points, those at which its straight parts would meet.
    """
    finds = _Finds(instances, standard, min_score)
    readings: list[PlateReading] = []
    outlines: list[Corners] = []
    for index in finds.boards:
        polygon = instances.polygons[index]
        outline = _board_outline(polygon)
        if outline is None or any(quadrangle_iou(outline, other) > overlap for other in outlines):
            continue
        layout = standard.layout(instances.labels[index])
        corners = straightened(polygon, outline) if len(polygon) > 4 else outline
        plate = _read_plate(finds, layout, corners, overlap)
        if plate is None:
            continue
        finds.characters.free[plate.spent] = False
        outlines.append(outline)
        x1, y1, x2, y2 = instances.boxes_xyxy[index].tolist()
        score = float(instances.scores[index]) * plate.confidence
        readings.append(
            PlateReading.from_slots(
                layout, (x1, y1, x2, y2), plate.corners, plate.characters, score
            )
        )
    return tuple(sorted(readings, key=lambda reading: -reading.score))


def _board_outline(polygon: NDArray[np.float32]) -> Corners | None:
    """The four corners of a board, by the rectangle round it if need be; None: it is too small."""
    outline = quadrangle(polygon)
    if outline is None:
        outline = rectangle_around(polygon)
    return None if area_of(outline) < _MIN_AREA_PX else outline


class _Shapes:
    """Some of an image's instances as arrays, for mapping many polygons at once.

    Attributes:
        labels: Their n classes.
        scores: (n,) from 0 to 1.
        free: (n,) whether no plate has used one up.
    """

    def __init__(self, instances: Instances, chosen: Sequence[int]) -> None:
        self.labels = [instances.labels[index] for index in chosen]
        self.scores = instances.scores[list(chosen)]
        self.free = np.ones(len(chosen), bool)
        polygons = [instances.polygons[index] for index in chosen]
        self._points = np.concatenate([*polygons, np.empty((0, 2), np.float32)])
        self._counts = np.array([len(polygon) for polygon in polygons], np.intp)
        boxes = instances.boxes_xyxy[list(chosen)]
        self._middles = (boxes[:, :2] + boxes[:, 2:]) / 2

    def on_plate(self, transform: NDArray[np.float64]) -> Indices:
        """The indices of the free ones whose middles lie on a plate."""
        if not len(self.labels):
            return np.empty(0, np.intp)
        middles = map_points(transform, self._middles)
        return np.flatnonzero(self.free & ((middles >= 0) & (middles <= 1)).all(axis=1))

    def plate_boxes(self, transform: NDArray[np.float64], indices: Indices) -> Floats:
        """(k, 4) the boxes of some in plate coordinates, upright there."""
        if not len(indices):
            return np.empty((0, 4))
        wanted = np.zeros(len(self.labels), bool)
        wanted[indices] = True
        points = map_points(transform, self._points[np.repeat(wanted, self._counts)])
        counts = self._counts[indices]
        starts = np.cumsum(counts) - counts
        lows = np.minimum.reduceat(points, starts)
        return np.concatenate([lows, np.maximum.reduceat(points, starts)], axis=1)


class _Finds:
    """What was found in an image, sorted by what it is, each best first.

    Attributes:
        alphabet: The standard's.
        boards: Indices of the image's instances.
        characters: All of them, on boards or not.
        numbers: (n,) the characters' indices in the alphabet.
        groups: All of them, of every layout.
    """

    def __init__(self, instances: Instances, standard: PlateStandard, min_score: float) -> None:
        self.alphabet = standard.alphabet
        best_first = np.argsort(-instances.scores, kind="stable").tolist()
        seen = [index for index in best_first if instances.scores[index] >= min_score]
        meanings = {index: standard.character_of(instances.labels[index]) for index in seen}
        texts = {index: meaning for index, meaning in meanings.items() if meaning is not None}
        self.boards = [i for i in seen if instances.labels[i] in standard.board_labels]
        self.characters = _Shapes(instances, list(texts))
        self.numbers = np.array([self.alphabet.index(c) for c in texts.values()], np.intp)
        self.groups = _Shapes(
            instances, [i for i in seen if instances.labels[i] in standard.group_labels]
        )


@dataclass(frozen=True, eq=False)
class _Plate:
    """What stands on a board.

    Attributes:
        corners: Of the board, from the plate's own top left.
        characters: One a slot of the layout, None where it is left out.
        confidence: From 0 to 1, the board's score aside.
        spent: Indices of the characters that the plate uses up.
    """

    corners: Floats
    characters: tuple[str | None, ...]
    confidence: float
    spent: Indices


def _read_plate(finds: _Finds, layout: Layout, outline: Corners, overlap: float) -> _Plate | None:
    """The plate on a board; None when nothing there fits its layout, whichever way round.

    A way round that no found group speaks against goes first, then the more upright one.
    """
    transform = image_to_plate(outline)
    indices = finds.characters.on_plate(transform)
    texts = {finds.alphabet[number] for number in finds.numbers[indices].tolist()}
    required = [slot for slot in layout.slots if not slot.optional]
    # Most boards that cannot be read end here.
    if len(indices) < len(required) or any(texts.isdisjoint(s.alphabet) for s in required):
        return None
    groups = finds.groups.on_plate(transform)
    own_labels = {group.label for group in layout.groups}
    groups = groups[[finds.groups.labels[i] in own_labels for i in groups.tolist()]]
    contradicted = None
    for corners in by_uprightness(outline):
        transform = image_to_plate(corners)
        group_boxes = finds.groups.plate_boxes(transform, groups)
        found_groups = [
            (finds.groups.labels[i], (x1, y1, x2, y2))
            for i, (x1, y1, x2, y2) in zip(groups.tolist(), group_boxes.tolist(), strict=True)
        ]
        plate = _read_upright(finds, layout, corners, indices, found_groups, overlap)
        if plate is None:
            continue
        if all(
            layout.nearest_group((x1 + x2) / 2, (y1 + y2) / 2).label == label
            for label, (x1, y1, x2, y2) in found_groups
        ):
            return plate
        contradicted = contradicted or plate
    return contradicted


# The label and the box in plate coordinates of a group that was found.
_FoundGroup = tuple[str, PlateBox]


def _read_upright(
    finds: _Finds,
    layout: Layout,
    corners: Floats,
    indices: Indices,
    found_groups: Sequence[_FoundGroup],
    overlap: float,
) -> _Plate | None:
    """The plate, were its top left at the first corner; None when its text does not fit.

    Args:
        finds: Of the image.
        layout: Of the board.
        corners: Of the board.
        indices: Of the characters that lie on it.
        found_groups: Those on it that belong to its layout, best first.
        overlap: See `read_instances`.
    """
    boxes = finds.characters.plate_boxes(image_to_plate(corners), indices)
    order = np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")
    boxes, indices = boxes[order], indices[order]
    heights = ((boxes[:, 1] + boxes[:, 3]) / 2).tolist()
    rows = np.array([layout.nearest_row(height) for height in heights], np.intp)
    groups = _groups_in_place(layout, found_groups)
    characters: list[str | None] = []
    evidence: list[float] = []
    spent = []
    for number, row in enumerate(layout.rows):
        members = rows == number
        along = indices[members]
        scores = finds.characters.scores[along]
        found = FoundCharacters(finds.numbers[along], scores, boxes[members])
        filled = fill_row(row, finds.alphabet, found, groups, overlap)
        if filled is None:
            return None
        for chosen in filled.chosen:
            characters.append(None if chosen is None else finds.alphabet[found.characters[chosen]])
            evidence += [] if chosen is None else [float(scores[chosen])]
        evidence += (1 - scores[filled.left_out]).tolist()
        spent.append(along[filled.spent])
    if not any(characters):
        return None
    return _Plate(corners, tuple(characters), min(evidence), np.concatenate(spent))


def _groups_in_place(layout: Layout, found_groups: Sequence[_FoundGroup]) -> dict[str, PlateBox]:
    """The box of the best group of each label that stands about where the layout has it."""
    boxes: dict[str, PlateBox] = {}
    for label, box in found_groups:
        if label not in boxes and any(
            group.label == label and box_iou(box, group.box) > _MIN_GROUP_IOU
            for group in layout.groups
        ):
            boxes[label] = box
    return boxes
