"""What a request's image may be, and which answer of HTTP a bad one gets."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from serving.predictor.errors import RequestError, TooLargeError, UnsupportedImageError
from serving.predictor.images import DecodedImage, decode, in_full_size
from sub_module.plates import PlateReading


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A header that says so, and nothing behind it."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + check + b"\0\0\0\1IDAT"


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"", RequestError, 400),
        (b"a text", RequestError, 400),
        (saved(Image.new("RGB", (64, 64)), "JPEG")[:300], RequestError, 400),
        (saved(Image.new("RGB", (64, 64)), "GIF"), UnsupportedImageError, 415),
        (b"\0\0\0\x18ftypheic", UnsupportedImageError, 415),
        (saved(Image.new("F", (64, 64)), "TIFF"), UnsupportedImageError, 415),
        (png_of(20_000, 20_000), TooLargeError, 413),
        (png_of(1001, 1000), TooLargeError, 413),
    ],
)
def test_bad_image(data, kind, status):
    with pytest.raises(RequestError) as caught:
        decode(data, 1.0, 1600)
    assert type(caught.value) is kind
    assert caught.value.status == status
    assert "\n" not in str(caught.value)


def test_limit_is_named():
    with pytest.raises(TooLargeError, match="1001x1000 pixels; at most 1 megapixels"):
        decode(png_of(1001, 1000), 1.0, None)


def test_readings_come_back_in_the_pixels_of_the_whole_image():
    reading = PlateReading(
        "one_line",
        (1.0, 2.0, 11.0, 5.0),
        ((1.0, 2.0), (11.0, 2.0), (11.0, 5.0), (1.0, 5.0)),
        *("", "", "AB12", "AB12"),
        0.5,
    )
    pixels = np.zeros((10, 20, 3), np.uint8)
    large = in_full_size(reading, DecodedImage(pixels, 80, 40, 0.25))
    assert large.box == (4, 8, 44, 20)
    assert large.corners == ((4, 8), (44, 8), (44, 20), (4, 20))
    assert (large.text, large.score) == ("AB12", 0.5)
    assert in_full_size(reading, DecodedImage(pixels, 20, 10, 1.0)) is reading
