"""The contact sheet and the page: really drawn on, self-contained, whole or not there."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from commands import dataset
from dataset_tools.show import show_set
from dataset_tools.versions import DataSets
from sub_module.errors import DataError
from sub_module.settings import Settings
from tests.factories import write_pair, write_set
from tests.standards import kr_standard, tiny_standard


def test_sheet_shows_polygons_and_the_summary_counts(tmp_path):
    standard = tiny_standard()
    plates = write_set(tmp_path / "set", standard, 5)
    write_pair(tmp_path / "set", "empty", [])
    (tmp_path / "set" / "000004.json").write_text("{")
    summary = show_set(tmp_path / "set", tmp_path / "sheet.png", standard, num_images=4)
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
    summary = show_set(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert (summary.num_plates, summary.plate_widths_px) == (0, None)


def test_nothing_to_show(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 1)
    (tmp_path / "set" / "000000.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"000000\.jpg: it is no image"):
        show_set(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert os.listdir(tmp_path) == ["set"]


def test_sheet_that_cannot_be_written(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 1)
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(DataError, match=r"sheet\.png: cannot be written"):
        show_set(tmp_path / "set", tmp_path / "sheet.png", tiny_standard())
    assert sorted(os.listdir(tmp_path)) == ["set", "sheet.png"]


@pytest.mark.parametrize("name", ["x.txt", "x.jpg", "x", ".png", "x.png.html.bak"])
def test_only_what_can_be_written_is_tried(tmp_path, name):
    # There is not even a set.
    with pytest.raises(DataError) as raised:
        show_set(tmp_path / "none", tmp_path / name, tiny_standard())
    assert str(raised.value) == f"{tmp_path / name}: it must end in .png or .html"
    assert os.listdir(tmp_path) == []


class _Page(HTMLParser):
    """What a page shows and what it fetches."""

    def __init__(self, path):
        super().__init__()
        self.text, self.sources, self.tags = [], [], Counter()
        self.feed(path.read_text())

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.sources += [
            value for name, value in attrs if name in ("src", "href", "xlink:href") and value
        ]

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())


def test_page_has_sheet_balance_sizes_and_problems(tmp_path):
    standard = tiny_standard()
    plates = write_set(tmp_path / "set", standard, 6)
    (tmp_path / "set" / "000004.json").rename(tmp_path / "set" / "<b>4.json")
    (tmp_path / "set" / "<b>4.json").write_text("{")
    summary = show_set(tmp_path / "set", tmp_path / "set.html", standard, name="ann-v1")
    page = _Page(tmp_path / "set.html")
    # Nothing is fetched from anywhere.
    (image,) = [source for source in page.sources if not source.startswith("#")]
    kind, _, data = image.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (3 * 486 + 6, 2 * 366 + 6)
    assert {"ann-v1", "Plateflow: ann-v1"} <= set(page.text)
    pairs = set(pairwise(page.text))
    assert {(label, str(count)) for label, count in summary.class_counts.items()} <= pairs
    used = [plate for i, plate in enumerate(plates) if i != 4]
    assert summary.num_plates == len(used) == 5
    assert {name: len(sizes) for name, sizes in summary.plate_sizes_px.items()} == Counter(
        plate.layout for plate in used
    )
    assert page.tags["svg"] == 2
    # A file's name is text, whatever it holds, and each problem is a row.
    assert page.text.count("<b>4.json") == 1
    assert page.tags["tr"] == 1 + len(summary.problems)


def test_same_set_gives_the_same_page(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 3)
    for name in ("a.html", "b.HTML"):
        show_set(tmp_path / "set", tmp_path / name, tiny_standard())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.HTML").read_bytes()


def test_page_of_a_set_without_plates(tmp_path):
    write_pair(tmp_path / "set", "empty", [])
    show_set(tmp_path / "set", tmp_path / "set.html", tiny_standard())
    text = _Page(tmp_path / "set.html").text
    assert "There is no plate in the set." in text
    assert "Everything in the set can be used." in text


def test_shown_images_are_spread_evenly(tmp_path):
    standard = tiny_standard()
    for i in range(40):
        write_pair(tmp_path / "set", f"{i:02d}", [])
        # Each image has a grey of its own.
        Image.new("RGB", (320, 240), (i * 6,) * 3).save(tmp_path / "set" / f"{i:02d}.jpg")
    show_set(tmp_path / "set", tmp_path / "sheet.png", standard, num_images=4)
    sheet = np.array(Image.open(tmp_path / "sheet.png")).astype(int)
    shown = [sheet[y, x, 0] / 6 for y in (180, 546) for x in (240, 726)]
    assert np.diff(shown) == pytest.approx([10, 10, 10], abs=1.5)
    assert shown[0] == pytest.approx(0, abs=1)


@pytest.fixture
def show(tmp_path, monkeypatch):
    """`dataset show` in a home of its own: gives its output, or the error that it ends with."""
    monkeypatch.setenv("PLATEFLOW_HOME", str(tmp_path / "home"))
    for name in ("DATABASE_URL", "STORE", "DATASETS"):
        monkeypatch.delenv(f"PLATEFLOW_{name}", raising=False)

    def call(*arguments):
        result = CliRunner().invoke(dataset.app, ["show", *arguments])
        if result.exception:
            raise result.exception
        return result.stdout

    return call


def test_version_is_shown_as_its_directory_is(tmp_path, show):
    write_set(tmp_path / "set", kr_standard(), 3)
    settings = Settings(home=tmp_path / "home")
    DataSets(settings).add(tmp_path / "set", "board_dataset", None, kr_standard())
    of_directory = show(str(tmp_path / "set"), "--out", str(tmp_path / "directory.png"))
    assert show("v1", "--out", str(tmp_path / "version.png")) == of_directory
    images = [Image.open(tmp_path / f"{name}.png").tobytes() for name in ("directory", "version")]
    assert images[0] == images[1]
    # What was fetched for it is gone.
    assert not [path for path in os.listdir(tmp_path / "home") if "show" in path]
    with pytest.raises(DataError, match=r"x\.txt: it must end in \.png or \.html"):
        show("no-such-version", "--out", str(tmp_path / "x.txt"))
    with pytest.raises(DataError, match=r"v2: no such directory, and no version .* ann-v1"):
        show("v2")


@pytest.mark.parametrize(
    "source", ["no/such", "./v1", "mine.d/"], ids=["in a directory", "dotted", "trailing slash"]
)
def test_path_is_never_taken_for_a_version(tmp_path, show, source):
    with pytest.raises(DataError, match=r"no such directory$"):
        show(source)
    assert os.listdir(tmp_path) == []
