"""Bytes of an image file to pixels; the bytes may be anyone's."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from sub_module.datasets.headers import check_header
from sub_module.datasets.rectify import halved
from sub_module.errors import DataError

Pixels = NDArray[np.uint8]

# The kinds of images that are read. Pillow knows more, and starts programs of the machine for some
# (Ghostscript for EPS).
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
# How files of other kinds begin, or go on at a place.
_OTHER_FORMATS = (
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypcrx", "CR3"),
    (4, b"ftyp", "a video"),
    (0, b"GIF8", "GIF"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"8BPS", "PSD"),
    (0, b"\x00\x00\x01\x00", "ICO"),
    (0, b"%!PS", "PostScript"),
    (0, b"\x1aE\xdf\xa3", "a video"),
)
# What Pillow raises on files that are cut short or are no image of the kind they say.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError, struct.error)
_EXIF_ORIENTATION = 0x0112
# EXIF orientation to (whether rows become columns first, then cv2.flip's code).
_TURNS: dict[int, tuple[bool, int | None]] = {
    2: (False, 1),
    3: (False, -1),
    4: (False, 0),
    5: (True, None),
    6: (True, 1),
    7: (True, -1),
    8: (True, 0),
}
# MPO: a JPEG with others behind it.
_JPEG = ("JPEG", "MPO")
# libjpeg's scales; 1 is the whole image.
_REDUCED = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
}
_HALVINGS = {1: 0, 2: 1, 4: 2, 8: 3}
# Tags of a tile's width and height.
_TIFF_TILE = (322, 323)
# Of BMP; Pillow undoes them a run at a time in Python.
_BMP_RUN_LENGTHS = (1, 2)
# OpenCV cuts crops out of nothing longer.
_MAX_SIDE = 32_766
# Larger images (pixels) are decoded one at a time, whatever the number of threads: decoding may
# take several times the memory of the result.
_LARGE = 12_000_000
_one_large = threading.Lock()
# Rows of an image that are turned into RGB at a time, for the same reason.
_BAND = 512


class ImageSizeError(DataError):
    """An image with more pixels than are decoded."""


class ImageFormatError(DataError):
    """An image of a kind that is not read."""


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """An image as it is looked at: upright, in colour.

    Attributes:
        pixels: (H, W, 3) uint8 RGB.
        width: Of the whole image, after the EXIF rotation, pixels.
        height: Likewise.
        scale: Of `pixels`, to the whole image: 1, 1/2, 1/4 or 1/8.
    """

    pixels: Pixels
    width: int
    height: int
    scale: float


def decode_image(data: bytes, max_pixels: int, enough_pixels: int | None = None) -> DecodedImage:
    """Decode an image file.

    Its size is looked up before anything is decoded. Transparency is left out, of 16 bits a colour
    the upper 8 are taken.

    Args:
        data: JPEG, PNG, BMP, WEBP or TIFF.
        max_pixels: Larger ones (width x height) are refused.
        enough_pixels: An image whose longer side stays at least so long at 1/2, 1/4 or 1/8 comes
            at that scale: a JPEG is decoded so, which is several times faster, others are shrunk.
            None: always whole.

    Raises:
        ImageSizeError: It is too large.
        ImageFormatError: It is a file of another kind.
        DataError: It is damaged, or no image.
    """
    with _opened(data, max_pixels) as image:
        large = image.width * image.height > _LARGE
        with _one_large if large else nullcontext():
            return _decode(data, image, enough_pixels)


def checked_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Decode an image file, as cheaply as its format allows, and give its size.

    Returns:
        (width, height) in pixels, after the EXIF rotation.

    Raises:
        DataError: As `decode_image`.
    """
    with _opened(data, max_pixels) as image:
        width, height = image.size
        # A JPEG decoded at an eighth still shows where it breaks off.
        image.draft("RGB", (max(1, width // 8), max(1, height // 8)))
        image.load()
        turn, _ = _turn(image)
    return (height, width) if turn else (width, height)


@contextmanager
def _opened(data: bytes, max_pixels: int) -> Iterator[Image.Image]:
    """An image whose header is read; what is wrong with it then is a DataError."""
    try:
        check_header(data)
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            # Pillow has such a limit too, but labelme, once imported, turns it off for the process.
            # A TIFF's tiles, decoded one at a time, may be larger than what they are tiles of.
            if max(image.width * image.height, _tile_pixels(image)) > max_pixels:
                raise _too_large(image)
            _check_kind(image)
            yield image
    except Image.DecompressionBombError as error:
        raise ImageSizeError("the image is too large, hundreds of megapixels") from error
    except UnidentifiedImageError as error:
        other = _other_format(data)
        if other is None:
            raise DataError(f"it is no image ({', '.join(_FORMATS)}), or an empty one") from error
        kinds = ", ".join(_FORMATS)
        raise ImageFormatError(f"it is no image that is read ({kinds}), but {other}") from error
    except _UNREADABLE as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise DataError(f"the image is damaged: {reason}") from error


def _decode(data: bytes, image: Image.Image, enough_pixels: int | None) -> DecodedImage:
    reduction = _reduction(image.size, enough_pixels)
    pixels = None
    if image.format in _JPEG:
        pixels = _opencv_pixels(data, reduction)
    if pixels is None:
        pixels = _opencv_pixels(data, 1) if image.format == "WEBP" else None
        pixels = halved(_pillow_pixels(image) if pixels is None else pixels, _HALVINGS[reduction])
    width, height = image.size
    # Only now: Pillow itself turns a TIFF, while it decodes it.
    turn, flip = _turn(image)
    if turn:
        pixels = np.asarray(cv2.transpose(pixels), np.uint8)
        width, height = height, width
    if flip is not None:
        pixels = np.asarray(cv2.flip(pixels, flip), np.uint8)
    if max(pixels.shape) > _MAX_SIDE:
        raise _too_large(image)
    return DecodedImage(pixels, width, height, 1 / reduction)


def _too_large(image: Image.Image) -> ImageSizeError:
    return ImageSizeError(f"the image is too large: {image.width}x{image.height} pixels")


def _other_format(begin: bytes) -> str | None:
    for at, magic, name in _OTHER_FORMATS:
        if begin.startswith(magic, at):
            return name
    return None


def _tile_pixels(image: Image.Image) -> int:
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    width, height = (tags.get(tag, 0) for tag in _TIFF_TILE)
    return int(width) * int(height)


def _check_kind(image: Image.Image) -> None:
    if image.format == "BMP" and image.info.get("compression") in _BMP_RUN_LENGTHS:
        raise ImageFormatError("it is a BMP compressed by run lengths, which is not read")
    if image.mode in ("I", "F"):
        raise ImageFormatError("it has 32 bits a colour; 8 and 16 are read")


def _reduction(size: tuple[int, int], enough_pixels: int | None) -> int:
    if enough_pixels is None:
        return 1
    wanted = (by for by in (8, 4, 2) if max(size) / by >= enough_pixels and min(size) >= by)
    return next(wanted, 1)


def _opencv_pixels(data: bytes, reduction: int) -> Pixels | None:
    """What Pillow gives too, but faster and straight into place; None: ask Pillow for the fault."""
    flags = _REDUCED[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if pixels is None else np.asarray(pixels, np.uint8)


def _pillow_pixels(image: Image.Image) -> Pixels:
    image.load()
    width, height = image.size
    if max(width, height) > _MAX_SIDE:
        raise _too_large(image)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND):
        band = image.crop((0, top, width, min(height, top + _BAND)))
        if image.mode.startswith("I;16"):
            # Pillow would take all above 255 for white.
            pixels[top : top + _BAND] = (np.asarray(band) >> 8)[:, :, None]
        else:
            pixels[top : top + _BAND] = np.asarray(band.convert("RGB"))
    return pixels


def _turn(image: Image.Image) -> tuple[bool, int | None]:
    """What its EXIF rotation asks for (see `_TURNS`)."""
    try:
        return _TURNS.get(image.getexif().get(_EXIF_ORIENTATION, 1), (False, None))
    except _UNREADABLE:
        # Pixels with broken notes are still pixels.
        return False, None
