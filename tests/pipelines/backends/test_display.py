"""What a person sees of a run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pipelines.backends.display import StepState, follow, open_display, states_of
from sub_module.files import write_json

NAMES = ["record", "train", "test", "deploy"]


def write_step(run_dir: Path, component: str, **values: Any) -> None:
    write_json(run_dir / "steps" / f"{component}.json", {"component": component, **values})


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    counts = {"num_images_train": 30, "num_rejected": 0}
    write_step(tmp_path, "record", finished=9.0, seconds=3.25, metrics=counts)
    write_step(tmp_path, "train", finished=None)
    write_json(tmp_path / "progress/train.json", {"done": 3, "total": 10, "text": "EIR 0.93 [x]"})
    write_step(tmp_path, "test", finished=9.0, seconds=2.0, error="a.jpg: truncated")
    return tmp_path


def test_states(run_dir: Path) -> None:
    assert states_of(run_dir, NAMES) == [
        StepState("record", "done", text="num_images_train 30  num_rejected 0", seconds=3.25),
        StepState("train", "running", 3, 10, "EIR 0.93 [x]"),
        StepState("test", "failed", text="a.jpg: truncated", seconds=2.0),
        StepState("deploy"),
    ]


def test_headline_is_eir_first(tmp_path: Path) -> None:
    metrics = {"mAP": 0.9, "wrong_share": 0.1, "EIR": 0.98765}
    write_step(tmp_path, "test", finished=1.0, metrics=metrics)
    assert states_of(tmp_path, ["test"])[0].text == "EIR 0.988  mAP 0.900"


@pytest.mark.parametrize(("num", "shown"), [(0, False), (3, True)])
def test_headline_tells_of_rejected_files(tmp_path: Path, num: int, shown: bool) -> None:
    counts = {f"num_images_{split}": 9 for split in ("train", "val", "test")}
    write_step(tmp_path, "record", finished=1.0, metrics={**counts, "num_rejected": num})
    (state,) = states_of(tmp_path, ["record"])
    assert ("num_rejected 3" in state.text) is shown
    assert "num_images_test 9" in state.text


@pytest.mark.parametrize("terminal", [False, True], ids=["plain lines", "live table"])
def test_follow(run_dir: Path, terminal: bool) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=120, _environ={})
    alive = iter([True, True, False])
    follow(run_dir, NAMES, lambda: next(alive), console)
    text = shown.getvalue()
    if terminal:
        for words in ("✓ record", "▸ train", "3/10 EIR 0.93 [x]", "✗ test", "0:03"):
            assert words in text
    else:
        assert text.splitlines() == [
            "[record] done in 3.2 s  num_images_train 30  num_rejected 0",
            "[train] started",
            "[test] failed after 2.0 s",
        ]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        pytest.param(StepState("a", "running", 3, 9, "EIR 0.9"), "[a] 3/9 EIR 0.9", id="a part"),
        pytest.param(
            StepState("a", "running", seconds=75.5), "[a] under way for 1:15", id="a time"
        ),
        pytest.param(StepState("a", "running"), "[a] under way", id="nothing is known"),
    ],
)
def test_lines_between(state: StepState, line: str) -> None:
    shown = io.StringIO()
    display = open_display(Console(file=shown, width=120, _environ={}), plain_seconds=0)
    for _ in range(2):
        display.show([state])
    display.close()
    assert shown.getvalue().splitlines() == ["[a] started", line]
