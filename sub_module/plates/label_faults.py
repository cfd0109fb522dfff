"""What is wrong with labelled shapes that make no plates: every fault, and the shape to mend.

One mistake is said once, of the shape that a person has to change: where a character lies outside
of its board, nothing is said of the slot that stays empty for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.geometry import by_uprightness, quadrangle
from sub_module.plates.group_faults import group_faults
from sub_module.plates.nearest_fit import EmptySlot, nearest_fit
from sub_module.plates.on_board import (
    SAME_BOARD_IOU,
    ImageShapes,
    Placed,
    Slots,
    board_iou,
    fit,
    same_place,
)
from sub_module.plates.standard import Layout

Array = NDArray[np.floating]
# Shape number and reason.
Fault = tuple[int, str]

# Boards with a larger IoU may be drawn round one plate; the characters tell.
_NEAR_BOARD_IOU = 0.5


def shape_faults(shapes: ImageShapes) -> list[tuple[int, str]]:
    """All that cannot be about an image's shapes: (shape number, line that names it), in order.

    Labels that the standard does not have; shapes on no board, or outside of the board to which
    their group_id joins them; boards without four corners, or two on one plate; groups of another
    layout, in another group's place, or without their characters; characters in another's place,
    too many, or outside of their slot's alphabet; characters that are missing.

    A label of None may be any, a polygon of None anywhere: such shapes have no fault here, and
    excuse what may be missing because of them.
    """
    classes = shapes.standard.classes
    found = sorted(_faults(shapes), key=lambda fault: fault[0])
    numbers = shapes.numbers
    return [
        (
            numbers[i],
            f"{shapes.name(i) if shapes.labels[i] in classes else f'shape {numbers[i]}'}: {reason}",
        )
        for i, reason in found
    ]


@dataclass
class _Board:
    """A board and what belongs to it.

    Attributes:
        index: Its shape.
        corners: None: it has no four.
        members: Shapes that lie on it.
        guests: Shapes that lie on it and are joined to another board by their group_id.
    """

    index: int
    corners: Array | None
    members: list[int] = field(default_factory=list)
    guests: list[int] = field(default_factory=list)


def _faults(shapes: ImageShapes) -> Iterator[Fault]:
    classes = shapes.standard.classes
    unknown = [i for i, label in enumerate(shapes.labels) if label not in classes]
    for index in unknown:
        if shapes.labels[index] is not None:
            yield index, f"unknown label {shapes.labels[index]!r}"
    nowhere = [i for i in range(len(shapes.labels)) if np.isnan(shapes.middles[i]).any()]
    boards = {i: _Board(i, quadrangle(shapes.polygons[i])) for i in shapes.boards}
    # What may be the board of shapes that lie on none.
    vague = [i for i in nowhere if shapes.labels[i] in shapes.standard.board_labels]
    vague += unknown + [i for i, board in boards.items() if board.corners is None]
    strays = [i for i in nowhere if i not in unknown]
    for index in sorted(set(range(len(shapes.labels))) - {*boards, *unknown, *nowhere}):
        reason, is_stray = _settle(shapes, index, boards, vague)
        if reason is not None:
            yield index, reason
        if is_stray:
            strays.append(index)
    yield from _merge_doubles(shapes, boards)
    # Shapes that may be any, and may stand anywhere.
    jokers = [i for i in unknown if shapes.board_around(i) is None]
    missing: list[tuple[_Board, list[EmptySlot]]] = []
    for board in boards.values():
        if board.corners is None:
            yield board.index, "is no quadrangle"
            continue
        on_it = [i for i in unknown if shapes.board_around(i) == board.index]
        found = _of_board(shapes, board, on_it, bool(strays or jokers))
        yield from found.faults
        strays += found.strays
        missing.append((board, found.empty))
    yield from _missing(shapes, missing, strays, jokers)


def _settle(
    shapes: ImageShapes, index: int, boards: dict[int, _Board], vague: Sequence[int]
) -> tuple[str | None, bool]:
    """Note a shape with its board: (what is wrong with it or None, whether it has no board)."""
    joined = shapes.joined_board(index)
    if joined is not None:
        corners = boards[joined].corners
        if corners is None or shapes.on_board(corners, [index])[0]:
            boards[joined].members.append(index)
            return None, False
    around = shapes.board_around(index)
    if joined is not None:
        if around is not None:
            boards[around].guests.append(index)
        group_id = shapes.group_ids[index]
        reason = f"lies outside of {shapes.name(joined)}, to which group_id {group_id} joins it"
        return reason, around is None
    if around is not None:
        boards[around].members.append(index)
        return None, False
    middle = shapes.middles[index]
    is_excused = any(
        np.isnan(shapes.middles[i]).any() or _box_holds(shapes.polygons[i], middle) for i in vague
    )
    return None if is_excused else "lies on no board", True


def _box_holds(polygon: Array, point: Array) -> bool:
    """Whether a point lies in the upright box round a polygon."""
    return bool(((polygon.min(axis=0) <= point) & (point <= polygon.max(axis=0))).all())


def _merge_doubles(shapes: ImageShapes, boards: dict[int, _Board]) -> Iterator[Fault]:
    """Of two boards on one plate one goes, and leaves its shapes to the other."""
    for a, b in combinations(list(boards), 2):
        if a not in boards or b not in boards:
            continue
        iou = board_iou(shapes.polygons[a], shapes.polygons[b])
        if iou <= _NEAR_BOARD_IOU:
            continue
        both = sorted(boards[a].members + boards[b].members)
        stays = next((i for i in (a, b) if _fits(shapes, boards[i], both)), None)
        if stays is None and iou > SAME_BOARD_IOU:
            stays = a
        if stays is not None:
            goes = boards.pop(b if stays == a else a)
            boards[stays].members = both
            boards[stays].guests += goes.guests
            yield goes.index, f"stands on the plate of {shapes.name(stays)}"


@dataclass
class _Found:
    """What a closer look at a board finds: faults, slots without a character, shapes to spare."""

    faults: list[Fault] = field(default_factory=list)
    empty: list[EmptySlot] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)


def _of_board(
    shapes: ImageShapes, board: _Board, unknown: Sequence[int], has_spare: bool
) -> _Found:
    """What is wrong with a board that has four corners, and with the shapes on it.

    Args:
        shapes: Of the image.
        board: Of them.
        unknown: Shapes on it whose label may be any.
        has_spare: Whether there are shapes that have no board.
    """
    found = _Found()
    if board.guests:
        if _fits(shapes, board, board.members):
            found.strays = board.guests
        else:
            board.members = sorted(board.members + board.guests)
    layout = shapes.standard.layout(str(shapes.labels[board.index]))
    own, foreign = _by_layout(shapes, layout, board.members)
    upright = _strict(shapes, board, layout, own)
    if upright is None:
        other = _other_layout(shapes, board, layout)
        if other is not None:
            what = "groups and characters" if foreign else "characters"
            found.faults = [(board.index, f"its {what} are those of a {other.label!r}")]
            return found
    label = shapes.labels[board.index]
    found.faults = [(index, f"does not belong on a {label!r}") for index in foreign]
    if upright is None:
        assert board.corners is not None
        has_spare = has_spare or bool(found.strays)
        ways = (shapes.placed(c, layout, [*own, *unknown]) for c in by_uprightness(board.corners))
        nearest = min(
            (nearest_fit(shapes, layout, way, has_spare) for way in ways), key=lambda n: n.cost
        )
        found.faults += nearest.faults
        found.empty = nearest.empty
        placed, slots = nearest.placed, nearest.slots
    else:
        placed, slots = upright
        found.faults += _doubles(shapes, placed)
    found.faults += group_faults(shapes, layout, placed, slots)
    return found


def _doubles(shapes: ImageShapes, placed: Placed) -> Iterator[Fault]:
    """Characters that stand in the place of another one, although there are slots for both."""
    for row in placed.rows:
        for a, b in pairwise(row):
            if same_place(a, b):
                first, second = sorted((a.shape, b.shape))
                yield second, f"stands in the place of {shapes.name(first)}"


def _by_layout(
    shapes: ImageShapes, layout: Layout, members: Sequence[int]
) -> tuple[list[int], list[int]]:
    """The members that may stand on a layout, and the groups that belong to others."""
    foreign = set(shapes.standard.group_labels) - {group.label for group in layout.groups}
    is_own = [shapes.labels[index] not in foreign for index in members]
    return (
        [index for index, own in zip(members, is_own, strict=True) if own],
        [index for index, own in zip(members, is_own, strict=True) if not own],
    )


def _strict(
    shapes: ImageShapes, board: _Board, layout: Layout, members: Sequence[int]
) -> tuple[Placed, Slots] | None:
    """A board's shapes in the slots of a layout; None where they do not fit."""
    if board.corners is not None:
        for turned in by_uprightness(board.corners):
            placed = shapes.placed(turned, layout, members)
            slots = fit(layout, placed)
            if slots is not None:
                return placed, slots
    return None


