"""The record step: COCO as pycocotools reads it, splits that stay put, all or nothing on disk."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from dataset_tools import parallel
from dataset_tools.annotations import read_set
from dataset_tools.labelme import NO_PLATE, Shape
from dataset_tools.record import coco_of, record
from dataset_tools.record.coco import coco_dict
from sub_module.errors import ConfigError, DataError
from tests.factories import (
    DrawnPlate,
    affine,
    draw_plate,
    random_characters,
    write_pair,
    write_set,
)
from tests.standards import REPOSITORY, kr_standard, tiny_standard

SETTINGS = {"split": {"train": 0.6, "val": 0.2, "test": 0.2}}
SPLITS = ("train", "val", "test")


def _names(out):
    coco = {split: json.loads((out / f"{split}.json").read_text()) for split in SPLITS}
    return {
        split: [Path(image["file_name"]).name for image in coco[split]["images"]]
        for split in SPLITS
    }


@pytest.mark.parametrize("standard", [kr_standard(), tiny_standard()], ids=lambda s: s.name)
def test_recorded_set_loads_in_pycocotools(tmp_path, standard):
    plates = write_set(tmp_path / "set", standard, 20)
    summary = record(tmp_path / "set", tmp_path / "out", standard, SETTINGS)
    assert summary.rejected == ()
    assert sum(summary.num_images.values()) == sum(summary.num_plates.values()) == 20
    by_name = {f"{i:06d}.jpg": plate for i, plate in enumerate(plates)}
    for split in SPLITS:
        coco = COCO(str(tmp_path / "out" / f"{split}.json"))
        # In the standard's order, never that of first appearance.
        assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == list(standard.classes)
        assert coco.dataset["info"]["standard"] == standard.to_config()
        assert summary.num_images[split] == len(coco.imgs) > 0
        for image in coco.imgs.values():
            source = tmp_path / "set" / Path(image["file_name"]).name
            linked = tmp_path / "out" / image["file_name"]
            assert linked.samefile(source)
            plate = by_name[source.name]
            annotations = coco.imgToAnns[image["id"]]
            board = annotations[0]
            assert {a["plate_id"] for a in annotations} == {board["id"]}
            assert board["reading"]["text"] == plate.text
            labels = [standard.classes[a["category_id"] - 1] for a in annotations]
            characters = [c for c in map(standard.character_of, labels) if c is not None]
            assert "".join(characters) == plate.text
            for annotation in annotations:
                # The mask of the polygon, counted in pixels, agrees with the area and the box.
                mask = coco.annToMask(annotation)
                assert mask.sum() == pytest.approx(annotation["area"], rel=0.2, abs=12)
                x, y, _, height = annotation["bbox"]
                assert mask.any(axis=0).nonzero()[0].min() == pytest.approx(x, abs=1.5)
                assert mask.any(axis=1).nonzero()[0].max() + 1 == pytest.approx(y + height, abs=1.5)
                assert annotation["iscrowd"] == 0


def test_area_and_box_come_from_the_polygon(tmp_path):
    standard = tiny_standard()
    write_set(tmp_path, standard, 1)
    path = tmp_path / "000000.json"
    raw = json.loads(path.read_text())
    board = next(shape for shape in raw["shapes"] if shape["label"] == "s_board")
    board["points"] = [[20, 30], [290, 30], [290, 200], [20, 210]]
    path.write_text(json.dumps(raw))
    first = coco_of(tmp_path, standard)["annotations"][0]
    assert first["bbox"] == [20, 30, 270, 180]
    assert first["area"] == 270 * 170 + 270 * 10 / 2
    assert first["segmentation"] == [[20, 30, 290, 30, 290, 200, 20, 210]]


def test_streamed_files_are_the_json_of_the_whole(tmp_path, monkeypatch):
    standard = tiny_standard()
    write_set(tmp_path / "set", standard, 40)
    gap = Shape(NO_PLATE, ((1.0, 2.0), (30.0, 2.0), (20.0, 25.0)), None)
    write_pair(tmp_path / "set", "empty", [DrawnPlate((gap,), "", "", gap.points)])
    # Label files come in another order than their images: the first names the last image.
    (tmp_path / "set" / "000039.json").rename(tmp_path / "set" / "00000.json")
    # One image has two label files, of which the first counts.
    twin = (tmp_path / "set" / "000005.json").read_bytes()
    (tmp_path / "set" / "000005x.json").write_bytes(twin)
    # Of a name that JSON and format strings write otherwise.
    label_file = write_pair(tmp_path / "set", "größe 100%", [])
    assert label_file.is_file()
    monkeypatch.setattr(parallel, "MIN_ITEMS_FOR_PROCESSES", 1)
    summary = record(tmp_path / "set", tmp_path / "out", standard, SETTINGS)
    assert [problem.file for problem in summary.rejected] == ["000005x.json"]
    splits = {split: [] for split in SPLITS}
    for image in read_set(tmp_path / "set", standard).images:
        (split,) = [s for s in SPLITS if (tmp_path / "out" / "images" / s / image.file).exists()]
        splits[split].append((f"images/{split}/{image.file}", image))
    assert sum(map(len, splits.values())) == 42
    for split, images in splits.items():
        assert [name for name, _ in images] == sorted(name for name, _ in images)
        written = (tmp_path / "out" / f"{split}.json").read_text()
        assert written == json.dumps(coco_dict(images, standard))


def test_several_plates_keep_their_own_ids(tmp_path):
    standard = tiny_standard()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        plates = [
            draw_plate(
                standard, layout, random_characters(layout, rng), affine(120, layout.aspect, centre)
            )
            for layout, centre in zip(standard.layouts, [(90, 70), (220, 180)], strict=True)
        ]
        write_pair(tmp_path / "train", name, plates)
    settings = {"split": {"train": 1, "val": 0, "test": 0}}
    record(tmp_path, tmp_path / "out", standard, settings)
    coco = json.loads((tmp_path / "out" / "train.json").read_text())
    assert [a["id"] for a in coco["annotations"]] == list(range(1, len(coco["annotations"]) + 1))
    boards = [a for a in coco["annotations"] if "reading" in a]
    assert [board["image_id"] for board in boards] == [1, 1, 2, 2]
    for board in boards:
        assert board["plate_id"] == board["id"]
        own = [a for a in coco["annotations"] if a["plate_id"] == board["id"]]
        characters = [standard.character_of(standard.classes[a["category_id"] - 1]) for a in own]
        assert "".join(filter(None, characters)) == board["reading"]["text"]


def test_file_with_several_faults_counts_once(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 20)
    path = tmp_path / "set" / "000003.json"
    bad = {"label": "nonsense", "points": [[1, 1], [9, 1], [9, 9]]}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"shapes": [bad, bad]}))
    summary = record(tmp_path / "set", tmp_path / "out", tiny_standard(), SETTINGS)
    assert [problem.file for problem in summary.rejected] == ["000003.json"] * 2
    assert summary.num_rejected == 1
    assert len(json.loads((tmp_path / "out" / "rejected.json").read_text())) == 2


def test_linked_image_is_recorded_itself(tmp_path):
    write_set(tmp_path / "set" / "train", tiny_standard(), 1)
    image = tmp_path / "set" / "train" / "000000.jpg"
    image.rename(tmp_path / "elsewhere.jpg")
    image.symlink_to("../../elsewhere.jpg")
    settings = {"split": {"train": 1, "val": 0, "test": 0}}
    record(tmp_path / "set", tmp_path / "out", tiny_standard(), settings)
    recorded = tmp_path / "out" / "images" / "train" / "000000.jpg"
    assert not recorded.is_symlink()
    assert recorded.samefile(tmp_path / "elsewhere.jpg")


def test_same_set_gives_the_same_bytes(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 12)
    for out in ("a", "b"):
        record(tmp_path / "set", tmp_path / out, tiny_standard(), SETTINGS)
    for file in ("train.json", "val.json", "test.json", "rejected.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_images_keep_their_split_when_others_come(tmp_path):
    write_set(tmp_path / "small", tiny_standard(), 12)
    write_set(tmp_path / "large", tiny_standard(), 24)
    for name in ("small", "large"):
        record(tmp_path / name, tmp_path / f"{name}-out", tiny_standard(), SETTINGS)
    small, large = _names(tmp_path / "small-out"), _names(tmp_path / "large-out")
    assert all(set(small[split]) <= set(large[split]) for split in SPLITS)


def test_subdirectories_fix_the_split(tmp_path):
    standard = tiny_standard()
    for i, split in enumerate(SPLITS):
        write_set(tmp_path / "set" / split, standard, 2 + i)
    write_set(tmp_path / "set", standard, 1)
    summary = record(tmp_path / "set", tmp_path / "out", standard, SETTINGS)
    assert summary.num_images == {"train": 2, "val": 3, "test": 4}
    assert [(p.file, "outside of train/" in p.reason) for p in summary.rejected] == [
        ("000000.jpg", True)
    ]
    # Three images of one name keep apart.
    assert (tmp_path / "out" / "images" / "test" / "000000.jpg").is_file()
    assert len(set((tmp_path / "out" / "images").rglob("*.jpg"))) == 9


def test_linked_directory_decides_no_split(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 20)
    write_set(tmp_path / "elsewhere", tiny_standard(), 1)
    (tmp_path / "set" / "train").symlink_to("../elsewhere")
    summary = record(tmp_path / "set", tmp_path / "out", tiny_standard(), SETTINGS)
    assert sum(summary.num_images.values()) == 20
    assert summary.rejected == ()


def test_rejected_files_are_reported_with_their_reasons(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 20)
    (tmp_path / "set" / "000003.json").write_text("{")
    (tmp_path / "set" / "000005.jpg").write_bytes(b"")
    summary = record(tmp_path / "set", tmp_path / "out", tiny_standard(), SETTINGS)
    assert [problem.file for problem in summary.rejected] == ["000003.json", "000005.jpg"]
    written = json.loads((tmp_path / "out" / "rejected.json").read_text())
    assert written == [vars(problem) for problem in summary.rejected]
    assert sum(summary.num_images.values()) == 18


def _nothing_usable(path):
    for file in path.glob("*.json"):
        file.write_text("{")


def _no_test_plates(path):
    """Splits by directories, of which test/ has an image, but no plate."""
    for i, file in enumerate(sorted(path.glob("0*"))):
        split = path / ("train" if i % 4 < 2 else "val")
        split.mkdir(exist_ok=True)
        file.rename(split / file.name)
    (path / "train" / "000000.json").rename(path / "train" / "keep")
    (path / "train" / "keep").unlink()
    write_pair(path / "test", "empty", [])


@pytest.mark.parametrize(
    ("num_images", "prepare", "settings", "error", "message"),
    [
        (0, lambda p: p.mkdir(), SETTINGS, DataError, "no label file"),
        (0, lambda p: None, SETTINGS, DataError, "no such directory"),
        (3, _nothing_usable, SETTINGS, DataError, "none of its label files can be used; 000000"),
        (2, lambda p: None, SETTINGS, DataError, "no plate for the .* split among 2 usable images"),
        (20, _no_test_plates, SETTINGS, DataError, "no plate for the test split among 20 usable"),
        (2, lambda p: None, {"split": {"train": 1, "dev": 1}}, ConfigError, "'dev' is none of"),
        (2, lambda p: None, {"split": {"train": 1, "val": -1}}, ConfigError, "must be 0 or more"),
        (2, lambda p: None, {"split": {"train": 0, "val": 1}}, ConfigError, "train must be above"),
    ],
)
def test_what_cannot_be_recorded(tmp_path, num_images, prepare, settings, error, message):
    if num_images:
        write_set(tmp_path / "set", tiny_standard(), num_images)
    prepare(tmp_path / "set")
    with pytest.raises(error, match=message):
        record(tmp_path / "set", tmp_path / "out", tiny_standard(), settings)
    assert sorted(os.listdir(tmp_path)) == (["set"] if (tmp_path / "set").exists() else [])


def test_a_split_of_share_zero_may_be_empty(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 2)
    settings = {"split": {"train": 1, "val": 0, "test": 0}}
    summary = record(tmp_path / "set", tmp_path / "out", tiny_standard(), settings)
    assert summary.num_images == {"train": 2, "val": 0, "test": 0}
    assert _names(tmp_path / "out")["val"] == []


def test_what_is_there_already_stays(tmp_path):
    write_set(tmp_path / "set", tiny_standard(), 12)
    (tmp_path / "empty").mkdir()
    record(tmp_path / "set", tmp_path / "empty", tiny_standard(), SETTINGS)
    with pytest.raises(DataError, match="already exists"):
        record(tmp_path / "set", tmp_path / "empty", tiny_standard(), SETTINGS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(DataError, match="already exists"):
        record(tmp_path / "set", tmp_path / "full", tiny_standard(), SETTINGS)
    assert os.listdir(tmp_path / "full") == ["mine"]


def test_evaluated_directory_must_be_sound(tmp_path):
    write_set(tmp_path, tiny_standard(), 3)
    assert [i["file_name"] for i in coco_of(tmp_path, tiny_standard())["images"]] == [
        f"00000{i}.jpg" for i in range(3)
    ]
    for i in (0, 1):
        (tmp_path / f"00000{i}.json").write_text("{")
    with pytest.raises(DataError, match=r"000000.json: no valid JSON.* \(and 1 more\)"):
        coco_of(tmp_path, tiny_standard())


# Records in a process of its own, and prints what it says and what it left.
RECORD_SCRIPT = f"""
import os, sys
from pathlib import Path
from dataset_tools.record import record
from sub_module.errors import DataError
from tests.standards import tiny_standard
try:
    record(Path(sys.argv[1]), Path(sys.argv[2], "out"), tiny_standard(), {SETTINGS!r})
