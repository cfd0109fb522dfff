"""What is sent of an image, and answers to it in pixels of the image as it is."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from serving.client.errors import ImageError
from serving.client.payload import payload_of
from serving.predictor.answer import ImageAnswer
from sub_module.plates import PlateReading

WIDTH, HEIGHT = 1200, 800
# Of the white rectangle in the picture, clockwise from its top left.
CORNERS = ((300, 200), (699, 200), (699, 499), (300, 499))
MAX_BYTES = 40_000


def picture() -> NDArray[np.uint8]:
    """A dark pattern with a white rectangle."""
    coarse = np.random.default_rng(0).integers(0, 90, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    noise = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    (x1, y1), (x2, y2) = CORNERS[0], CORNERS[2]
    noise[y1 : y2 + 1, x1 : x2 + 1] = 255
    return np.asarray(noise, np.uint8)


def encoded(pixels: NDArray[np.uint8], kind: str, **options: object) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def seen(jpeg: bytes) -> ImageAnswer:
    """What a server that finds white rectangles says of an image."""
    pixels = np.asarray(Image.open(BytesIO(jpeg)).convert("L"))
    ys, xs = np.nonzero(pixels > 180)
    x1, y1, x2, y2 = (float(v) for v in (xs.min(), ys.min(), xs.max(), ys.max()))
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    reading = PlateReading("one_line", (x1, y1, x2, y2), corners, "12", "A", "3456", "12A3456", 0.9)
    return ImageAnswer(pixels.shape[1], pixels.shape[0], (reading,), {}, {"read": 1.0})


def test_a_small_image_is_sent_as_it_is() -> None:
    data = encoded(picture(), "JPEG")
    payload = payload_of(data, len(data), 90)
    assert payload.data is data
    answer = seen(data)
    assert payload.as_if_whole(answer) is answer


@pytest.mark.parametrize(
    ("kind", "is_file"),
    [("PNG", False), ("JPEG", False), ("BMP", True), ("TIFF", False), ("WEBP", False)],
)
def test_a_large_one_becomes_smaller(kind: str, is_file: bool, tmp_path: Path) -> None:
    data = encoded(picture(), kind, **({"quality": 95} if kind in ("JPEG", "WEBP") else {}))
    file = tmp_path / "large"
    file.write_bytes(data)
    payload = payload_of(file if is_file else data, MAX_BYTES, 90)
    # Not smaller than it must be.
    assert 0.5 * MAX_BYTES < len(payload.data) <= MAX_BYTES < len(data)
    sent = seen(payload.data)
    assert sent.width < 0.9 * WIDTH
    answer = payload.as_if_whole(sent)
    assert (answer.width, answer.height) == (WIDTH, HEIGHT)
    pixel = WIDTH / sent.width
    assert np.abs(np.subtract(answer.readings[0].corners, CORNERS)).max() <= 2 * pixel
    assert answer.readings[0].box == (
        *answer.readings[0].corners[0],
        *answer.readings[0].corners[2],
    )
    assert answer.readings[0].text == sent.readings[0].text
    assert answer.timings_ms == sent.timings_ms


def test_a_jpeg_that_is_small_enough_keeps_its_pixels() -> None:
    payload = payload_of(encoded(picture(), "BMP"), 300_000, 90)
    answer = seen(payload.data)
    assert (answer.width, answer.height) == (WIDTH, HEIGHT)
    assert payload.as_if_whole(answer) is answer


def test_a_large_one_is_sent_as_it_is_looked_at() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.ascontiguousarray(np.rot90(picture()))
    payload = payload_of(encoded(lying, "JPEG", quality=95, exif=exif), MAX_BYTES, 90)
    assert payload.size == (WIDTH, HEIGHT)
    answer = payload.as_if_whole(seen(payload.data))
    assert np.abs(np.subtract(answer.readings[0].corners, CORNERS)).max() < 10


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1)])
def test_a_line_stays_a_line(size: tuple[int, int]) -> None:
    line = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    payload = payload_of(encoded(line, "PNG"), 2_000, 90)
    assert len(payload.data) <= 2_000
    assert payload.size == size[::-1]


def test_what_cannot_be_sent(tmp_path: Path) -> None:
    long_text = tmp_path / "long.jpg"
    long_text.write_text("a" * (MAX_BYTES + 1))
    cases = {
        tmp_path / "none.jpg": "No such file or directory",
        tmp_path: "Is a directory",
        long_text: "too large to be sent .*it is no image",
        b"": "the file is empty",
        encoded(picture(), "PNG")[:-9000]: "cannot be made smaller: the image is damaged",
    }
    for image, reason in cases.items():
        with pytest.raises(ImageError, match=reason):
            payload_of(image, MAX_BYTES, 90)


def test_a_film_is_not_read_whole(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with film.open("wb") as file:
        # A hole of a file takes no room.
        file.truncate(5_000_000_000)
    with pytest.raises(ImageError, match="more than 300 MB: no photograph"):
        payload_of(film, MAX_BYTES, 90)
