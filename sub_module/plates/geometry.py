"""Plane geometry of plates: corners, and the way between the image and plate coordinates.

Points are (n, 2), x to the right and y down, in image pixels or in plate coordinates, which run
from (0, 0) at a plate's own top left to (1, 1); clockwise is meant as seen on the screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]
Corners = NDArray[np.float32]
Box = tuple[float, float, float, float]
# `straightened` fits lines to this many points along an outline: to those that lie as far from both
# ends of an edge, and as near to it, in plate coordinates.
_NUM_OUTLINE_POINTS = 120
_EDGE_START, _EDGE_WIDTH = 0.15, 0.15
_MIN_EDGE_POINTS = 3
UNIT_SQUARE: Corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)


def plate_to_image(corners: Points) -> NDArray[np.float64]:
    """The (3, 3) homography from plate coordinates to image pixels.

    Args:
        corners: (4, 2), clockwise from the plate's own top left.
    """
    return np.asarray(cv2.getPerspectiveTransform(UNIT_SQUARE, np.asarray(corners, np.float32)))


def image_to_plate(corners: Points) -> NDArray[np.float64]:
    """The (3, 3) homography from image pixels to plate coordinates; see `plate_to_image`."""
    return np.asarray(cv2.getPerspectiveTransform(np.asarray(corners, np.float32), UNIT_SQUARE))


def map_points(homography: NDArray[np.float64], points: Points) -> Corners:
    """Map (n, 2) points, one or more, through a (3, 3) homography."""
    mapped = cv2.perspectiveTransform(np.asarray(points, np.float64)[None], homography)
    return np.asarray(mapped[0], dtype=np.float32)


def region_corners(region: Sequence[float]) -> Corners:
    """The corners (4, 2) of a region (x1, y1, x2, y2), clockwise from top left."""
    x1, y1, x2, y2 = region
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)


def area_of(polygon: Points) -> float:
    """The area inside a polygon, whichever way round it runs."""
    return float(cv2.contourArea(np.asarray(polygon, np.float32)))


def side_lengths(corners: Points) -> tuple[float, float]:
    """Width and height of a plate as it stands in the image: mean lengths of opposite edges.

    Args:
        corners: (4, 2), clockwise from the plate's own top left.

    Returns:
        (width, height): of the upper and the lower edge, of the left and the right one.
    """
    # Plain numbers: for four points the calls of numpy cost more than the sums.
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = corners.tolist()
    width = (math.hypot(bx - ax, by - ay) + math.hypot(cx - dx, cy - dy)) / 2
    height = (math.hypot(dx - ax, dy - ay) + math.hypot(cx - bx, cy - by)) / 2
    return width, height


def box_iou(a: Box, b: Box) -> float:
    """The IoU of two boxes (x1, y1, x2, y2), from 0 to 1."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


def quadrangle_iou(a: Points, b: Points) -> float:
    """The IoU of two convex quadrangles (4, 2), from 0 to 1."""
    if not boxes_touch(a, b):
        return 0.0
    common = float(
        cv2.intersectConvexConvex(np.asarray(a, np.float32), np.asarray(b, np.float32))[0]
    )
    return common / max(area_of(a) + area_of(b) - common, 1e-9)


def boxes_touch(a: Points, b: Points, margin: float = 0.0) -> bool:
    """Whether the upright boxes round two polygons lie closer than `margin` to each other."""
    return bool((a.min(0) - margin < b.max(0)).all() and (b.min(0) - margin < a.max(0)).all())


def middle_of(polygon: Points) -> Points:
    """The middle (2,) of the upright box round a polygon."""
    middle: Points = (polygon.min(axis=0) + polygon.max(axis=0)) / 2
    return middle


def contains(polygon: Points, point: Points) -> bool:
    """Whether a point (x, y) lies inside a polygon or on its edge."""
    outline = np.asarray(polygon, np.float32)
    return cv2.pointPolygonTest(outline, (float(point[0]), float(point[1])), False) >= 0


