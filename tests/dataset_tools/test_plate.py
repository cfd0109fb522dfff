"""Plates painted flat: what they say, what stands on them, and that labels say the same."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dataset_tools.draw.faces.glyphs import word
from dataset_tools.draw.plates.blank import Blank
from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.plates.furniture import FURNITURE, UNDER_TEXT
from dataset_tools.draw.plates.paint import paint_plate
from dataset_tools.draw.plates.texts import random_text
from dataset_tools.draw.plates.typesetting import gaps_after, row_rooms, set_row
from dataset_tools.labelme import Annotation, Shape, annotation_json
from dataset_tools.record import record
from sub_module.errors import ConfigError
from sub_module.plates import Grammar, Layout, PlateStandard
from sub_module.plates.geometry import UNIT_SQUARE, Points, map_points, plate_to_image
from tests.standards import REPOSITORY, TINY, kr_standard
from tests.sub_module.small import DATASET

SETTINGS: dict[str, Any] = {**DATASET["draw"], "strokes": 0.7}


def shipped(name: str) -> PlateStandard:
    config = runpy.run_path(str(REPOSITORY / "configs" / "plates" / f"{name}.py"))["plates"]
    return PlateStandard.from_config(config)


EU, BR = shipped("eu"), shipped("br")
# Half of the others' texts follow a grammar.
FREE = replace(EU, grammars=())


def paint(standard: PlateStandard, layout: Layout, seed: int, width_px: int = 120) -> FlatPlate:
    return paint_plate(standard, layout, width_px, SETTINGS, np.random.default_rng([7, seed]))


def text_of(plate: FlatPlate, standard: PlateStandard) -> str:
    return "".join(standard.character_of(label) or "" for label in plate.labels)


def furnished(layout: Layout, **shares: float) -> Layout:
    return replace(layout, furniture=tuple(shares.items()))


@pytest.mark.parametrize(("standard", "count"), [(EU, 30), (BR, 12)], ids=["eu", "br"])
def test_what_is_drawn_is_recorded(standard: PlateStandard, count: int, tmp_path: Path) -> None:
    """Drawn plates, turned in space, go through label files into a training set: same text, same
    layout, same corners."""
    source, out = tmp_path / "annotations", tmp_path / "recorded"
    rng = np.random.default_rng(3)
    truths: dict[str, tuple[str, str, Points]] = {}
    for number in range(count):
        layout = standard.layouts[number % len(standard.layouts)]
        plate = paint(standard, layout, number)
        split = ("train", "val", "test")[number % 3]
        corners = np.array([(60, 40), (240, 40), (240, 110), (60, 110)]) + rng.uniform(
            -14, 14, (4, 2)
        )
        shapes = tuple(
            Shape(
                label, tuple(map(tuple, map_points(plate_to_image(corners), polygon).tolist())), 0
            )
            for label, polygon in zip(plate.labels, plate.polygons, strict=True)
        )
        folder = source / split
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{number:03d}.png"
        cv2.imwrite(str(folder / name), np.zeros((150, 300, 3), np.uint8))
        annotation = Annotation(name, 300, 150, shapes)
        (folder / name).with_suffix(".json").write_text(annotation_json(annotation))
        truths[name] = (text_of(plate, standard), layout.name, corners)
    summary = record(source, out, standard, {"split": {"train": 1.0}}, num_threads=1)
    assert summary.rejected == ()
    found = {}
    for split in ("train", "val", "test"):
        coco = json.loads((out / f"{split}.json").read_text())
        names = {image["id"]: Path(image["file_name"]).name for image in coco["images"]}
        for annotation in coco["annotations"]:
            if "reading" in annotation:
                found[names[annotation["image_id"]]] = annotation["reading"]
    assert found.keys() == truths.keys()
    for name, (text, layout_name, expected) in truths.items():
        assert (found[name]["text"], found[name]["layout"]) == (text, layout_name)
        np.testing.assert_allclose(found[name]["corners"], expected, atol=0.02)


@pytest.mark.parametrize("standard", [EU, BR], ids=["eu", "br"])
def test_characters_stand_on_their_row_in_order(standard: PlateStandard) -> None:
    """Inside the strip that a reader looks at, in the plate, apart from each other."""
    for layout in standard.layouts:
        for seed in range(8):
            plate = paint(standard, layout, seed)
            assert np.array_equal(plate.polygons[0], UNIT_SQUARE)
            boxes = [
                (polygon[:, 0].min(), polygon[:, 0].max(), polygon[:, 1].min(), polygon[:, 1].max())
                for label, polygon in zip(plate.labels, plate.polygons, strict=True)
                if standard.character_of(label) is not None
            ]
            middles = [(y1 + y2) / 2 for _, _, y1, y2 in boxes]
            for number, row in enumerate(layout.rows):
                own = [
                    b
                    for b, y in zip(boxes, middles, strict=True)
                    if layout.nearest_row(y) == number
                ]
                assert len(own) >= sum(not slot.optional for slot in row.slots)
                x1, y1, x2, y2 = row.box
                for left, right, top, bottom in own:
                    assert x1 - 0.01 <= left < right <= x2 + 0.01
                    assert y1 - 0.02 <= top < bottom <= y2 + 0.02
                for a, b in pairwise(own):
                    assert b[0] > a[1] - 0.02
            assert plate.character_height == pytest.approx(
                min(y2 - y1 for _, _, y1, y2 in boxes), abs=0.06
            )


def test_ink_stands_where_labels_say() -> None:
    """Without furniture over it, the ground inside a 1's outline is darker than round it."""
    bare = furnished(EU.layouts[0], border=0.0)
    white = replace(EU, colours=EU.colours[:1])
    contrasts = []
    for seed in range(30):
        plate = paint(white, bare, seed, 180)
        size = plate.image.shape[1::-1]
        grey = cv2.cvtColor(plate.image, cv2.COLOR_RGB2GRAY)
        for label, polygon in zip(plate.labels, plate.polygons, strict=True):
            if label == "1":
                inside = np.zeros_like(grey)
                cv2.fillPoly(inside, [np.round(polygon * size - 0.5).astype(np.int32)], 1)
                around = cv2.dilate(inside, np.ones((9, 9), np.uint8)) - inside
                contrasts.append(grey[around > 0].mean() - grey[inside > 0].mean())
    assert len(contrasts) > 3
    assert min(contrasts) > 70


