"""A short video: some of its frames, evenly in time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from serving.demo.settings import VideoSettings
from sub_module.errors import DataError

# Faster than any camera whose video somebody drops on a page; more are not looked at, whatever
# the times in the file say.
_MAX_RATE = 240
# Of files that do not say how fast they run.
_USUAL_RATE = 25.0
# How the containers begin that are opened, or go on at a place. FFmpeg knows more, and lists among
# them, which make it read other files.
_CONTAINERS = (
    (4, b"ftyp"),
    (4, b"moov"),
    (4, b"mdat"),
    (4, b"wide"),
    (0, b"\x1aE\xdf\xa3"),
    (8, b"AVI "),
    (0, b"OggS"),
)
# Images in the container of MP4.
_IMAGE_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True)
class Frame:
    """One frame of a video.

    Attributes:
        seconds: When it is shown, from the video's start.
        pixels: (H, W, 3) uint8 RGB, upright.
    """

    seconds: float
    pixels: NDArray[np.uint8]


def is_video(file: Path) -> bool:
    """Whether a file is a video, by how it begins: MP4 or MOV, WebM or Matroska, AVI, Ogg."""
    with file.open("rb") as opened:
        begin = opened.read(12)
    known = any(begin.startswith(magic, at) for at, magic in _CONTAINERS)
    return known and begin[8:12] not in _IMAGE_BRANDS


def sampled_frames(file: Path, settings: VideoSettings) -> Generator[Frame]:
    """The first frame, and then the first one of each further `1 / frames_per_second`.

    A frame's time is what the file says of it: rates need not be whole numbers, nor the same from
    beginning to end.

    Args:
        file: A video, of anyone.
        settings: How many frames, how long, how large.

    Raises:
        DataError: It is no video, none whose format can be decoded, or its frames are too large.
    """
    if not is_video(file):
        raise DataError("this is no video of a kind that is read: MP4, MOV, WebM, MKV, AVI, Ogg")
    video = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    try:
        if not video.isOpened():
            raise DataError("this video cannot be opened: damaged, or of an unknown format")
        _check_size(video, settings.max_megapixels)
        num_frames = 0
        for frame in _each(video, settings):
            num_frames += 1
            yield frame
        if not num_frames:
            raise DataError("there is no frame in this video that can be decoded")
    finally:
        video.release()


def _each(video: cv2.VideoCapture, settings: VideoSettings) -> Iterator[Frame]:
    rate = video.get(cv2.CAP_PROP_FPS)
    step = 1 / (rate if 0 < rate <= _MAX_RATE else _USUAL_RATE)
    wanted = seconds = 0.0
    for number in range(round(settings.max_seconds * _MAX_RATE)):
        if not video.grab():
            return
        said = video.get(cv2.CAP_PROP_POS_MSEC) / 1e3
        # Some files give no times, or the same one to all.
        seconds = said if number == 0 or said > seconds else seconds + step
        if seconds >= settings.max_seconds:
            return
        if seconds >= wanted:
            is_there, bgr = video.retrieve()
            if is_there:
                rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                yield Frame(seconds, np.asarray(rgb, dtype=np.uint8))
            # From a grid, so that the samples do not drift.
            wanted = (int(seconds * settings.frames_per_second) + 1) / settings.frames_per_second


def _check_size(video: cv2.VideoCapture, max_megapixels: float) -> None:
    width, height = (
        round(video.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if width * height > max_megapixels * 1e6:
        raise DataError(
            f"its frames have {width}x{height} pixels; at most {max_megapixels:g} megapixels"
        )