def quadrangle(polygon: Points) -> Corners | None:
    """The four corners of a board that is drawn as a polygon of any number of points.

    Returns:
        (4, 2) points, clockwise, beginning anywhere; None when the polygon has no four corners.
    """
    hull = cv2.convexHull(np.asarray(polygon, np.float32), clockwise=False)
    if len(hull) > 4:
        # Lengthens edges, adding as little area as it can: rounded corners become sharp again.
        hull = cv2.approxPolyN(hull, 4, epsilon_percentage=-1, ensure_convex=True)
    corners = np.asarray(hull, np.float32).reshape(-1, 2)
    return corners if len(corners) == 4 and area_of(corners) > 0 else None


def straightened(polygon: Points, corners: Points) -> Points:
    """The corners at which the straight parts of an outline would meet.

    A mask of few cells has round corners and ragged edges; lines through the middle of each edge
    know nothing of the former and even out the latter.

    Args:
        polygon: (n, 2), the outline, clockwise or not.
        corners: (4, 2) about its corners, clockwise, such as its `quadrangle`.

    Returns:
        (4, 2) in the order of `corners`; `corners` themselves where the outline has no four
        straight edges there.
    """
    points = _resampled(polygon, _NUM_OUTLINE_POINTS)
    mapped = map_points(image_to_plate(corners), points)
    lines = []
    for edge in range(4):
        # Edge 0 is the upper one, y = 0; edge 1 the right one, x = 1.
        along, across = mapped[:, edge % 2], mapped[:, 1 - edge % 2]
        beside = np.abs(across - (edge in (1, 2))) < _EDGE_WIDTH
        members = points[beside & (along > _EDGE_START) & (along < 1 - _EDGE_START)]
        if len(members) < _MIN_EDGE_POINTS:
            return corners
        x, y, x0, y0 = cv2.fitLine(members, cv2.DIST_L2, 0, 0.01, 0.01)[:, 0].tolist()
        lines.append((-y, x, y * x0 - x * y0))
    meetings = []
    # Corner 0 is where edge 3 and edge 0 meet.
    for (a, b, c), (d, e, f) in zip([lines[-1], *lines[:-1]], lines, strict=True):
        divisor = a * e - b * d
        if abs(divisor) < 1e-6:
            return corners
        meetings.append(((b * f - c * e) / divisor, (c * d - a * f) / divisor))
    moved = np.array(meetings, np.float32)
    is_near = np.abs(map_points(image_to_plate(corners), moved) - UNIT_SQUARE) < 2 * _EDGE_WIDTH
    return moved if is_near.all() else corners


def _resampled(polygon: Points, count: int) -> Corners:
    """(count, 2) points at equal distances along a polygon's outline."""
    closed = np.concatenate([polygon, polygon[:1]]).astype(np.float64)
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(closed, axis=0).T))]
    at = (np.arange(count) + 0.5) / count * lengths[-1]
    points = [np.interp(at, lengths, closed[:, axis]) for axis in (0, 1)]
    return np.stack(points, axis=1).astype(np.float32)


def rectangle_around(polygon: Points) -> Corners:
    """The smallest rectangle, however turned, round a polygon: (4, 2), clockwise."""
    corners = cv2.boxPoints(cv2.minAreaRect(np.asarray(polygon, np.float32)))
    clockwise = corners if cv2.contourArea(corners, oriented=True) > 0 else corners[::-1]
    return np.ascontiguousarray(clockwise, np.float32)


def by_uprightness(corners: Points) -> list[Points]:
    """A clockwise quadrangle beginning at each of its corners, the most upright text first."""

    def turn(candidate: Points) -> float:
        top_left, top_right, bottom_right, bottom_left = candidate
        across = top_right + bottom_right - top_left - bottom_left
        return abs(float(np.arctan2(across[1], across[0])))

    return sorted((np.roll(corners, -k, axis=0) for k in range(4)), key=turn)
