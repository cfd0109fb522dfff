"""What a user sees of a training: TensorBoard, pictures, the log and the progress."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sub_module.engine.hooks.time_left import time_left
from sub_module.engine.train import train
from tests.standards import kr_standard
from tests.sub_module.engine.logs import log_text
from tests.sub_module.small import small_config


@dataclass(frozen=True)
class Trained:
    work_dir: Path
    board: EventAccumulator
    progress: list[str]


@pytest.fixture(scope="module")
def trained(training_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Two epochs of 24 images in batches of 8, in two processes."""
    work_dir = tmp_path_factory.mktemp("work")
    progress: list[str] = []
    config = small_config(kr_standard(), max_epochs=2, num_processes=2, num_pictures=2)
    train(config, training_set, work_dir, lambda done, total, text: progress.append(text))
    (events,) = work_dir.glob("*/vis_data/events.out.tfevents.*")
    board = EventAccumulator(str(events))
    board.Reload()
    return Trained(work_dir, board, progress)


def test_figures(trained: Trained) -> None:
    tags = set(trained.board.Tags()["scalars"])
    assert {"loss", "loss_heat", "loss_columns", "lr", "grad_norm", "time"} <= tags
    assert {"images_per_second", "process_memory_mib"} <= tags
    assert {"mAP", "EIR", "wrong_share"} <= tags
    losses = trained.board.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3, 4, 5, 6]
    assert [event.step for event in trained.board.Scalars("EIR")] == [1, 2]


def test_images_a_second_are_those_of_all_processes(trained: Trained) -> None:
    speeds = [event.value for event in trained.board.Scalars("images_per_second")]
    # Validations have a time of their own under the same name.
    seconds = {event.value for event in trained.board.Scalars("time")}
    assert all(any(np.isclose(speed * s, 8, rtol=1e-3) for s in seconds) for speed in speeds)


def test_memory_is_that_of_a_process(trained: Trained) -> None:
    memory = [event.value for event in trained.board.Scalars("process_memory_mib")]
    assert all(100 < value < 20_000 for value in memory)


def test_pictures(trained: Trained) -> None:
    tags = trained.board.Tags()["images"]
    files = sorted((trained.work_dir / "pictures").iterdir())
    assert sorted(tags) == sorted(f"val/{file.stem}" for file in files)
    assert len(files) == 2
    for tag in tags:
        assert len(trained.board.Images(tag)) == 2, "one a validation"
    assert all(max(cv2.imread(str(file)).shape) <= 640 for file in files)


def test_time_left_in_the_log_and_in_the_progress(trained: Trained) -> None:
    text = log_text(trained.work_dir)
    lines = [line for line in text.splitlines() if "Epoch(train)" in line]
    assert len(lines) == 6
    assert all(re.search(r"  \d+d \d\dh \d\dm left  time: ", line) for line in lines)
    assert "eta:" not in text
    assert trained.progress[-1].endswith(", 0d 00h 00m left")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0d 00h 00m"),
        (1, "0d 00h 01m"),
        (60, "0d 00h 01m"),
        (61, "0d 00h 02m"),
        (4_980, "0d 01h 23m"),
        (86_399, "1d 00h 00m"),
        (10 * 86_400 + 3_600, "10d 01h 00m"),
    ],
)
def test_time_left(seconds: float, text: str) -> None:
    assert time_left(seconds) == text
