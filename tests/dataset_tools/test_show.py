"""The contact sheet: really drawn on, and whole or not there."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from dataset_tools.show import contact_sheet
from sub_module.errors import DataError
from tests.factories import write_pair, write_set
from tests.standards import tiny_standard


def test_sheet_shows_polygons_and_the_summary_counts(tmp_path):
    standard = tiny_standard()
    plates = write_set(tmp_path / "set", standard, 5)
    write_pair(tmp_path / "set", "empty", [])
    (tmp_path / "set" / "000004.json").write_text("{")
    summary = contact_sheet(tmp_path / "set", tmp_path / "sheet.png", standard, num_images=4)
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (2 * 366 + 6, 2 * 486 + 6, 3)
    for colour in ((255, 196, 0), (0, 200, 255), (80, 255, 120)):
        assert (sheet == colour).all(axis=-1).sum() > 100
    assert (summary.num_images, summary.num_plates, summary.num_empty) == (5, 4, 1)
    assert [problem.file for problem in summary.problems] == ["000004.json"]
    labels = [shape.label for plate in plates[:4] for shape in plate.shapes]
    assert summary.class_counts == {label: labels.count(label) for label in standard.classes}
    # Plates of the factory are half as wide as its images.
    assert summary.plate_widths_px == pytest.approx((160, 160, 160), abs=0.1)
    assert sorted(os.listdir(tmp_path)) == ["set", "sheet.png"]


def test_set_without_plates(tmp_path):
    write_pair(tmp_path / "set", "empty", [])
    summary = contact_sheet(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert (summary.num_plates, summary.plate_widths_px) == (0, None)


def test_nothing_to_show(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 1)
    (tmp_path / "set" / "000000.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"000000\.jpg: it is no image"):
        contact_sheet(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert os.listdir(tmp_path) == ["set"]


def test_sheet_that_cannot_be_written(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 1)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(DataError, match=r"sheet\.png: cannot be written"):
        contact_sheet(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert sorted(os.listdir(tmp_path)) == ["set", "sheet.png"]
