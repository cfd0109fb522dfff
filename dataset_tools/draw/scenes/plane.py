"""Shapes in the scale of a plane that stands in an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import SHIFT, Colour, Image, Polygon, fill, fixed_point, multiply
from sub_module.plates.geometry import plate_to_image

_NUM_BLOB_POINTS = 28
# One number of a field of light for so many pixels.
_LIGHT_PX = 8


@dataclass(frozen=True)
class Plane:
    """A plane in space, such as a car's front, in metres from a point of it; y runs down.

    Attributes:
        image: (H, W, 3) RGB; drawing changes it.
        homography: (3, 3), metres to pixels.
    """

    image: Image
    homography: NDArray[np.float64]

    @classmethod
    def through(cls, image: Image, corners: Polygon, width: float, height: float) -> Plane:
        """The plane of a rectangle of known size, about its middle.

        Args:
            image: What is drawn into.
            corners: (4, 2) of the rectangle in the image, clockwise from its own top left.
            width: In metres.
            height: In metres.
        """
        to_unit = np.array([[1 / width, 0, 0.5], [0, 1 / height, 0.5], [0, 0, 1]])
        homography = plate_to_image(corners) @ to_unit
        return cls(image, homography / homography[2, 2])

    @cached_property
    def pixels_per_metre(self) -> float:
        """About the plane's origin."""
        h = self.homography
        across = h[:2, 0] - h[:2, 2] * h[2, 0]
        return float(np.hypot(*across))

    def project(self, points: Polygon) -> Polygon:
        """Map (n, 2) points in metres to the image."""
        mapped = points @ self._turn + self.homography[:, 2]
        # What would lie behind the camera stays far out in front of it.
        return np.asarray(mapped[:, :2] / np.maximum(mapped[:, 2:], 0.2))

    @cached_property
    def _turn(self) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.homography[:, :2].T)

    def fill(self, points: Polygon, colour: Colour) -> None:
        """Fill a polygon (n, 2) in metres."""
        fill(self.image, self.project(points), colour)

    def line(self, points: Polygon, colour: Colour, thickness: float) -> None:
        """Draw an open polyline (n, 2) in metres, as does `thickness`; at least a pixel thick."""
        pixels = max(1, min(200, round(thickness * self.pixels_per_metre)))
        fixed = [fixed_point(self.project(points))]
        cv2.polylines(self.image, fixed, False, tuple(colour), pixels, cv2.LINE_AA, SHIFT)

    def light(self, points: Polygon, field: NDArray[np.float64]) -> None:
        """Multiply the light inside an outline by a coarse field, stretched over its box.

        Args:
            points: (n, 2) in metres.
            field: (rows, columns), at most 2; 1 leaves the light as it is.
        """
        outline = self.project(points)
        height, width = self.image.shape[:2]
        low = np.clip(np.floor(outline.min(0)), -2.0 * width, 3.0 * width)
        high = np.clip(np.ceil(outline.max(0)), -2.0 * width, 3.0 * width)
        x1, y1 = np.maximum(low, 0).astype(int).tolist()
        x2, y2 = np.minimum(high, (width, height)).astype(int).tolist()
        if x2 - x1 < 2 or y2 - y1 < 2:
            return
        size = (max(2, (x2 - x1) // _LIGHT_PX), max(2, (y2 - y1) // _LIGHT_PX))
        scale = np.array(size) / (x2 - x1, y2 - y1)
        mask = np.zeros(size[::-1], np.uint8)
        fill(mask, (outline - (x1, y1)) * scale, (255,))
        # From the small field's cells to those of the part that the image shows.
        step = (high - low) / (field.shape[1], field.shape[0]) * scale
        shift = (low - (x1, y1)) * scale + 0.5 * step - 0.5
        place = np.array([[step[0], 0, shift[0]], [0, step[1], shift[1]]])
        shown = cv2.warpAffine(
            field.astype(np.float32), place, size, flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        gain = 128.0 + (shown - 1.0) * (mask * (128.0 / 255.0))
        coarse = np.clip(gain, 0, 255).astype(np.uint8)
        multiply(self.image[y1:y2, x1:x2], coarse)


def blob(
    x: float,
    y: float,
    half_width: float,
    half_height: float,
    squareness: float = 4.0,
    taper: float = 0.0,
    lean: float = 0.0,
) -> Polygon:
    """A superellipse: an ellipse at squareness 2, a rounded rectangle above.

    Args:
        x: Of the middle.
        y: Of the middle, down.
        half_width: Along x.
        half_height: Along y.
        squareness: From 1 (a diamond) up.
        taper: How much wider it is below than in the middle, as a share; above, as much narrower.
        lean: How far its lowest point is moved along x; its highest, as far the other way.

    Returns:
        (n, 2) points.
    """
    unit = _superellipse(round(squareness, 1))
    points = unit * (half_width, half_height)
    if taper or lean:
        down = unit[:, 1]
        points[:, 0] *= 1 + taper * down
        points[:, 0] += lean * down
    points += (x, y)
    return np.asarray(points)


@lru_cache(maxsize=256)
def _superellipse(squareness: float) -> Polygon:
    angles = np.linspace(0, 2 * np.pi, _NUM_BLOB_POINTS, endpoint=False) + np.pi / _NUM_BLOB_POINTS
    unit = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.asarray(np.sign(unit) * np.abs(unit) ** (2 / squareness))
