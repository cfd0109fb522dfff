"""Regions of an image without a plate: what the refiner and the reader learn to say no to."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.plates.geometry import Corners, region_corners

# About so many pixels in a row of what the gradients of an image are taken from.
_GRADIENT_WIDTH = 160
# A region's width as a share of the image's, and how far its proportions are from a layout's.
_WIDTHS = (0.08, 0.4)
_STRETCHES = (0.8, 1.25)


class EmptyRegions:
    """Upright rectangles off an image's plates, preferably where much goes on from left to right:
    grilles, signs and railings are what is taken for text, and sky is not."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        plates: Sequence[Corners],
        aspects: Sequence[float],
        tries: int,
    ) -> None:
        """Look at an image.

        Args:
            image: (H, W, 3).
            plates: (4, 2) corners of each plate in it, pixels.
            aspects: Width over height of the plates of each layout.
            tries: The busiest of so many random rectangles is taken.
        """
        self._shape = image.shape[:2]
        self._plates = plates
        self._aspects = aspects
        self._tries = tries
        self._step = max(1, image.shape[1] // _GRADIENT_WIDTH)
        self._sums = _gradient_sums(image, self._step) if tries > 1 else None

    def draw(self, rng: np.random.Generator) -> Corners | None:
        """The corners (4, 2) of a region, pixels; None where a plate came in the way."""
        found = [_random_quad(self._shape, self._aspects, rng) for _ in range(self._tries)]
        found = [quad for quad in found if not any(_near(quad, plate) for plate in self._plates)]
        return max(found, key=self._busyness) if found else None

    def _busyness(self, quad: Corners) -> float:
        """The mean change from one pixel to the next along the rows of a rectangle."""
        if self._sums is None:
            return 0.0
        limits = np.array(self._sums.shape[::-1]) - 1
        (x1, y1), (x2, y2) = np.clip(quad[[0, 2]] / self._step, 0, limits).astype(int).tolist()
        corners = self._sums[[y1, y1, y2, y2], [x1, x2, x1, x2]].tolist()
        total = corners[0] - corners[1] - corners[2] + corners[3]
        return float(total / max((x2 - x1) * (y2 - y1), 1))


def _gradient_sums(image: NDArray[np.uint8], step: int) -> NDArray[np.int32]:
    """The integral image of how much brightness differs from left to right, every few pixels."""
    # Green is next to what the reader sees; leaving pixels out keeps fine strokes, averaging not.
    sampled = np.ascontiguousarray(image[::step, ::step, 1])
    return np.asarray(cv2.integral(cv2.absdiff(sampled[:, 1:], sampled[:, :-1])), np.int32)


def _random_quad(
    image_shape: Sequence[int], aspects: Sequence[float], rng: np.random.Generator
) -> Corners:
    """An upright rectangle of about a layout's proportions anywhere in the image."""
    height, width = image_shape[:2]
    w = width * rng.uniform(*_WIDTHS)
    h = min(w / (rng.choice(aspects) * rng.uniform(*_STRETCHES)), height)
    x, y = rng.uniform(0, width - w), rng.uniform(0, height - h)
    return region_corners((x, y, x + w, y + h))


def _near(a: Corners, b: Corners) -> bool:
    return bool((a.min(0) < b.max(0)).all() and (b.min(0) < a.max(0)).all())
