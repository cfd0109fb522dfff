"""Progress that another process can show."""

from __future__ import annotations

from pathlib import Path

from sub_module.files import read_json
from sub_module.progress import FileProgress


def test_latest_state_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "progress" / "train.json"
    progress = FileProgress(file, "train", interval_seconds=0)
    progress(0, 10, "")
    progress(3, 10, "EIR 0.93")
    state = read_json(file)
    assert state.pop("time") > 0
    assert state == {"step": "train", "done": 3, "total": 10, "text": "EIR 0.93"}


def test_most_calls_write_nothing_but_the_last_does(tmp_path: Path) -> None:
    file = tmp_path / "train.json"
    progress = FileProgress(file, "train", interval_seconds=1000)
    for done in range(10):
        progress(done, 10)
    assert read_json(file)["done"] == 0
    progress(10, 10)
    assert read_json(file)["done"] == 10