def _fits(shapes: ImageShapes, board: _Board, members: Sequence[int]) -> bool:
    """Whether the characters of some shapes are a text of a board's own layout."""
    layout = shapes.standard.layout(str(shapes.labels[board.index]))
    return _strict(shapes, board, layout, _by_layout(shapes, layout, members)[0]) is not None


def _other_layout(shapes: ImageShapes, board: _Board, layout: Layout) -> Layout | None:
    """The layout that fits all shapes of a board whose label names another one."""
    for other in shapes.standard.layouts:
        own, foreign = _by_layout(shapes, other, board.members)
        if other == layout or foreign or not own:
            continue
        found = _strict(shapes, board, other, own)
        if found is not None and not any(group_faults(shapes, other, *found)):
            return other
    return None


def _missing(
    shapes: ImageShapes,
    missing: Sequence[tuple[_Board, list[EmptySlot]]],
    strays: Sequence[int],
    jokers: Sequence[int],
) -> Iterator[Fault]:
    """Boards with slots that no character fills, and that no shape without a place would fill."""
    texts_of = {i: shapes.standard.character_of(str(shapes.labels[i])) for i in strays}
    spare = [(index, text) for index, text in texts_of.items() if text is not None]
    for board, empty in missing:
        left = []
        anything = list(jokers)
        for slot in empty:
            # One that its group_id joins to this board goes first.
            fitting = [pair for pair in spare if pair[1] in slot.alphabet]
            fitting.sort(key=lambda pair: shapes.joined_board(pair[0]) != board.index)
            if fitting:
                spare.remove(fitting[0])
            elif anything:
                anything.pop()
            else:
                left.append(slot)
        if left:
            yield board.index, _unfilled(shapes, board, left)


def _unfilled(shapes: ImageShapes, board: _Board, empty: Sequence[EmptySlot]) -> str:
    layout = shapes.standard.layout(str(shapes.labels[board.index]))
    texts = [shapes.standard.character_of(str(shapes.labels[i])) for i in board.members]
    found = ", ".join(repr(text) for text in texts if text is not None)
    misfit = f"its characters ({found or 'none'}) do not fit the layout {layout.name}"
    places = ", ".join(f"{slot.number} of {slot.group!r}" for slot in empty)
    return f"{misfit}: there is none in place {places}" if found else misfit
