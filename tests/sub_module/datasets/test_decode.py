"""Images as anyone may send them: every kind looks as it should, and none does harm."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from sub_module.datasets.decode import (
    ImageFormatError,
    ImageSizeError,
    checked_size,
    decode_image,
)
from sub_module.errors import DataError

MEGAPIXEL = 1_000_000
EXIF_ORIENTATION = 0x0112


def picture(width: int = 80, height: int = 60) -> Image.Image:
    """Smooth colours, different in every corner."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    pixels = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return Image.fromarray(np.asarray(pixels, np.uint8))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int) -> Image.Exif:
    notes = Image.Exif()
    notes[EXIF_ORIENTATION] = orientation
    return notes


def difference(one: Any, other: Any) -> int:
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"subsampling": 0}),
        ("JPEG", {"keep_rgb": True}),
        ("MPO", {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}),
        ("PNG", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (81, 60))]}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pixels_are_those_that_pillow_shows_upright(kind, options, orientation):
    if kind != "BMP":
        options = {**options, "exif": exif(orientation)}
    data = saved(picture(81, 60), kind, **options)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")

    image = decode_image(data, MEGAPIXEL)

    assert difference(image.pixels, upright) == 0
    assert image.pixels.dtype == np.uint8
    assert (image.width, image.height, image.scale) == (*upright.size, 1)
    assert checked_size(data, MEGAPIXEL) == upright.size


MODES = {
    "PNG": ["1", "L", "LA", "P", "RGBA"],
    "WEBP": ["1", "L", "LA", "P", "RGBA", "CMYK"],
    "TIFF": ["1", "L", "LA", "P", "RGBA", "CMYK"],
    "JPEG": ["1", "L", "CMYK"],
}


@pytest.mark.parametrize(
    ("kind", "mode"), [(kind, mode) for kind, modes in MODES.items() for mode in modes]
)
def test_every_mode_is_colour(kind, mode):
    image = picture().convert(mode)
    data = saved(image, kind)
    shown = image.convert("RGB")
    # JPEG and WEBP lose a little; dots lose more in them.
    most = 0 if kind in ("PNG", "TIFF") else 90 if mode in ("1", "P") else 16
    assert difference(decode_image(data, MEGAPIXEL).pixels, shown) <= most


def test_transparent_pixels_keep_their_colour():
    colours = np.asarray(picture())
    data = saved(Image.fromarray(np.dstack([colours, np.zeros((60, 80, 1), np.uint8)])), "PNG")
    assert difference(decode_image(data, MEGAPIXEL).pixels, colours) == 0


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 3)])
def test_of_16_bits_the_upper_8_are_taken(kind, shape):
    deep = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    encoded = cv2.imencode(f".{kind.lower()}", deep)[1].tobytes()
    wanted = (deep >> 8)[..., ::-1] if len(shape) == 3 else np.dstack([deep >> 8] * 3)
    assert difference(decode_image(encoded, MEGAPIXEL).pixels, wanted) == 0


