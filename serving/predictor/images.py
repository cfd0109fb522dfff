"""Images of requests: bytes to pixels, or a reason why not."""

from __future__ import annotations

from serving.predictor.errors import RequestError, TooLargeError, UnsupportedImageError
from sub_module.datasets.decode import (
    DecodedImage,
    ImageFormatError,
    ImageSizeError,
    decode_image,
)
from sub_module.errors import DataError
from sub_module.plates import PlateReading

__all__ = ["DecodedImage", "decode", "in_full_size"]


def decode(data: bytes, max_megapixels: float, decode_pixels: int | None) -> DecodedImage:
    """Decode an image of a request; see `decode_image`.

    Args:
        data: JPEG, PNG, BMP, WEBP or TIFF, of anyone.
        max_megapixels: Of width x height, as the header says it.
        decode_pixels: See `configs/serving/predictor.py`.

    Raises:
        TooLargeError: More pixels than that.
        UnsupportedImageError: A file of another kind.
        RequestError: Damaged, or no image.
    """
    try:
        return decode_image(data, round(max_megapixels * 1e6), decode_pixels)
    except ImageSizeError as error:
        raise TooLargeError(f"{error}; at most {max_megapixels:g} megapixels") from error
    except ImageFormatError as error:
        raise UnsupportedImageError(str(error)) from error
    except DataError as error:
        raise RequestError(str(error)) from error


def in_full_size(reading: PlateReading, image: DecodedImage) -> PlateReading:
    """A reading of `image.pixels`, in pixels of the whole image."""
    return reading if image.scale == 1 else reading.scaled(1 / image.scale, 1 / image.scale)
