"""Plates from labelled polygons: which shapes belong together, and what they read.

A group_id that exactly one board shares decides to which plate a shape belongs; where it is null,
the board around the shape's middle does. Everything else is decided in plate coordinates, where
rotation and perspective are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import DataError
from sub_module.plates.geometry import (
    by_uprightness,
    contains,
    image_to_plate,
    map_points,
    middle_of,
    quadrangle,
)
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import Layout, PlateStandard

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
) -> list[LabelledPlate]:
    """Assemble an image's shapes into plates, one a board, in the order of the boards.

    Plates may be turned by any angle; where a text fits its layout both ways round, the more
    upright way wins.

    Args:
        labels: The class of each shape.
        polygons: For each shape its (N, 2) points, pixels of the image.
        group_ids: For each shape a number that the shapes of one plate share, or None.
        standard: Gives the classes their meaning.

    Raises:
        DataError: A label is unknown, a shape lies on no board, a board is no quadrangle, or a
            plate's text does not fit its layout. The message names the shape, not the file.
    """
    for index, label in enumerate(labels):
        if label not in standard.classes:
            raise DataError(f"shape {index}: unknown label {label!r}")
    boards = [i for i, label in enumerate(labels) if label in standard.board_labels]
    members: dict[int, list[int]] = {board: [] for board in boards}
    for index, label in enumerate(labels):
        if index not in members:
            owner = _board_of(index, boards, polygons, group_ids)
            if owner is None:
                raise DataError(f"shape {index} ({label!r}) lies on no board")
            members[owner].append(index)
    return [_assemble(board, members[board], labels, polygons, standard) for board in boards]


def _board_of(
    index: int,
    boards: Sequence[int],
    polygons: Sequence[Array],
    group_ids: Sequence[int | None],
) -> int | None:
    """The board that a shape belongs to."""
    group_id = group_ids[index]
    sharing = [b for b in boards if group_id is not None and group_ids[b] == group_id]
    if len(sharing) == 1:
        return sharing[0]
    middle = middle_of(polygons[index])
    around = [b for b in boards if contains(polygons[b], middle)]
    # Boards that overlap: the one whose own middle is nearest.
    return min(
        around, key=lambda b: float(np.hypot(*(middle_of(polygons[b]) - middle))), default=None
    )


def _assemble(
    board: int,
    members: list[int],
    labels: Sequence[str],
    polygons: Sequence[Array],
    standard: PlateStandard,
) -> LabelledPlate:
    """The plate of one board and the shapes on it."""
    layout = standard.layout(labels[board])
    corners = quadrangle(polygons[board])
    if corners is None:
        raise DataError(f"shape {board} ({labels[board]!r}) is no quadrangle")
    own_groups = {group.label for group in layout.groups}
    for index in members:
        if labels[index] in standard.group_labels and labels[index] not in own_groups:
            raise DataError(
                f"shape {index} ({labels[index]!r}) does not belong on a {labels[board]!r}"
            )
    characters = [
        (index, character)
        for index in members
        if (character := standard.character_of(labels[index])) is not None
    ]
    groups = [index for index in members if labels[index] in standard.group_labels]
    for turned in by_uprightness(corners):
        slots = _slots_in(turned, layout, characters, groups, labels, polygons)
        if slots is not None:
            break
    else:
        found = ", ".join(repr(character) for _, character in characters) or "none"
        raise DataError(
            f"shape {board} ({labels[board]!r}): its characters ({found}) do not fit "
            f"the layout {layout.name}"
        )
    return LabelledPlate(
        reading=PlateReading.from_slots(
            layout,
            (*polygons[board].min(axis=0).tolist(), *polygons[board].max(axis=0).tolist()),
            turned,
            [None if slot is None else slot[1] for slot in slots],
            score=1.0,
        ),
        board=board,
        members=tuple(sorted(members)),
        characters=tuple(slot for slot in slots if slot is not None),
    )


# The character shape (index, character) in each slot of a layout; None where it is left out.
_Slots = list[tuple[int, str] | None]


def _slots_in(
    corners: Array,
    layout: Layout,
    characters: Sequence[tuple[int, str]],
    groups: Sequence[int],
    labels: Sequence[str],
    polygons: Sequence[Array],
) -> _Slots | None:
    """The character of each slot, were the plate's top left at the first corner; None: no fit."""
    transform = image_to_plate(corners)
    group_polygons = [(labels[g], map_points(transform, polygons[g])) for g in groups]
    if any(
        layout.nearest_group(*middle_of(p).tolist()).label != label for label, p in group_polygons
    ):
        return None
    rows: list[list[tuple[float, float, int, str]]] = [[] for _ in layout.rows]
    for index, character in characters:
        x, y = (float(v) for v in middle_of(map_points(transform, polygons[index])))
        rows[layout.nearest_row(y)].append((x, y, index, character))
    slots: _Slots = []
    for number, row in enumerate(rows):
        row.sort()
        # On a plate turned by a right angle, the text would climb instead of running on.
        for (x1, y1, *_), (x2, y2, *_) in pairwise(row):
            if (x2 - x1) * layout.aspect < abs(y2 - y1):
                return None
        filled = _fill(layout, number, row, group_polygons)
        if filled is None:
            return None
        slots += filled
    return slots


def _fill(
    layout: Layout,
    number: int,
    row: Sequence[tuple[float, float, int, str]],
    group_polygons: Sequence[tuple[str, Array]],
) -> _Slots | None:
    """Put a row's characters, from left to right, into its slots, leaving out optional slots only.

    Of several ways, the one that agrees best with the group polygons wins, then the one nearest to
    where the slots stand.
    """
    slots = layout.rows[number].slots
    places: list[tuple[str, float]] = []
    for group in layout.rows[number].groups:
        x1, _, x2, _ = group.box
        width = (x2 - x1) / len(group.slots)
        places += [(group.label, x1 + (i + 0.5) * width) for i in range(len(group.slots))]
    own_groups = [
        {label for label, polygon in group_polygons if contains(polygon, np.array(entry[:2]))}
        for entry in row
    ]

    def fits(chosen: tuple[int, ...]) -> bool:
        return all(slot.optional or i in chosen for i, slot in enumerate(slots)) and all(
            entry[3] in slots[i].alphabet for i, entry in zip(chosen, row, strict=True)
        )

    def cost(chosen: Iterable[int]) -> tuple[int, float]:
        pairs = list(zip(chosen, row, own_groups, strict=True))
        strangers = sum(bool(own) and places[i][0] not in own for i, _, own in pairs)
        return strangers, sum(abs(places[i][1] - entry[0]) for i, entry, _ in pairs)

    ways = [c for c in combinations(range(len(slots)), len(row)) if fits(c)]
    if not ways:
        return None
    best = dict(zip(min(ways, key=cost), row, strict=True))
    return [(best[i][2], best[i][3]) if i in best else None for i in range(len(slots))]
