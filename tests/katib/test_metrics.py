"""Metrics in printed lines, and lines of a growing log."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.experiment import COMMITTED
from katib.metrics import Tail, metrics_in
from katib.reading import read_experiment

OURS = read_experiment(COMMITTED)[1].formats
NAMES = ("mAP", "dv_mAP", "EIR")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("mAP=0.9300", [("mAP", 0.93)], id="as a trial prints it"),
        pytest.param("dv_mAP=0.5", [("dv_mAP", 0.5)], id="a name that ends in another"),
        pytest.param("mAP=0.1 EIR=1", [("mAP", 0.1), ("EIR", 1.0)], id="two in a line"),
        pytest.param("mAP=-7.5e-05", [("mAP", -7.5e-5)], id="an exponent"),
        pytest.param("epoch 1, loss=0.3 mAP=1E0", [("mAP", 1.0)], id="among other words"),
        pytest.param("loss=0.3", [], id="another metric"),
        pytest.param("mAP: 0.93", [], id="not in the format"),
        pytest.param("mAP=nan", [], id="no number"),
        pytest.param("", [], id="empty"),
    ],
)
def test_lines(line: str, expected: list[tuple[str, float]]) -> None:
    assert metrics_in(line, OURS, NAMES) == expected


def test_formats_of_ones_own() -> None:
    formats = [r"(\w+): (\d+)%", r"\{\"(\w+)\": ([0-9.]+)\}"]
    assert metrics_in("mAP: 93%", formats, NAMES) == [("mAP", 93.0)]
    assert metrics_in('{"EIR": 0.5}', formats, NAMES) == [("EIR", 0.5)]


def test_tail_gives_whole_lines_once(tmp_path: Path) -> None:
    log = tmp_path / "trial.log"
    tail = Tail(log)
    assert list(tail.lines()) == []
    log.write_bytes(b"one\ntw")
    assert list(tail.lines()) == ["one"]
    log.write_bytes(b"one\ntwo\n\xff\nend")
    assert list(tail.lines()) == ["two", "\ufffd"]
    assert list(tail.lines(to_the_end=True)) == ["end"]
    assert tail.last_line == "end"