@pytest.mark.parametrize("name", UNDER_TEXT)
def test_each_piece_under_the_text_shows(name: str) -> None:
    is_captioned = name in ("caption_above", "caption_below", "top_band", "stickers", "picture")
    layout, size = (EU.layouts[1], (200, 100)) if is_captioned else (EU.layouts[0], (200, 44))
    changed = 0
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        empty = np.full((size[1], size[0], 3), 235, np.uint8)
        rooms = row_rooms(layout, {name}, size, rng)
        plate = Blank(empty.copy(), (235, 235, 235), (15, 15, 15), SETTINGS["fonts"], rooms)
        UNDER_TEXT[name](plate, rng)
        changed += not np.array_equal(plate.image, empty)
    assert changed >= 2


@pytest.mark.parametrize("name", [n for n in FURNITURE if n not in UNDER_TEXT])
def test_each_other_piece_of_furniture_shows(name: str) -> None:
    """A piece changes the picture of a plate that has it, and what the plate says it leaves."""
    layout = EU.layouts[0]
    changed = 0
    for seed in range(4):
        with_it = paint(FREE, furnished(layout, **{name: 1.0}), seed, 200)
        without = paint(FREE, furnished(layout, **{name: 0.0}), seed, 200)
        assert 5 <= len(text_of(with_it, FREE)) <= 8
        assert with_it.labels == without.labels
        changed += with_it.image.shape != without.image.shape or not np.array_equal(
            with_it.image, without.image
        )
    assert changed >= 2


def test_a_holder_stands_round_the_plate() -> None:
    plate = paint(EU, furnished(EU.layouts[0], holder=1.0), 1, 200)
    width = plate.image.shape[1]
    (x1, y1), (x2, y2) = plate.board[0], plate.board[2]
    assert 0 < x1 < 0.1
    assert x1 == pytest.approx(1 - x2, abs=1e-6)
    assert 0 < y1 < y2 < 1
    assert (x2 - x1) * width == pytest.approx(200, abs=2)
    assert plate.board[1].tolist() == [x2, y1]
    bare = paint(EU, furnished(EU.layouts[0], holder=0.0), 1, 200)
    assert np.array_equal(bare.board, UNIT_SQUARE)
    assert bare.image.shape[1] == 200


