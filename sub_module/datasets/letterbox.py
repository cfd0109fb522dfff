"""Whole images fitted to the size that a network looks at."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.rectify import halved, halvings

Image = NDArray[np.uint8]


def fit_scale(image_shape: Sequence[int], size: tuple[int, int]) -> float:
    """The scale at which an image (height, width, ...) just fits into `size` (width, height)."""
    return min(size[0] / image_shape[1], size[1] / image_shape[0])


def letterbox(image: Image, size: tuple[int, int]) -> Image:
    """Shrink or enlarge an image to fit `size` (width, height), grey at the right and below."""
    scale = fit_scale(image.shape, size)
    width = min(max(1, round(image.shape[1] * scale)), size[0])
    height = min(max(1, round(image.shape[0] * scale)), size[1])
    # Averaged by halves, what remains is less than a halving more.
    smaller = halved(image, halvings(scale)) if min(image.shape[:2]) * scale >= 1 else image
    resized = cv2.resize(smaller, (width, height), interpolation=cv2.INTER_LINEAR)
    if resized.shape[1::-1] == size:
        return np.asarray(resized, dtype=np.uint8)
    boxed = np.full((size[1], size[0], 3), 128, np.uint8)
    boxed[: resized.shape[0], : resized.shape[1]] = resized
    return boxed
