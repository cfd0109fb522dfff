"""Cutting flat pictures out of an image: a plate, a part of it, or a plate with its surroundings.

A region outside of a plate's own 0 to 1 takes in surroundings.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.plates.geometry import Corners, map_points, plate_to_image, region_corners


def rectify(
    image: NDArray[np.uint8], corners: Corners, region: Sequence[float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut a region of a plate out of an image and flatten it.

    A region that is shrunk to less than half is averaged first, so that thin strokes survive.

    Args:
        image: (H, W) or (H, W, 3).
        corners: Where the plate stands.
        region: (x1, y1, x2, y2) in plate coordinates.
        size: (width, height) of the result in pixels.

    Returns:
        (height, width) or (height, width, 3); pixels outside the image repeat its border.
    """
    quad = map_points(plate_to_image(corners), region_corners(region))
    shrink = int(min(_mean_edge(quad, 0, 1) / size[0], _mean_edge(quad, 1, 2) / size[1]))
    if shrink >= 2:
        image, quad = _shrunk_surroundings(image, quad, shrink)
    width, height = size
    target = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    # Pixel centres lie at half coordinates in `quad` and `target`, at whole ones in OpenCV.
    homography = cv2.getPerspectiveTransform(quad - 0.5, target - 0.5)
    flat = cv2.warpPerspective(image, homography, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, dtype=np.uint8)


def _mean_edge(quad: Corners, start: int, end: int) -> float:
    opposite = quad[(end + 2) % 4] - quad[(start + 2) % 4]
    return float(np.linalg.norm(quad[end] - quad[start]) + np.linalg.norm(opposite)) / 2


def _shrunk_surroundings(
    image: NDArray[np.uint8], quad: Corners, shrink: int
) -> tuple[NDArray[np.uint8], Corners]:
    """The image round a quadrangle at 1/shrink of its size, and the quadrangle in it."""
    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(quad.min(0)).astype(int) - shrink, 0, size - 1)
    high = np.clip(np.ceil(quad.max(0)).astype(int) + shrink, low + 1, size)
    part = image[low[1] : high[1], low[0] : high[0]]
    width, height = (max(1, round(int(extent) / shrink)) for extent in high - low)
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    scale = np.array([width, height], np.float32) / (high - low).astype(np.float32)
    return np.asarray(small, dtype=np.uint8), ((quad - low) * scale).astype(np.float32)
