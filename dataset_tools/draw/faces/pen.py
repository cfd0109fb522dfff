"""A pen with a flat or round tip: thick strokes along bent lines, as polygons and as ink.

Frame: a character's box, x to the right and y down, 1 is the height of a capital.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, pi, sqrt

import cv2
import numpy as np

from dataset_tools.draw.brushes import SHIFT, Image, fixed_point, shrunk

Point = tuple[float, float]
# A corner of an outline and where its curve begins and ends, both as steps from the corner.
_Corner = tuple[Point, Point, Point]

# OpenCV fills to whole rows: drawn at this scale and averaged, curves stay smooth.
_SCALE = 2
_TURN = np.linspace(0.0, pi / 2, 7)
_LEAVE = (1 - np.sin(_TURN))[None, :, None]
_ENTER = (1 - np.cos(_TURN))[None, :, None]
# What turns more (cosine of the turn) is rounded by two corners, as one would leave a tip.
_ACUTE = -0.15


@dataclass(frozen=True)
class Pen:
    """What a stroke is drawn with.

    Attributes:
        across: Half the thickness of an upright stroke.
        along: Half the thickness of a level stroke.
        softness: 0 for square ends and corners, 1 for those of a round tip.
    """

    across: float
    along: float
    softness: float


@dataclass(frozen=True)
class Stroke:
    """A line that the pen follows.

    Attributes:
        points: Its corners.
        bend: How far before and behind a corner the curve reaches, along x and along y;
            at most half of a side that ends in a curve at both ends.
        sharp: Corners (their numbers) that are not bent.
        closed: It ends where it began.
        weight: Share of the pen's thickness.
        erase: It takes ink away.
    """

    points: tuple[Point, ...]
    bend: Point = (0.0, 0.0)
    sharp: tuple[int, ...] = ()
    closed: bool = False
    weight: float = 1.0
    erase: bool = False


def ink(strokes: Sequence[Stroke], pen: Pen, width: float, height_px: int, pad_px: int) -> Image:
    """Draw strokes, cut off at the character's box.

    Args:
        strokes: In the order of drawing.
        pen: What they are drawn with.
        width: Of the box; its height is 1.
        height_px: Height of the box in pixels.
        pad_px: Empty pixels on each side of the box, at least 1.

    Returns:
        (height_px + 2 pad_px, about width * height_px + 2 pad_px) uint8, 255 where there is ink.
    """
    corners: list[float] = []
    shapes: list[tuple[list[int], int]] = []
    for stroke in strokes:
        counts = []
        for polygon in _polygons(stroke, pen):
            for corner, leave, enter in polygon:
                corners += (*corner, *leave, *enter)
            counts.append(len(polygon))
        shapes.append((counts, 0 if stroke.erase else 255))
    at = np.array(corners).reshape(-1, 1, 3, 2)
    curves = at[:, :, 0] + at[:, :, 1] * _LEAVE + at[:, :, 2] * _ENTER
    # Pixel i spans i to i + 1 in the box and lies at i for OpenCV.
    fixed = fixed_point(curves * (height_px * _SCALE) - 0.5)
    size = (max(2, round(width * height_px)) + 2 * pad_px, height_px + 2 * pad_px)
    canvas = np.zeros((size[1] * _SCALE, size[0] * _SCALE), np.uint8)
    pad = pad_px * _SCALE
    box = canvas[pad:-pad, pad:-pad]
    start = 0
    for counts, value in shapes:
        polygons = []
        for count in counts:
            polygons.append(fixed[start : start + count].reshape(-1, 2))
            start += count
        cv2.fillPoly(box, polygons, value, cv2.LINE_8, SHIFT)
    return shrunk(canvas, size)


def _polygons(stroke: Stroke, pen: Pen) -> list[list[_Corner]]:
    """The outline of a stroke: one polygon, or the outer and the inner one of a closed stroke."""
    points, closed = stroke.points, stroke.closed
    count = len(points)
    sides = []
    for i in range(count if closed else count - 1):
        (x1, y1), (x2, y2) = points[i], points[(i + 1) % count]
        length = hypot(x2 - x1, y2 - y1)
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        half = stroke.weight * hypot(uy * pen.across, ux * pen.along)
        sides.append((ux, uy, half, length))
    reaches = _reaches(stroke, sides)
    edges: list[list[_Corner]] = [[], []]
    for i in range(count) if closed else range(1, count - 1):
        for edge, sign in zip(edges, (1.0, -1.0), strict=True):
            edge += _bent(points[i], sides[i - 1], sides[i % len(sides)], reaches[i], sign, pen)
    left, right = edges
    if closed:
        return [left, right]
    right = [(corner, enter, leave) for corner, leave, enter in reversed(right)]
    return [
        _end(points[0], sides[0], -1.0, pen) + left + _end(points[-1], sides[-1], 1.0, pen) + right
    ]


_Side = tuple[float, float, float, float]


def _reaches(stroke: Stroke, sides: Sequence[_Side]) -> list[Point]:
    """How far the curve at each corner reaches along the side before and the one behind."""
    count = len(stroke.points)
    bent = [
        (stroke.closed or 0 < i < count - 1) and i not in stroke.sharp and stroke.bend[0] > 0
        for i in range(count)
    ]
    reaches = []
    for i in range(count):
        if not bent[i]:
            reaches.append((0.0, 0.0))
            continue
        pair = []
        for side, neighbour in ((sides[i - 1], i - 1), (sides[i % len(sides)], (i + 1) % count)):
            ux, uy, _, length = side
            wish = hypot(ux * stroke.bend[0], uy * stroke.bend[1])
            pair.append(min(wish, length * (0.5 if bent[neighbour] else 1.0)))
        reaches.append((pair[0], pair[1]))
    return reaches


def _bent(
    point: Point, before: _Side, behind: _Side, reach: Point, sign: float, pen: Pen
) -> list[_Corner]:
    """One edge's corner: where the two edges meet, with the curve moved along with the edge."""
    ux1, uy1, half1, _ = before
    ux2, uy2, half2, _ = behind
    # The normals are (uy, -ux); `sign` says on which side of the line this edge runs.
    cross = ux1 * uy2 - uy1 * ux2
    if abs(cross) < 1e-3:
        corner = (point[0] + sign * half1 * uy1, point[1] - sign * half1 * ux1)
        return [(corner, (0.0, 0.0), (0.0, 0.0))]
    sharp = reach[0] <= 0.0
    if sharp and pen.softness >= 0.5 and sign * cross > 0:
        cosine = ux1 * ux2 + uy1 * uy2
        if cosine < _ACUTE:
            return _tip(point, before, behind, sign, cosine)
    # The step d from the point solves normal1 * d = sign * half1, normal2 * d = sign * half2.
    dx = sign * (half2 * ux1 - half1 * ux2) / cross
    dy = sign * (half2 * uy1 - half1 * uy2) / cross
    leave = reach[0] + dx * ux1 + dy * uy1
    enter = reach[1] - dx * ux2 - dy * uy2
    share = pen.softness if sharp else 1.0
    leave, enter = max(leave, 0.0) * share, max(enter, 0.0) * share
    return [
        (
            (point[0] + dx, point[1] + dy),
            (-ux1 * leave, -uy1 * leave),
            (ux2 * enter, uy2 * enter),
        )
    ]


