"""What was dropped on the page, read by the model server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from serving.client import PlateClient
from serving.client.standard import standard_of
from serving.demo.pictures import Pixels, cutout, jpeg_of, marked
from serving.demo.settings import DemoSettings
from serving.demo.video import Frame, sampled_frames
from serving.predictor.answer import ImageAnswer
from sub_module.datasets.decode import decode_image
from sub_module.plates import PlateReading, PlateStandard

# The server has the last word on what it reads; this is about memory.
_MAX_PIXELS = 150_000_000
# Frames of a video that are held in memory at a time, for each visitor.
_FRAMES_AHEAD = 4


@dataclass(frozen=True)
class Found:
    """A reading with its plate cut out.

    Attributes:
        reading: In pixels of the whole image.
        cutout: A `data:` URL.
    """

    reading: PlateReading
    cutout: str


@dataclass(frozen=True)
class ReadImage:
    """An image or a frame with its plates.

    Attributes:
        answer: The server's.
        round_trip_ms: From the question to the answer, as the page saw it.
        picture: (H, W, 3) uint8 RGB with the plates marked, of a size for the page.
        found: One a plate, best first.
        seconds: When a frame is shown, from the video's start; 0 of an image.
    """

    answer: ImageAnswer
    round_trip_ms: float
    picture: Pixels
    found: tuple[Found, ...]
    seconds: float = 0.0


async def read_image(
    client: PlateClient, file: Path, standard: PlateStandard, settings: DemoSettings
) -> ReadImage:
    """Read an image file.

    Args:
        client: Asks the server.
        file: The image.
        standard: What the pictures are drawn with where the answer names no known standard.
        settings: Of the page.

    Raises:
        ImageError: The server refuses it.
        ServerError: The server cannot be asked.
        ConfigError: The server reads plates of another standard.
    """
    data = await asyncio.to_thread(file.read_bytes)
    answer, round_trip_ms = await _timed(client, data)

    def shown() -> ReadImage:
        # Pixels only after the server found that they may be looked at.
        image = decode_image(data, _MAX_PIXELS, settings.picture_pixels)
        return _shown(image.pixels, answer, round_trip_ms, standard, settings)

    return await asyncio.to_thread(shown)


async def read_video(
    client: PlateClient, file: Path, standard: PlateStandard, settings: DemoSettings
) -> AsyncIterator[ReadImage]:
    """Read frames of a video, several at a time; they come in their order.

    Raises:
        DataError: It is no video that can be decoded.
        ImageError, ServerError, ConfigError: As of `read_image`.
    """
    frames = sampled_frames(file, settings.video)
    begun: list[asyncio.Task[ReadImage]] = []
    try:
        while True:
            frame = await asyncio.to_thread(_next, frames)
            if frame is not None:
                begun.append(asyncio.create_task(_read_frame(client, frame, standard, settings)))
            if not begun:
                return
            if frame is None or len(begun) == _FRAMES_AHEAD:
                yield await begun.pop(0)
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await asyncio.to_thread(frames.close)


def _next(frames: Iterator[Frame]) -> Frame | None:
    return next(frames, None)


async def _read_frame(
    client: PlateClient, frame: Frame, standard: PlateStandard, settings: DemoSettings
) -> ReadImage:
    data = await asyncio.to_thread(jpeg_of, frame.pixels)
    answer, round_trip_ms = await _timed(client, data)
    return await asyncio.to_thread(
        _shown, frame.pixels, answer, round_trip_ms, standard, settings, frame.seconds
    )


async def _timed(client: PlateClient, data: bytes) -> tuple[ImageAnswer, float]:
    start = time.perf_counter()
    answer = await client.read(data)
    return answer, (time.perf_counter() - start) * 1e3


def _shown(
    pixels: Pixels,
    answer: ImageAnswer,
    round_trip_ms: float,
    standard: PlateStandard,
    settings: DemoSettings,
    seconds: float = 0.0,
) -> ReadImage:
    """The answer with pictures; `pixels` may be smaller than the image that was read."""
    standard = standard_of(answer, standard)
    height, width = pixels.shape[:2]
    factors = width / answer.width, height / answer.height
    here = [reading.scaled(*factors) for reading in answer.readings]
    cutouts = [cutout(pixels, reading, standard) for reading in here]
    picture = marked(pixels, here, standard, settings.picture_pixels)
    found = tuple(map(Found, answer.readings, cutouts))
    return ReadImage(answer, round_trip_ms, picture, found, seconds)