@pytest.mark.parametrize(
    ("enough", "by"), [(None, 1), (802, 1), (801, 2), (401, 2), (400, 4), (200, 8), (1, 8)]
)
@pytest.mark.parametrize("orientation", [1, 6])
def test_large_jpeg_is_decoded_at_the_scale_that_is_enough(enough, by, orientation):
    # Not a multiple of 8.
    photo = picture(1603, 1201)
    data = saved(photo, "JPEG", quality=95, exif=exif(orientation))

    image = decode_image(data, 2 * MEGAPIXEL, enough)

    upright = photo if orientation == 1 else photo.rotate(-90, expand=True)
    assert (image.width, image.height) == upright.size
    assert image.scale == 1 / by
    height, width = image.pixels.shape[:2]
    assert (width, height) == tuple(-(-side // by) for side in upright.size)
    small = upright.resize((width, height), Image.Resampling.BOX)
    assert np.abs(np.asarray(small, int) - image.pixels).mean() < 2


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_large_images_of_other_kinds_are_shrunk(kind):
    photo = picture(803, 601)
    image = decode_image(saved(photo, kind), MEGAPIXEL, 200)
    assert (image.width, image.height, image.scale) == (803, 601, 0.25)
    assert image.pixels.shape == (150, 200, 3)
    small = photo.crop((0, 0, 800, 600)).resize((200, 150), Image.Resampling.BOX)
    assert np.abs(np.asarray(small, int) - image.pixels).mean() < 2


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_smallest_images(kind, size):
    image = decode_image(saved(Image.new("RGB", size), kind), MEGAPIXEL, 10)
    assert (image.width, image.height) == size


def png_header(width: int, height: int) -> bytes:
    data = bytearray(saved(Image.new("L", (1, 1)), "PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


def tiff(**tags: int) -> bytes:
    """16 x 16 grey pixels of a deflated TIFF, with these tags (`t322=...`) besides."""
    usual = {256: 16, 257: 16, 258: 8, 259: 8, 262: 1, 277: 1}
    entries = {**usual, **{int(name[1:]): value for name, value in tags.items()}}
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    for tag, value in sorted(entries.items()):
        head += struct.pack("<HHII", tag, 4, 1, value)
    return (head + bytes(4)).ljust(200, b"\0") + zlib.compress(bytes(10_000))


TOO_LARGE: dict[str, Callable[[], bytes]] = {
    "PNG of 20,000 x 20,000": lambda: png_header(20_000, 20_000),
    "the largest PNG": lambda: png_header(2**31 - 1, 2**31 - 1),
    "JPEG": lambda: saved(Image.new("L", (8000, 7000)), "JPEG"),
    "WEBP": lambda: saved(Image.new("L", (8000, 7000)), "WEBP", method=0),
    "a line that is too long": lambda: saved(Image.new("L", (40_000, 2)), "PNG"),
    "TIFF with one huge tile": lambda: tiff(t322=30_000, t323=30_000, t324=200, t325=999),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_image_that_is_too_large(name):
    data = TOO_LARGE[name]()
    with pytest.raises(
        ImageSizeError, match=r"too large(: \d+x\d+ pixels|, hundreds of megapixels)$"
    ) as caught:
        decode_image(data, 50 * MEGAPIXEL)
    assert "\n" not in str(caught.value)


def test_wide_jpeg_is_read_where_its_smaller_scale_is_not_too_long():
    data = saved(Image.new("L", (40_000, 16)), "JPEG")
    assert decode_image(data, 50 * MEGAPIXEL, 1600).pixels.shape == (2, 5000, 3)
    thin = saved(Image.new("L", (32_000, 3)), "JPEG")
    assert decode_image(thin, 50 * MEGAPIXEL, 1600).pixels.shape == (2, 16_000, 3)
    with pytest.raises(ImageSizeError):
        decode_image(data, 50 * MEGAPIXEL)


OTHER_KINDS = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "HEIC of another brand": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic",
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "a video": b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2",
    "GIF": saved(Image.new("P", (4, 4)), "GIF"),
    "PDF": saved(Image.new("RGB", (4, 4)), "PDF"),
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "PostScript": saved(Image.new("RGB", (4, 4)), "EPS"),
    "JPEG 2000": saved(Image.new("RGB", (16, 16)), "JPEG2000"),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_are_named(name):
    with pytest.raises(ImageFormatError, match=name.removesuffix(" of another brand")):
        decode_image(OTHER_KINDS[name], MEGAPIXEL)


def test_depths_and_compressions_that_are_not_read():
    with pytest.raises(ImageFormatError, match="32 bits"):
        decode_image(saved(Image.new("F", (4, 4)), "TIFF"), MEGAPIXEL)
    bmp = bytearray(saved(Image.new("L", (4, 4)), "BMP"))
    bmp[30] = 1
    with pytest.raises(ImageFormatError, match="run lengths"):
        decode_image(bytes(bmp), MEGAPIXEL)


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"plate", b"\xff\xd8", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image(data):
    with pytest.raises(DataError, match="no image") as caught:
        decode_image(data, MEGAPIXEL)
    assert not isinstance(caught.value, (ImageFormatError, ImageSizeError))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
@pytest.mark.parametrize("enough", [None, 100])
def test_every_truncation_is_told(kind, enough):
    data = saved(picture(400, 300), kind)
    for length in range(0, len(data) - 12, len(data) // 12 + 1):
        with pytest.raises(DataError) as caught:
            decode_image(data[:length], MEGAPIXEL, enough)
        assert "\n" not in str(caught.value)


def chunks_of_nothing() -> bytes:
    data = saved(Image.new("L", (4, 4)), "PNG")
    empty = struct.pack(">I4sI", 0, b"abCd", zlib.crc32(b"abCd"))
    return data[:33] + empty * 200_000 + data[33:]


def many_scans() -> bytes:
    data = saved(picture(), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * 100 + data[-2:]


LONG_HEADERS: dict[str, Callable[[], bytes]] = {
    "segments": lambda: b"\xff\xd8" + b"\xff\xe3\0\2" * 200_000,
    "padding": lambda: b"\xff\xd8" + b"\xff" * 1_000_000,
    "escapes": lambda: b"\xff\xd8" + b"\xff\0" * 500_000,
    "scans": many_scans,
    "chunks": chunks_of_nothing,
    "strips": lambda: tiff().replace(
        struct.pack("<HHII", 277, 4, 1, 1), struct.pack("<HHII", 273, 4, 8_000_000, 0)
    ),
}


@pytest.mark.parametrize("name", LONG_HEADERS)
def test_header_of_endless_entries_is_refused_before_it_is_walked(name, monkeypatch):
    data = LONG_HEADERS[name]()
    # Whoever asks Pillow has lost: it takes half a minute and gigabytes for 32 MB of these.
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("Pillow was asked"))
    with pytest.raises(DataError, match=r"more than \d+"):
        decode_image(data, MEGAPIXEL)


def test_broken_exif_leaves_the_pixels():
    data = bytearray(saved(picture(), "JPEG", exif=exif(6)))
    place = data.index(b"MM\0*")
    data[place + 4 : place + 8] = b"\xff\xff\xff\xf0"
    assert decode_image(bytes(data), MEGAPIXEL).pixels.shape == (60, 80, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP", "TIFF"])
def test_changed_bytes_give_pixels_or_one_line(kind):
    """What is thrown at the server in its own test, here at the decoder alone: 200 of each kind."""
    chance = random.Random(kind)
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    whole = saved(picture(), kind, **options)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 12)):
            # Half of them in the header, where they matter most.
            place = chance.randrange(len(data) if chance.random() < 0.5 else min(120, len(data)))
            data[place] = chance.choice([0, 1, 127, 128, 255, chance.randrange(256)])
        try:
            image = decode_image(bytes(data), MEGAPIXEL, 40)
        except DataError:
            refused += 1
        else:
            assert image.pixels.shape[2] == 3
    assert 0 < refused < 200


def test_memory_for_the_largest_image():
    """Of 48 megapixels: less than 2.5 times the result, so that a worker stays under 1 GB."""
    program = """
import io
from PIL import Image
import sub_module.datasets.decode as decode
buffer = io.BytesIO()
Image.new("RGBA", (8000, 6000), (9, 99, 199, 50)).save(buffer, "PNG", compress_level=1)
open("/proc/self/clear_refs", "w").write("5")  # forget the peak so far
def memory(name):
    return int(open("/proc/self/status").read().split(name)[1].split()[0]) / 1024
before = memory("VmRSS:")
image = decode.decode_image(buffer.getvalue(), 50_000_000)
print(image.pixels.nbytes / 2**20, memory("VmHWM:") - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result, peak = (float(word) for word in done.stdout.split())
    assert result < peak < 3 * result
