"""Plates from labelled polygons: which shapes belong together, and what they read.

A group_id that exactly one board shares decides to which plate a shape belongs; where it is null,
the board around the shape's middle does. Everything else is decided in plate coordinates, where
rotation and perspective are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import LabelError
from sub_module.plates.geometry import by_uprightness, quadrangle
from sub_module.plates.group_faults import group_faults
from sub_module.plates.label_faults import shape_faults
from sub_module.plates.on_board import (
    SAME_BOARD_IOU,
    ImageShapes,
    Placed,
    board_iou,
    fit,
    same_place,
)
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard

Array = NDArray[np.floating]


@dataclass(frozen=True)
class LabelledPlate:
    """One plate of an image's labelled shapes.

    Attributes:
        reading: Its layout, place and text, with score 1.
        board: Index of the board's shape.
        members: Indices of its group and character shapes, ascending.
        characters: (shape index, character) in reading order.
    """

    reading: PlateReading
    board: int
    members: tuple[int, ...]
    characters: tuple[tuple[int, str], ...]


def assemble_plates(
    labels: Sequence[str],
    polygons: Sequence[Array],
    group_ids: Sequence[int | None],
    standard: PlateStandard,
    numbers: Sequence[int] | None = None,
) -> list[LabelledPlate]:
    """Assemble an image's shapes into plates, one a board, in the order of the boards.

    Plates may be turned by any angle; where a text fits its layout both ways round, the more
    upright way wins.

    Args:
        labels: The class of each shape.
        polygons: For each shape its (N, 2) points, pixels of the image.
        group_ids: For each shape a number that the shapes of one plate share, or None.
        standard: Gives the classes their meaning.
        numbers: What messages call each shape; None: they count from 0.

    Raises:
        LabelError: Shapes that cannot be, all of them (`shape_faults` says which). The message
            names the shape, not the file.
    """
    shapes = ImageShapes(labels, polygons, group_ids, standard, numbers)
    plates = _plates(shapes)
    if plates is None:
        raise LabelError([line for _, line in shape_faults(shapes)])
    return plates


def _plates(shapes: ImageShapes) -> list[LabelledPlate] | None:
    """The plates of an image whose shapes are all in order; None where one is not.

    It is quick and says no more; `shape_faults` goes by the same rules and looks closer.
    """
    members: dict[int, list[int]] = {board: [] for board in shapes.boards}
    for index, label in enumerate(shapes.labels):
        if label not in shapes.standard.classes:
            return None
        if index not in members:
            owner = shapes.joined_board(index)
            if owner is None:
                owner = shapes.board_around(index)
            if owner is None:
                return None
            members[owner].append(index)
    for a, b in combinations(shapes.boards, 2):
        if board_iou(shapes.polygons[a], shapes.polygons[b]) > SAME_BOARD_IOU:
            return None
    plates = []
    for board in shapes.boards:
        plate = _plate(shapes, board, members[board])
        if plate is None:
            return None
        plates.append(plate)
    return plates


def _plate(shapes: ImageShapes, board: int, members: list[int]) -> LabelledPlate | None:
    """The plate of one board and the shapes that belong to it; None where they do not fit."""
    layout = shapes.standard.layout(str(shapes.labels[board]))
    polygon = shapes.polygons[board]
    corners = quadrangle(polygon)
    if corners is None:
        return None
    joined = [index for index in members if shapes.joined_board(index) == board]
    if not all(shapes.on_board(corners, joined)):
        return None
    own_groups = {group.label for group in layout.groups}
    for index in members:
        label = shapes.labels[index]
        if label in shapes.standard.group_labels and label not in own_groups:
            return None
    for turned in by_uprightness(corners):
        placed = shapes.placed(turned, layout, members)
        slots = fit(layout, placed)
        if slots is not None:
            break
    else:
        return None
    if _has_doubles(placed) or any(group_faults(shapes, layout, placed, slots)):
        return None
    (x1, y1), (x2, y2) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    texts = [None if slot is None else slot.text for slot in slots]
    return LabelledPlate(
        reading=PlateReading.from_slots(layout, (x1, y1, x2, y2), turned, texts, score=1.0),
        board=board,
        members=tuple(sorted(members)),
        characters=tuple((slot.shape, slot.text) for slot in slots if slot is not None),
    )


def _has_doubles(placed: Placed) -> bool:
    """Whether two characters of a row stand in one place."""
    return any(same_place(a, b) for row in placed.rows for a, b in pairwise(row))
