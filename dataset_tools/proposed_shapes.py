"""Shapes for a person to correct, from what a model finds: board, groups and characters.

A model with masks gives outlines. One without says where a plate's corners are and what it reads;
the plate standard says where the characters of such a text stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.labelme import Shape
from sub_module.plates import Group, Layout, PlateReading, PlateStandard
from sub_module.plates.geometry import (
    area_of,
    contains,
    image_to_plate,
    map_points,
    middle_of,
    plate_to_image,
    region_corners,
)
from sub_module.plates.instances import Findings, Instances

Array = NDArray[np.floating]

# Of the place of a character, this part is left free on either side.
_GAP = 0.07
# An outline may lose points that lie so near to the line between their neighbours.
_OUTLINE_PX = 0.7
# Two finds are one object when their boxes share more than this part of the smaller one.
_SAME_OBJECT = 0.5


def proposed_shapes(
    findings: Findings, standard: PlateStandard, size: tuple[int, int]
) -> tuple[Shape, ...]:
    """The shapes that make the plates which a model found, those of a plate after each other.

    Points lie in the image; what lies outside of it altogether is left out.

    Args:
        findings: Of one image.
        standard: The model's.
        size: (width, height) of the image in pixels.

    Returns:
        Shapes whose group_id is the number of their plate, best reading first.
    """
    shapes = []
    for number, reading in enumerate(findings.readings):
        for label, polygon in _of_plate(reading, findings.instances, standard):
            points = np.clip(polygon, 0, size).round(2)
            if area_of(points) > 0:
                shapes.append(Shape(label, tuple((x, y) for x, y in points.tolist()), number))
    return tuple(shapes)


def _of_plate(
    reading: PlateReading, instances: Instances | None, standard: PlateStandard
) -> Iterator[tuple[str, Array]]:
    """Label and polygon of a plate's board, then of each group with its characters."""
    layout = standard.layout(reading.layout)
    corners = np.array(reading.corners)
    to_image = plate_to_image(corners)
    finds = None if instances is None else _Finds(instances, corners, layout, standard)
    characters = characters_of(reading, layout)
    yield layout.label, corners
    for number, row in enumerate(layout.rows):
        texts, characters = characters[: len(row.slots)], characters[len(row.slots) :]
        outlines = [] if finds is None else finds.characters(number, texts)
        for group in row.groups:
            own, texts = texts[: len(group.slots)], texts[len(group.slots) :]
            placed = list(_places(group, [text for text in own if text is not None]))
            if not placed:
                continue
            polygons: list[Array] = [map_points(to_image, region_corners(box)) for _, box in placed]
            if outlines:
                polygons, outlines = outlines[: len(placed)], outlines[len(placed) :]
            found = None if finds is None else finds.group(group, polygons)
            if found is None:
                found = map_points(to_image, region_corners(group.box))
            yield group.label, found
            for (text, _), polygon in zip(placed, polygons, strict=True):
                yield standard.label_of(text), polygon


def characters_of(reading: PlateReading, layout: Layout) -> list[str | None]:
    """The character of each slot of a reading; None where it is left out.

    A reading has the texts of its fields. Where they do not tell which of several optional slots
    holds a character, the first does.
    """
    slots = layout.slots

    def filled(start: int, rest: dict[str, str]) -> list[str | None] | None:
        if start == len(slots):
            return None if any(rest.values()) else []
        slot = slots[start]
        text = rest[slot.field]
        if text and text[0] in slot.alphabet:
            after = filled(start + 1, {**rest, slot.field: text[1:]})
            if after is not None:
                return [text[0], *after]
        after = filled(start + 1, rest) if slot.optional else None
        return None if after is None else [None, *after]

    fields = {slot.field: str(getattr(reading, slot.field)) for slot in slots}
    return filled(0, fields) or [None] * len(slots)


def _places(
    group: Group, texts: Sequence[str]
) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Where each character stands in plate coordinates; they spread evenly over their group."""
    x1, y1, x2, y2 = group.box
    pitch = (x2 - x1) / max(len(texts), 1)
    for i, text in enumerate(texts):
        yield text, (x1 + (i + _GAP) * pitch, y1, x1 + (i + 1 - _GAP) * pitch, y2)


class _Finds:
    """The outlines that a model found on one plate."""

    def __init__(
        self, instances: Instances, corners: Array, layout: Layout, standard: PlateStandard
    ) -> None:
        self._layout = layout
        self._labels = instances.labels
        self._scores = instances.scores
        self._polygons = instances.polygons
        self._texts = [standard.character_of(label) for label in instances.labels]
        boxes = instances.boxes_xyxy
        self._boxes = boxes
        middles = np.empty((0, 2), np.float32)
        if len(instances):
            middles = map_points(image_to_plate(corners), (boxes[:, :2] + boxes[:, 2:]) / 2)
        self._middles = middles.tolist()
        best_first = np.argsort(-self._scores, kind="stable").tolist()
        self._on_plate = [i for i in best_first if all(0 <= v <= 1 for v in self._middles[i])]

    def characters(self, row: int, texts: Sequence[str | None]) -> list[Array]:
        """The outlines of a row's text in reading order; empty where they were not all found."""
        wanted = [text for text in texts if text is not None]
        finds: list[int] = []
        for i in self._on_plate:
            if self._texts[i] is None or self._layout.nearest_row(self._middles[i][1]) != row:
                continue
            if not any(self._texts[i] == self._texts[j] and self._is_same(i, j) for j in finds):
                finds.append(i)
        finds.sort(key=lambda i: self._middles[i][0])
        # For each number of characters from the left, the likeliest finds that read them.
        best: list[tuple[float, list[int]] | None] = [(0.0, []), *[None] * len(wanted)]
        for i in finds:
            for k in range(len(wanted), 0, -1):
                before, now = best[k - 1], best[k]
                if before is None or wanted[k - 1] != self._texts[i]:
                    continue
                score = before[0] + float(self._scores[i])
                if now is None or score > now[0]:
                    best[k] = score, [*before[1], i]
        read = best[-1]
        return [] if read is None else [_simple(self._polygons[i]) for i in read[1]]

    def group(self, group: Group, characters: Sequence[Array]) -> Array | None:
        """The outline of a group that holds its characters; None: none was found."""
        for i in self._on_plate:
            if self._labels[i] == group.label:
                outline = _simple(self._polygons[i])
                if all(contains(outline, middle_of(character)) for character in characters):
                    return outline
        return None

    def _is_same(self, i: int, j: int) -> bool:
        """Whether two finds stand in one place."""
        (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = self._boxes[i], self._boxes[j]
        width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
        smaller = min((ax2 - ax1) * (ay2 - ay1), (bx2 - bx1) * (by2 - by1))
        return bool(width > 0 and height > 0 and width * height > _SAME_OBJECT * smaller)


def _simple(outline: Array) -> Array:
    """An outline with as few points as a person wants to move."""
    points = cv2.approxPolyDP(np.asarray(outline, np.float32), _OUTLINE_PX, closed=True)
    return np.asarray(points[:, 0], np.float32) if len(points) >= 3 else outline
