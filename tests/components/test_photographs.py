"""Photographs: read, scored, and shown on a page."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.evaluate.labelled import evaluate_labelled
from components.report.photographs import write_photograph_report
from sub_module.engine.infer import Detector
from sub_module.errors import DataError
from sub_module.plates import PlateReading
from tests.components.finished_run import STANDARD
from tests.components.html_page import Page


def _reading(text: str, x: float, score: float, raw: str = "", grammar: str = "") -> PlateReading:
    x1, y1, x2, y2 = box = (x, 40.0, x + 100, 64.0)
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return PlateReading("one_line", box, corners, "", "", text, text, score, raw, grammar)


class _Prepared:
    """Reads what it was told to, image by image; an image's first pixel is its number."""

    standard = STANDARD

    def __init__(self, *readings: list[PlateReading]) -> None:
        self.readings = readings
        self.num_calls = 0

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        self.num_calls += 1
        return [self.readings[image[0, 0, 0] // 20] for image in images]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Five photographs of a plate each, and one of none."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, text in enumerate(("AB123", "XYO9", "CD4567", "EF1", "", None)):
        image = np.full((120, 240, 3), 20 * number, np.uint8)
        Image.fromarray(image).save(folder / f"{number}.png")
        label = "" if text is None else f"{number}.png\t20\t40\t100\t24\t{text}\n"
        (folder / f"{number}.txt").write_text(label)
    return folder


def _detector() -> Detector:
    prepared = _Prepared(
        [_reading("AB123", 22, 0.9)],
        [_reading("XY09", 20, 0.8, raw="XYO9", grammar="XX <b>")],
        [_reading("CD4568", 20, 0.7)],
        [],
        [_reading("QQ", 20, 0.6)],
        [_reading("FALSE1", 120, 0.5)],
    )
    return cast(Detector, prepared)


def test_every_photograph_is_read_once_and_counted(photographs: Path) -> None:
    detector, told = _detector(), []
    before = sorted(photographs.rglob("*"))
    labelled = evaluate_labelled(detector, photographs, lambda *done: told.append(done))
    assert cast(Any, detector).num_calls == 6 + 1, "the first is read twice, and not timed"
    assert told == [(number, 6, "") for number in range(1, 7)]
    assert sorted(photographs.rglob("*")) == before
    figures = json.loads(json.dumps(labelled.figures))
    assert figures["recall"]["value"] == 0.8
    assert figures["precision"]["value"] == 0.8
    assert [figures[name]["value"] for name in ("exact", "exact_o0")] == [0.25, 0.5]
    assert figures["ms_per_photo"]["low"] <= figures["ms_per_photo"]["value"]
    assert figures["num_unknown"] == 1
    # One bin: of AB123, XY09, CD4568 and FALSE1 one is right, or two; QQ is of an unknown text.
    mean = (0.9 + 0.8 + 0.7 + 0.5) / 4
    assert figures["ece"] == pytest.approx(mean - 0.25)
    assert figures["ece_o0"] == pytest.approx(mean - 0.5)
    rows = {row[0]: row[1:] for row in labelled.table}
    assert rows["recall"][0] == "80.0 %"
    assert rows["num_photos"] == ["6", ""]
    assert {len(row) for row in labelled.table} == {3}


def test_the_page_shows_every_miss(photographs: Path, tmp_path: Path) -> None:
    labelled = evaluate_labelled(_detector(), photographs)
    path = write_photograph_report(tmp_path / "new" / "report", labelled, {"of": "<photos>"})
    page = Page(path)
    text = " ".join(page.text.split())
    assert page.open == []
    assert page.fetched == []
    assert not re.search(r"url\((?!#)|@import", path.read_text("utf-8"))
    assert "<photos>" in text
    assert "1 of 4 plates with a known text on 6 photographs; 2 where O and 0 are one" in text
    assert "Read wrongly 1 truth CD456 7 read CD456 8 2.png · score 0.70" in text
    assert "Wrong in O and 0 alone 1 truth XY O 9 read XY 0 9 raw XYO9 1.png" in text
    assert "score 0.80 · XX <b>" in text
    assert "Missed 1 truth EF1 read none 3.png" in text
    assert "twice 1 truth none read FALSE1 5.png" in text
    assert page.num["img"] == 4
    assert page.num["svg"] == 1
    assert "exact, O is 0: ECE" in text
    data = json.loads((path.parent / "report.json").read_text())
    assert data["figures"]["num_false"] == 1
    outcomes = [match["outcome"] for row in data["photographs"] for match in row["matches"]]
    assert outcomes == ["right", "zero", "wrong", "missed", "unknown", "false"]


def test_a_page_of_photographs_on_which_nothing_is(tmp_path: Path) -> None:
    Image.new("RGB", (60, 40)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").touch()
    labelled = evaluate_labelled(cast(Detector, _Prepared([])), tmp_path)
    assert labelled.figures["recall"] is None
    assert ["recall", "none", ""] in labelled.table
    page = Page(write_photograph_report(tmp_path / "report", labelled, {"of": "a"}))
    assert "No plate is labelled; 0 readings on 1 photograph." in " ".join(page.text.split())
    assert "svg" not in page.num


def test_a_photograph_that_is_none(photographs: Path) -> None:
    (photographs / "3.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"3\.png"):
        evaluate_labelled(_detector(), photographs)