@pytest.mark.parametrize("width_px", [24, 60, 400])
def test_width_and_proportions(width_px: int) -> None:
    for layout in EU.layouts:
        low, high = layout.aspects
        aspects = []
        for seed in range(6):
            plate = paint(EU, furnished(layout, seals=0.5), seed, width_px)
            height, width = plate.image.shape[:2]
            assert width == width_px
            aspects.append(width / height)
        tolerance = 1 + 2 * high / width_px
        assert low / tolerance <= min(aspects) < max(aspects) <= high * tolerance


def test_a_seed_gives_one_plate() -> None:
    first, again, other = (paint(EU, EU.layouts[1], seed) for seed in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert first.labels == again.labels
    assert first.labels != other.labels


def test_texts_fit_their_slots() -> None:
    """Of any standard with furniture, also where groups differ in alphabet and slots are few."""
    rng = np.random.default_rng(0)
    for standard in (EU, BR, kr_standard(), PlateStandard.from_config(TINY)):
        for layout in standard.layouts:
            for _ in range(60):
                text = random_text(standard, layout, rng)
                assert layout.fits([c or None for c in text])


def test_texts_follow_grammars_and_are_as_long_as_usual() -> None:
    rng = np.random.default_rng(1)
    lengths = Counter(
        len("".join(random_text(FREE, layout, rng))) for layout in EU.layouts for _ in range(300)
    )
    assert sum(lengths[n] for n in (5, 6, 7, 8)) > 0.97 * lengths.total()
    assert lengths[7] > lengths[6] > lengths[5]
    ours = replace(EU, grammars=(Grammar("XX", ("LLDDD*", "DDDD"), "XYZ", "789"),))
    texts = ["".join(random_text(ours, EU.layouts[0], rng)) for _ in range(400)]
    following = [
        t for t in texts if len(t) == 6 and set(t[:2]) <= set("XYZ") and set(t[2:5]) <= set("789")
    ]
    # `DDDD` is too short for the layout: chosen half of the time, it leaves the text to chance.
    assert 0.4 < len(following) / 400 < 0.62


def test_look_alikes_come_more_often_than_by_chance() -> None:
    rng = np.random.default_rng(2)
    text = "".join("".join(random_text(FREE, EU.layouts[0], rng)) for _ in range(400))
    seen = Counter(text)
    assert seen["O"] > 1.5 * seen["P"] > 0
    assert seen["8"] > 1.2 * seen["3"] > 0
    assert set(seen) == set(EU.alphabet)


def test_gaps_stand_mostly_where_letters_change_to_digits() -> None:
    rng = np.random.default_rng(3)
    seen = Counter(i for _ in range(300) for i in gaps_after("AB1234", rng))
    assert seen[1] > 5 * max(seen[0], seen[2], seen[3], seen[4])
    assert all(len(gaps_after("A1B2C3D4", rng)) <= 3 for _ in range(50))
    assert gaps_after("A", rng) == []


def test_a_row_stays_in_its_room() -> None:
    rng = np.random.default_rng(4)
    room = (10.0, 5.0, 210.0, 45.0)
    for _ in range(200):
        count = int(rng.integers(1, 9))
        widths = rng.uniform(0.15, 0.9, count).tolist()
        gaps = [float(g) for g in rng.choice([0.0, 0.5], count - 1)]
        line = set_row(widths, gaps, room, rng)
        assert len(line.boxes) == count
        assert len(line.gaps) == sum(gap > 0 for gap in gaps)
        x = room[0] - 0.001
        for x1, y1, x2, y2 in line.boxes:
            assert x1 >= x
            assert room[1] - 0.001 <= y1 < y2 <= room[3] + 0.001
            x = x2
        assert x <= room[2] + 0.001


def test_words_are_cut_to_their_ink() -> None:
    ink = word("DejaVuSans.ttf", "TEXAS")
    assert ink[0].max() > 0
    assert ink[-1].max() > 0
    assert ink.shape[1] > 2 * ink.shape[0]
    with pytest.raises(ConfigError, match="no font file"):
        word("nosuch.ttf", "TEXAS")
