"""What Triton's steps tell each other of an image, beside its pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.decode import DecodedImage


@dataclass(frozen=True)
class Frame:
    """A decoded image without its pixels; one row of float64 as a tensor.

    Attributes:
        rows: Of its pixels.
        columns: Of its pixels.
        width: Of the whole image, pixels.
        height: Likewise.
        scale: Of the pixels, to the whole image.
        decode_ms: What decoding took.
        decoded_at: When that was done, in seconds of this machine's monotonic clock, which all of
            its processes share.
    """

    rows: float
    columns: float
    width: float
    height: float
    scale: float
    decode_ms: float
    decoded_at: float

    @classmethod
    def of(cls, image: DecodedImage, decode_ms: float, decoded_at: float) -> Self:
        """The frame of an image."""
        rows, columns = image.pixels.shape[:2]
        return cls(rows, columns, image.width, image.height, image.scale, decode_ms, decoded_at)

    def row(self) -> NDArray[np.float64]:
        """(7,) as a tensor has it."""
        return np.array(astuple(self), np.float64)

    @classmethod
    def from_row(cls, row: NDArray[np.float64]) -> Self:
        """What `row` gave."""
        return cls(*(float(value) for value in row))

    def image(self, pixels: NDArray[np.uint8]) -> DecodedImage:
        """The decoded image again, not copied.

        Args:
            pixels: A row of `pack`.
        """
        shape = int(self.rows), int(self.columns), 3
        array = pixels[: math.prod(shape)].reshape(shape)
        return DecodedImage(array, int(self.width), int(self.height), self.scale)


def pack(images: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Pixels of images as a tensor, whatever their sizes.

    Args:
        images: Each (H, W, 3).

    Returns:
        (n, length of the longest), each image's bytes and then any.
    """
    if len(images) == 1:
        return images[0].reshape(1, -1)
    packed = np.empty((len(images), max(image.size for image in images)), np.uint8)
    for row, image in zip(packed, images, strict=True):
        row[: image.size] = image.ravel()
    return packed
