"""What pictures are drawn with: polygons to a fraction of a pixel, ink, light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

# (H, W, 3) RGB, or (H, W) where it is a mask.
Image = NDArray[np.uint8]
# (n, 2) points, x to the right and y down.
Polygon = NDArray[np.float64]
# RGB, of 255.
Colour = Sequence[float] | NDArray[np.floating]
# OpenCV takes points in 16ths of a pixel.
SHIFT = 4


def fixed_point(points: ArrayLike) -> NDArray[np.int32]:
    """Points in pixels as OpenCV takes them with `SHIFT`."""
    return np.round(np.asarray(points) * (1 << SHIFT)).astype(np.int32)


def fill(image: Image, polygon: NDArray[np.floating], colour: Colour) -> None:
    """Fill a polygon (n, 2) in pixels, in place, with soft edges."""
    cv2.fillPoly(image, [fixed_point(polygon)], tuple(colour), cv2.LINE_AA, SHIFT)


def lay_ink(region: Image, coverage: Image, colour: NDArray[np.number]) -> None:
    """Mix a colour into a picture (h, w, 3), in place, as densely as `coverage` (h, w) says."""
    alpha = coverage[..., None].astype(np.float32) / 255
    region[:] = (region * (1 - alpha) + colour * alpha).astype(np.uint8)


def multiply(region: Image, coarse: Image) -> None:
    """Multiply a region's light, in place, by a coarse grey field, of which 128 changes nothing."""
    fine = cv2.resize(coarse, region.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    cv2.multiply(region, cv2.merge([fine, fine, fine]), dst=region, scale=1 / 128)


def shrunk(image: Image, size: Sequence[int]) -> Image:
    """A picture made smaller, to (width, height) pixels, without losing thin lines."""
    return as_image(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def as_image(result: Any) -> Image:
    """What OpenCV gives back, as the bytes that it is."""
    return np.asarray(result, np.uint8)
