"""What is wrong with the polygons of a plate's groups, whose characters have their slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sub_module.plates.on_board import (
    Character,
    GroupShape,
    ImageShapes,
    Placed,
    Slots,
    is_in_place,
)
from sub_module.plates.standard import Layout

# How far a rectangle round characters goes beyond them, as a share of its sides.
_RECTANGLE_MARGIN = 0.15


def group_faults(
    shapes: ImageShapes, layout: Layout, placed: Placed, slots: Slots
) -> Iterator[tuple[int, str]]:
    """What is wrong with group polygons: (shape number, reason) of each that cannot be.

    A group's polygon stands in the group's place, once, and holds the characters of its slots and
    no others.

    Args:
        shapes: Of the image.
        layout: Of the board.
        placed: Its shapes, groups of other layouts left out.
        slots: The character in each slot.
    """
    labels = [group.label for group in layout.groups for _ in group.slots]
    filled = [(label, c) for label, c in zip(labels, slots, strict=True) if c is not None]
    firsts: dict[str, int] = {}
    # For each group's polygon its own characters outside of it, and others inside.
    lost: dict[int, list[Character]] = {}
    strangers: dict[int, list[Character]] = {}
    for group in placed.groups:
        if not is_in_place(group, layout):
            x1, y1, x2, y2 = group.box
            other = layout.nearest_group((x1 + x2) / 2, (y1 + y2) / 2).label
            yield group.shape, f"stands where {other!r} does"
        elif _is_repeated(layout, group.label):
            # Polygons of one label share the characters between them, and any may be missing.
            continue
        elif group.label in firsts:
            yield group.shape, f"is there already, as {shapes.name(firsts[group.label])}"
        else:
            firsts[group.label] = group.shape
            own = [c for label, c in filled if label == group.label]
            others = [c for label, c in filled if label != group.label and group.holds(c)]
            lost[group.shape] = [c for c in own if not group.holds(c)]
            strangers[group.shape] = [
                c for c in others if not _is_in_the_way(shapes, group, own, c)
            ]
    if any(lost.values()) or any(strangers.values()):
        yield from _content_faults(shapes, layout, lost, strangers)


def _content_faults(
    shapes: ImageShapes,
    layout: Layout,
    lost: dict[int, list[Character]],
    strangers: dict[int, list[Character]],
) -> Iterator[tuple[int, str]]:
    """Groups that do not hold their own characters, or that hold others."""
    missed = {c.shape for characters in lost.values() for c in characters}
    surplus = set()
    for group, characters in strangers.items():
        for c in characters:
            # Two polygons and the place agree about a character that has no slot there.
            if c.shape in missed and layout.nearest_group(c.x, c.y).label == shapes.labels[group]:
                surplus.add(c.shape)
                yield c.shape, f"stands in {shapes.name(group)}, which has no place for it"
    for verb, found in (("does not hold", lost), ("must not hold", strangers)):
        for group, characters in found.items():
            names = [shapes.name(c.shape) for c in characters if c.shape not in surplus]
            if names:
                yield group, f"{verb} {', '.join(names)}"


def _is_repeated(layout: Layout, label: str) -> bool:
    """Whether several groups of a layout have one label."""
    return sum(group.label == label for group in layout.groups) > 1


def _is_in_the_way(
    shapes: ImageShapes, group: GroupShape, own: Sequence[Character], stranger: Character
) -> bool:
    """Whether an upright rectangle round a group's characters cannot but hold a stranger.

    Who draws groups as rectangles on a turned plate has no choice.
    """
    polygon = shapes.polygons[group.shape]
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if len(polygon) != 4 or not ((polygon == low) | (polygon == high)).all() or not own:
        return False
    points = np.concatenate([shapes.polygons[c.shape] for c in own])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = _RECTANGLE_MARGIN * (high - low)
    middle = shapes.middles[stranger.shape]
    return bool(((middle >= low - margin) & (middle <= high + margin)).all())
