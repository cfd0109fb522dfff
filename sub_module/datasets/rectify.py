"""Cutting flat pictures out of an image: a plate, a part of it, or a plate with its surroundings.

A region outside of a plate's own 0 to 1 takes in surroundings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.plates.geometry import (
    Corners,
    map_points,
    plate_to_image,
    region_corners,
    side_lengths,
)

_HALF_PIXEL_BACK = np.array([(1, 0, -0.5), (0, 1, -0.5), (0, 0, 1)])


def rectify(
    image: NDArray[np.uint8], corners: Corners, region: Sequence[float], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Cut a region of a plate out of an image and flatten it.

    A region that is shrunk to half or less is averaged first, so that thin strokes survive.

    Args:
        image: (H, W) or (H, W, 3).
        corners: (4, 2) pixels of the image, clockwise from the plate's own top left.
        region: (x1, y1, x2, y2) in plate coordinates.
        size: (width, height) of the result in pixels.

    Returns:
        (height, width) or (height, width, 3); pixels outside the image repeat its border.
    """
    to_image = plate_to_image(corners)
    times = halvings(_scale(corners, region, size))
    if times:
        quad = map_points(to_image, region_corners(region))
        image, offset, factor = _halved_surroundings(image, quad, times)
        to_part = np.array([(1, 0, -offset[0]), (0, 1, -offset[1]), (0, 0, factor)])
        to_image = to_part @ to_image
    to_pixels = _HALF_PIXEL_BACK @ to_image @ _result_to_plate(tuple(region), size)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(image, to_pixels, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(flat, dtype=np.uint8)


@lru_cache(maxsize=256)
def _result_to_plate(region: tuple[float, ...], size: tuple[int, int]) -> NDArray[np.float64]:
    """From OpenCV's pixels of a result, whose centres lie at whole coordinates, to the plate's."""
    x1, y1, x2, y2 = region
    step_x, step_y = (x2 - x1) / size[0], (y2 - y1) / size[1]
    return np.array([(step_x, 0, x1 + step_x / 2), (0, step_y, y1 + step_y / 2), (0, 0, 1)])


def _scale(corners: Corners, region: Sequence[float], size: tuple[int, int]) -> float:
    """Pixels of the result a pixel of the image, in the direction that shrinks less."""
    width, height = side_lengths(corners)
    across = size[0] / max(width * (region[2] - region[0]), 1e-6)
    down = size[1] / max(height * (region[3] - region[1]), 1e-6)
    return max(across, down)


def halvings(scale: float) -> int:
    """How often an image can be halved before it is smaller than at `scale`; 0 for 0.5 and up."""
    return max(0, math.floor(-math.log2(scale)))


def halved(image: NDArray[np.uint8], times: int) -> NDArray[np.uint8]:
    """An image shrunk to half `times` times over, by averaging; odd last rows and columns are lost.

    Whole halves are where OpenCV averages fast: six times faster than at any other scale.
    """
    for _ in range(times):
        height, width = image.shape[0] // 2, image.shape[1] // 2
        even = image[: 2 * height, : 2 * width]
        image = np.asarray(
            cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8
        )
    return image


def _halved_surroundings(
    image: NDArray[np.uint8], quad: Corners, times: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], int]:
    """The image round a quadrangle, halved; where it begins, and by which factor it shrank."""
    factor = 2**times
    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(quad.min(0)).astype(int) - factor, 0, np.maximum(size - factor, 0))
    # Whole multiples, so that halving loses nothing.
    wanted = (np.ceil(quad.max(0)).astype(int) + 2 * factor - low) // factor * factor
    high = low + np.minimum(wanted, (size - low) // factor * factor)
    if (high <= low).any():
        return image, np.zeros(2, np.int64), 1
    return halved(image[low[1] : high[1], low[0] : high[0]], times), low, factor
