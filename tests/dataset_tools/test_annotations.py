"""Whole annotation sets: each kind of broken file is named with its reason, the rest is used."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from dataset_tools import parallel
from dataset_tools.annotations import LabelledImage, Problem, iter_set, read_set
from dataset_tools.validation import validate
from sub_module.errors import DataError
from tests.factories import write_set
from tests.standards import tiny_standard


def _edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _cut(path, keep):
    path.write_bytes(path.read_bytes()[:keep])


@pytest.mark.parametrize(
    ("break_it", "file", "message"),
    [
        (lambda d: _cut(d / "000001.jpg", 5000), "000001.jpg", "truncated"),
        # The last tenth is missing: only a full decode notices.
        (lambda d: _cut(d / "000001.jpg", -800), "000001.jpg", "truncated"),
        (
            lambda d: _cut(d / "000001.jpg", 0),
            "000001.jpg",
            "no image (JPEG, PNG, BMP, WEBP, TIFF), or an empty one",
        ),
        (lambda d: (d / "000001.jpg").write_text("hello"), "000001.jpg", "no image"),
        (lambda d: (d / "000001.jpg").unlink(), "000001.json", "image '000001.jpg' is missing"),
        (
            lambda d: Image.new("RGB", (100, 80)).save(d / "000001.jpg"),
            "000001.json",
            "'000001.jpg' has 100x80 pixels, not 320x240",
        ),
        (
            lambda d: _edit(d / "000001.json", imagePath="a" * 300 + ".jpg"),
            "000001.json",
            "imagePath names no file",
        ),
        (lambda d: _cut(d / "000001.json", 100), "000001.json", "no valid JSON"),
        (lambda d: (d / "000001.json").unlink(), "000001.jpg", "no label file"),
        (
            lambda d: _edit(d / "000001.json", imagePath="000000.jpg"),
            "000001.json",
            "'000000.jpg' has another label file too",
        ),
        (
            lambda d: _edit(
                d / "000001.json",
                shapes=[{"label": "w", "points": [[1, 1], [9, 1], [9, 9]]}],
            ),
            "000001.json",
            "lies on no board",
        ),
    ],
)
def test_broken_file_is_named_and_the_rest_is_used(tmp_path, break_it, file, message):
    write_set(tmp_path, tiny_standard(), 3)
    break_it(tmp_path)
    labelled = read_set(tmp_path, tiny_standard())
    assert [image.file for image in labelled.images] == ["000000.jpg", "000002.jpg"]
    (problem,) = labelled.problems
    assert problem.file == file
    assert message in problem.reason
    assert "\n" not in problem.reason
    assert str(tmp_path) not in problem.reason


def test_truncated_png(tmp_path):
    write_set(tmp_path, tiny_standard(), 1)
    Image.open(tmp_path / "000000.jpg").save(tmp_path / "000000.png")
    (tmp_path / "000000.jpg").unlink()
    _edit(tmp_path / "000000.json", imagePath="000000.png")
    assert validate(tmp_path, tiny_standard()).problems == ()
    _cut(tmp_path / "000000.png", 20_000)
    (problem,) = validate(tmp_path, tiny_standard()).problems
    assert problem.file == "000000.png"


def test_sound_set_has_no_problems_and_its_plates(tmp_path):
    plates = write_set(tmp_path / "deep" / "er", tiny_standard(), 4)
    (tmp_path / ".trash").mkdir()
    (tmp_path / ".trash" / "x.json").write_text("{")
    labelled = read_set(tmp_path, tiny_standard())
    assert labelled.problems == ()
    assert [image.file for image in labelled.images] == [f"deep/er/00000{i}.jpg" for i in range(4)]
    texts = [image.plates[0].reading.text for image in labelled.images]
    assert texts == [plate.text for plate in plates]


def test_size_is_that_of_the_turned_photograph(tmp_path):
    # labelme shows a photograph as its EXIF data turns it, and notes that size.
    write_set(tmp_path, tiny_standard(), 1)
    path = tmp_path / "000000.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    assert Image.open(path).size == (240, 320)
    assert validate(tmp_path, tiny_standard()).problems == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [("missing", "no such directory"), ("empty", "no label file"), ("file", "no such directory")],
)
def test_no_set_at_all(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=message):
        validate(tmp_path / name, tiny_standard())


def test_workers_find_the_same_and_progress_is_told(tmp_path):
    write_set(tmp_path, tiny_standard(), 40)
    (tmp_path / "000007.json").write_text("{")
    seen = []
    together = read_set(tmp_path, tiny_standard(), 4, lambda *state: seen.append(state))
    alone = read_set(tmp_path, tiny_standard(), 1)
    assert together == alone
    assert [p.file for p in alone.problems] == ["000007.json"]
    assert isinstance(alone.problems[0], Problem)
    assert [state[:2] for state in seen] == [(i, 40) for i in range(1, 41)]
    assert seen[-1][2] == "1 rejected"


def test_processes_find_what_threads_find(tmp_path, monkeypatch):
    write_set(tmp_path, tiny_standard(), 40)
    (tmp_path / "000007.json").write_text("{")
    threads = list(iter_set(tmp_path, tiny_standard(), 2))
    monkeypatch.setattr(parallel, "MIN_ITEMS_FOR_PROCESSES", 1)
    assert list(iter_set(tmp_path, tiny_standard(), 2)) == threads


def test_every_fault_of_a_file_is_told_and_the_file_counts_once(tmp_path):
    write_set(tmp_path, tiny_standard(), 3)
    shapes = [
        {"label": "s_board", "points": [[1, 1], [99, 1], [99, 60], [1, 60]]},
        {"label": "nonsense", "points": [[1, 1], [9, 1], [9, 9]]},
        {"label": "w", "points": [[1, 1], [9, 1]]},
    ]
    _edit(tmp_path / "000001.json", shapes=shapes)
    found = validate(tmp_path, tiny_standard())
    assert {problem.file for problem in found.problems} == {"000001.json"}
    reasons = [problem.reason for problem in found.problems]
    assert [reason.split(" (")[0].split(":")[0] for reason in reasons] == [
        "shape 0", "shape 1", "shape 2"
    ]  # fmt: skip
    assert not any("more)" in reason for reason in reasons)
    assert (found.num_images, found.num_rejected) == (2, 1)


def test_labels_that_nobody_reviewed_are_named(tmp_path):
    write_set(tmp_path, tiny_standard(), 3)
    _edit(tmp_path / "000002.json", flags={"reviewed": False})
    found = validate(tmp_path, tiny_standard())
    assert (found.num_images, found.problems, found.unreviewed) == (3, (), ("000002.json",))


def test_set_comes_sorted_by_label_file_then_images_without_one(tmp_path):
    write_set(tmp_path, tiny_standard(), 4)
    (tmp_path / "000000.json").unlink()
    (tmp_path / "000002.json").write_text("{")
    found = [
        item.label_file if isinstance(item, LabelledImage) else [problem.file for problem in item]
        for item in iter_set(tmp_path, tiny_standard())
    ]
    assert found == ["000001.json", ["000002.json"], "000003.json", ["000000.jpg"]]


def test_directory_is_looked_at_before_the_first_file_is_asked_for(tmp_path):
    with pytest.raises(DataError, match="no label file"):
        iter_set(tmp_path, tiny_standard())
