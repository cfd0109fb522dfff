"""Plane geometry of plates: corners, and the way between the image and plate coordinates.

Points are (n, 2), x to the right and y down, in image pixels or in plate coordinates, which run
from (0, 0) at a plate's own top left to (1, 1); clockwise is meant as seen on the screen.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating]
Corners = NDArray[np.float32]
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
    """Map (n, 2) points through a (3, 3) homography."""
    mapped = np.asarray(points, np.float64) @ homography[:, :2].T + homography[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:], dtype=np.float32)


def region_corners(region: Sequence[float]) -> Corners:
    """The corners (4, 2) of a region (x1, y1, x2, y2), clockwise from top left."""
    x1, y1, x2, y2 = region
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float32)


def area_of(polygon: Points) -> float:
    """The area inside a polygon, whichever way round it runs."""
    return float(cv2.contourArea(np.asarray(polygon, np.float32)))


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