except DataError as error:
    print(error)
print(os.listdir(sys.argv[2]))
"""


def _can_mount():
    try:
        probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can_mount(), reason="no namespace to mount a small disk in")
@pytest.mark.parametrize("spare_kib", [-20, 8], ids=["while copying images", "while writing JSON"])
def test_full_disk_leaves_nothing(tmp_path, spare_kib):
    write_set(tmp_path / "set", tiny_standard(), 12)
    (tmp_path / "disk").mkdir()
    images_kib = sum(-(-f.stat().st_size // 4096) * 4 for f in (tmp_path / "set").glob("*.jpg"))
    # A file system of its own: hard links cannot reach it, so images are copied.
    size = f"size={images_kib + spare_kib}k"
    steps = f'mount -t tmpfs -o {size} tmpfs "$2" && exec "$0" -c "$3" "$1" "$2"'
    arguments = [sys.executable, tmp_path / "set", tmp_path / "disk", RECORD_SCRIPT]
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", steps, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    out = tmp_path / "disk" / "out"
    assert ran.stdout == f"{out}: cannot be written: No space left on device\n[]\n"


def test_a_write_that_breaks_off_leaves_nothing(tmp_path):
    # Where no small disk can be mounted: the kernel cuts every file at 4 KiB.
    write_set(tmp_path / "set", tiny_standard(), 12)
    (tmp_path / "disk").mkdir()
    ran = subprocess.run(
        [sys.executable, "-c", RECORD_SCRIPT, tmp_path / "set", tmp_path / "disk"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    out = tmp_path / "disk" / "out"
    assert ran.stdout == f"{out}: cannot be written: File too large\n[]\n"
