"""Frames of videos, and the plates on them put together."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from serving.demo.reading import Found, ReadImage
from serving.demo.settings import VideoSettings, demo_settings
from serving.demo.sightings import sightings
from serving.demo.video import is_video, sampled_frames
from serving.predictor.answer import ImageAnswer
from sub_module.errors import ConfigError, DataError
from sub_module.plates import PlateReading
from tests.serving.demo.conftest import video_of

_SETTINGS = VideoSettings(frames_per_second=4, max_seconds=15, max_megapixels=10)
# From black to white, so that a frame's place can be told from its brightness.
_RAMP = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 64, 0).repeat(3, 2)


@pytest.mark.parametrize(("codec", "suffix"), [("mp4v", "mp4"), ("MJPG", "avi"), ("VP80", "webm")])
def test_frames_come_evenly_in_time(tmp_path: Path, codec: str, suffix: str) -> None:
    ramp = np.hstack([_RAMP, np.full_like(_RAMP, 255)])
    file = video_of(cv2.resize(ramp, (1280, 64)), tmp_path / f"ramp.{suffix}", 90, codec)
    assert is_video(file)
    frames = list(sampled_frames(file, _SETTINGS))
    # 90 frames at 29.97 a second: the last begins at 2.97.
    assert [frame.seconds for frame in frames] == pytest.approx(np.arange(12) / 4, abs=1 / 29)
    assert all(later.seconds > first.seconds for first, later in itertools.pairwise(frames))
    brightness = [float(frame.pixels.mean()) for frame in frames]
    assert brightness == sorted(brightness)
    assert frames[0].pixels.shape == (64, 640, 3)


def test_only_the_beginning(tmp_path: Path) -> None:
    file = video_of(_RAMP, tmp_path / "long.mp4", 90)
    few = _SETTINGS.model_copy(update={"max_seconds": 1.0})
    assert [round(frame.seconds, 1) for frame in sampled_frames(file, few)] == [0, 0.3, 0.5, 0.8]


def test_more_frames_are_asked_for_than_there_are(tmp_path: Path) -> None:
    file = video_of(_RAMP, tmp_path / "short.mp4", 7)
    every = _SETTINGS.model_copy(update={"frames_per_second": 1000.0})
    assert len(list(sampled_frames(file, every))) == 7


def test_colours_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 2] = 255
    (frame,) = sampled_frames(video_of(red, tmp_path / "red.mp4", 1), _SETTINGS)
    assert frame.pixels.reshape(-1, 3).mean(axis=0) == pytest.approx([255, 0, 0], abs=12)


def test_frames_that_are_too_large(tmp_path: Path) -> None:
    file = video_of(_RAMP, tmp_path / "large.mp4", 3)
    small = _SETTINGS.model_copy(update={"max_megapixels": 0.001})
    with pytest.raises(DataError, match=r"320x64 pixels; at most 0\.001 megapixels"):
        next(sampled_frames(file, small))


def test_half_a_video(tmp_path: Path) -> None:
    file = video_of(_RAMP, tmp_path / "whole.avi", 60, "MJPG")
    half = tmp_path / "half.avi"
    half.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert 1 <= len(list(sampled_frames(half, _SETTINGS))) <= 8


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no video of a kind"),
        (b"\xff\xd8\xff\xe0 a photo", "no video of a kind"),
        # FFmpeg would take it, and read what it names.
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "no video of a kind"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video of a kind"),
        (b"\0\0\0\x18ftypisom" + bytes(64), "cannot be opened"),
    ],
    ids=["empty", "photo", "playlist", "list", "header only"],
)
def test_what_is_no_video(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "some.mp4"
    file.write_bytes(content)
    with pytest.raises(DataError, match=reason):
        next(sampled_frames(file, _SETTINGS))


def test_an_iphone_photo_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(20))
    assert not is_video(tmp_path / "photo.heic")


def frame_with(seconds: float, *plates: tuple[str, float]) -> ReadImage:
    corners = ((0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0))
    readings = [
        PlateReading("one_line", (0.0, 0.0, 9.0, 9.0), corners, "", "", text, text, score)
        for text, score in plates
    ]
    found = tuple(Found(reading, f"{seconds}") for reading in readings)
    answer = ImageAnswer(9, 9, tuple(readings), {"name": "m", "version": "1"}, {})
    return ReadImage(answer, 1.0, np.zeros((9, 9, 3), np.uint8), found, seconds)


def test_a_plate_is_told_once_with_its_times() -> None:
    frames = [
        frame_with(0.0, ("A1", 0.5), ("B2", 0.9)),
        frame_with(0.5, ("A1", 0.8)),
        frame_with(1.0, ("A1", 0.6), ("C3", 0.95)),
    ]
    a, c, b = sightings(frames)
    assert (a.best.reading.text, a.seconds) == ("A1", (0.0, 0.5, 1.0))
    assert (a.best.reading.score, a.best.cutout) == (0.8, "0.5"), "the best of them is shown"
    assert [plate.best.reading.text for plate in (c, b)] == ["C3", "B2"], "then by score"


def test_no_plates() -> None:
    assert sightings([]) == sightings([frame_with(0.0)]) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"video.frames_per_second": 0.0}, "video.frames_per_second"),
        ({"port": 70000}, "port"),
        ({"visitors": 0}, "visitors"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        demo_settings(changes)