def _tip(point: Point, before: _Side, behind: _Side, sign: float, cosine: float) -> list[_Corner]:
    """The outer edge of an acute corner, rounded by two corners of half the turn each."""
    ux1, uy1, half1, _ = before
    ux2, uy2, half2, _ = behind
    # tan of a quarter of the turn, from its cosine.
    half_cosine = sqrt((1 + cosine) / 2)
    quarter = sqrt((1 - half_cosine) / (1 + half_cosine))
    reach1, reach2 = half1 * quarter, half2 * quarter
    x1 = point[0] + sign * half1 * uy1 + ux1 * reach1
    y1 = point[1] - sign * half1 * ux1 + uy1 * reach1
    x2 = point[0] + sign * half2 * uy2 - ux2 * reach2
    y2 = point[1] - sign * half2 * ux2 - uy2 * reach2
    step = ((x2 - x1) / 2, (y2 - y1) / 2)
    return [
        ((x1, y1), (-ux1 * reach1, -uy1 * reach1), step),
        ((x2, y2), (-step[0], -step[1]), (ux2 * reach2, uy2 * reach2)),
    ]


def _end(point: Point, side: _Side, way: float, pen: Pen) -> list[_Corner]:
    """The two corners of a stroke's end; `way` is 1 where the line ends and -1 where it begins."""
    ux, uy, half, _ = side
    ux, uy = way * ux, way * uy
    round_by = half * pen.softness
    out = (-ux * round_by, -uy * round_by)
    x, y = point
    nx, ny = uy, -ux
    first = ((x + half * nx, y + half * ny), out, (-nx * round_by, -ny * round_by))
    last = ((x - half * nx, y - half * ny), (nx * round_by, ny * round_by), out)
    return [first, last]
