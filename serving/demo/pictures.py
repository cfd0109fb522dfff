"""What the page shows of pixels: a picture with its plates marked, and each plate cut out."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.rectify import rectify
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.picture import annotate

Pixels = NDArray[np.uint8]
_CUTOUT_HEIGHT_PX = 80
_WHOLE = (0.0, 0.0, 1.0, 1.0)
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 88]


def marked(
    pixels: Pixels, readings: list[PlateReading], standard: PlateStandard, longer_side: int
) -> Pixels:
    """A picture of at most that size with its plates marked.

    Args:
        pixels: (H, W, 3) uint8 RGB; left as it is.
        readings: In pixels of that image.
        standard: Chooses the colours.
        longer_side: Of the result, in pixels, at most.

    Raises:
        ConfigError: The standard has no such layout.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, longer_side / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        readings = [reading.scaled(size[0] / width, size[1] / height) for reading in readings]
    return annotate(pixels, readings, standard)


def cutout(pixels: Pixels, reading: PlateReading, standard: PlateStandard) -> str:
    """The plate alone, seen from the front, as a `data:` URL.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        reading: In pixels of that image.
        standard: Knows how wide the plate is.

    Raises:
        ConfigError: The standard has no such layout.
    """
    size = (round(_CUTOUT_HEIGHT_PX * standard.layout(reading.layout).aspect), _CUTOUT_HEIGHT_PX)
    flat = rectify(pixels, np.array(reading.corners, np.float32), _WHOLE, size)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg_of(flat)).decode()}"


def jpeg_of(pixels: Pixels) -> bytes:
    """A JPEG file of (H, W, 3) uint8 RGB."""
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), _JPEG)
    return jpeg.tobytes()
