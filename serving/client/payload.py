"""What is sent of an image: the file as it is, or a smaller JPEG where that is too much."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from serving.client.errors import ImageError
from serving.predictor.answer import ImageAnswer
from sub_module.datasets.decode import decode_image
from sub_module.errors import DataError
from sub_module.files import reason_of

# No photograph is larger; a film that came along by mistake is.
_MAX_FILE_BYTES = 300_000_000
MAX_PIXELS = 150_000_000
# Each further try is at least so much smaller along its sides.
_STEP = 0.9
# One at a time: each holds an image and its copy.
_shrinking = threading.Lock()


@dataclass(frozen=True)
class Payload:
    """What is sent of an image.

    Attributes:
        data: An image file.
        size: Width and height of the image as it is, upright, in pixels; None: `data` are the
            image's own bytes.
    """

    data: bytes
    size: tuple[int, int] | None = None

    def as_if_whole(self, answer: ImageAnswer) -> ImageAnswer:
        """The server's answer to `data`, in pixels of the image as it is."""
        if self.size is None or self.size == (answer.width, answer.height):
            return answer
        width, height = self.size
        factors = width / answer.width, height / answer.height
        readings = tuple(reading.scaled(*factors) for reading in answer.readings)
        return replace(answer, width=width, height=height, readings=readings)


def payload_of(image: bytes | Path, max_bytes: int, jpeg_quality: int) -> Payload:
    """What to send of an image.

    Args:
        image: A file, or what is in it; whether it is an image is the server's to say, unless it
            must be made smaller.
        max_bytes: At least what a JPEG of a few pixels takes, about a kilobyte.
        jpeg_quality: 1 to 100, of what is made smaller.

    Raises:
        ImageError: The file cannot be read, or is too large and no image.
    """
    try:
        data = image if isinstance(image, bytes) else _begin(image, max_bytes + 1)
        if not data:
            raise ImageError("the file is empty")
        if len(data) <= max_bytes:
            return Payload(data)
        with _shrinking:
            return _smaller(_whole(image), max_bytes, jpeg_quality)
    except OSError as error:
        raise ImageError(error.strerror or reason_of(error)) from error


def _begin(file: Path, num_bytes: int) -> bytes:
    with file.open("rb") as opened:
        return opened.read(num_bytes)


def _whole(image: bytes | Path) -> bytes:
    num_bytes = len(image) if isinstance(image, bytes) else image.stat().st_size
    if num_bytes > _MAX_FILE_BYTES:
        raise ImageError(f"more than {_MAX_FILE_BYTES / 1e6:.0f} MB: no photograph is so large")
    # What has no size, such as /dev/zero, has no end either.
    return image if isinstance(image, bytes) else _begin(image, _MAX_FILE_BYTES)


def _smaller(data: bytes, max_bytes: int, jpeg_quality: int) -> Payload:
    too_large = f"too large to be sent ({len(data) / 1e6:.1f} MB, at most {max_bytes / 1e6:.1f} MB)"
    try:
        decoded = decode_image(data, MAX_PIXELS)
    except DataError as error:
        raise ImageError(f"{too_large}, and cannot be made smaller: {error}") from error
    # As it is, a JPEG may be small enough: of a PNG a fifth.
    scale, sent = 1.0, _jpeg(decoded.pixels, jpeg_quality)
    while len(sent) > max_bytes:
        # Bytes go with the area, nearly; a bit less, so that the first try mostly fits.
        scale *= min(_STEP, math.sqrt(max_bytes / len(sent)) * 0.98)
        size = max(1, round(decoded.width * scale)), max(1, round(decoded.height * scale))
        sent = _jpeg(cv2.resize(decoded.pixels, size, interpolation=cv2.INTER_AREA), jpeg_quality)
    return Payload(sent, (decoded.width, decoded.height))


def _jpeg(pixels: NDArray[np.uint8] | cv2.typing.MatLike, quality: int) -> bytes:
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    # Nothing decoded has sides that a JPEG cannot have.
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes()
