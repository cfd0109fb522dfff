"""The model server of a module of tests, and the page before it, each a process of its own."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.servers.predictor import ROOT, Predictor
from tests.servers.predictor import predictor as predictor

_READY_SECONDS = 60.0


@pytest.fixture(scope="module")
def page_url(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page on a free port, with an empty folder for what visitors bring."""
    uploads = tmp_path_factory.mktemp("uploads")
    command = [sys.executable, "-m", "serving.demo", "--url", predictor.url, "--set", "port=0"]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(uploads)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            # It says where it is, or why it cannot be.
            assert select.select([process.stderr], [], [], _READY_SECONDS)[0], "it says nothing"
            said = process.stderr.readline()
            found = re.search(r"http://\S+", said)
            assert found, said
            yield found[0]
            # As Ctrl-C does.
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
            assert "KeyboardInterrupt" not in process.stderr.read()
        finally:
            process.kill()
    # What visitors brought and saw is deleted; what the page itself consists of never is, or the
    # examples' icons would be gone after some minutes.
    assert {file.name for file in uploads.rglob("*.*")} == {"coffee.jpg", "motorcycle.jpg"}


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds along a wall with two photos, at 29.97 frames a second: four plates."""
    coffee, motorcycle = (
        cv2.imread(str(ROOT / "docs" / "samples" / f"{name}.jpg"))
        for name in ("coffee", "motorcycle")
    )
    assert coffee is not None
    assert motorcycle is not None
    wall = np.hstack([coffee, motorcycle])
    return video_of(wall, tmp_path_factory.mktemp("videos") / "drive.mp4", num_frames=90)


def video_of(wall: np.ndarray, file: Path, num_frames: int, codec: str = "mp4v") -> Path:
    """A video that runs from the left end of a picture (BGR) to its right end."""
    height, width = wall.shape[:2]
    side = min(640, width)
    rate = 29.97
    video = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*codec), rate, (side, height))
    assert video.isOpened()
    for number in range(num_frames):
        left = round((width - side) * number / max(1, num_frames - 1))
        video.write(np.ascontiguousarray(wall[:, left : left + side]))
    video.release()
    return file
