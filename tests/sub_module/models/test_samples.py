"""What platenet's networks learn from."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_tools.labelme import NO_PLATE, Annotation, Shape, annotation_json
from dataset_tools.record import coco_of
from sub_module.errors import ConfigError
from sub_module.models.platenet.empty_regions import EmptyRegions
from sub_module.models.platenet.losses import IGNORED
from sub_module.models.platenet.samples import (
    InputSizes,
    PlateTrainingSet,
    collate_samples,
    jitter,
    letterbox,
)
from sub_module.models.platenet.targets import column_labels, detector_targets
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import region_corners
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import SAMPLES, SIZES, drawn_set


def test_a_plate_is_a_peak_in_the_cell_of_its_centre() -> None:
    quad = region_corners((40, 24, 104, 56))  # centre (72, 40): column 9, row 5 at stride 8
    heat, corners, weights = detector_targets([quad], (160, 96))
    assert np.argwhere(heat[0] == 1).tolist() == [[5, 9]]
    # From the cell's centre (76, 44), in strides: the top left corner (40, 24).
    assert corners[:2, 5, 9].tolist() == [-4.5, -2.5]
    # The plate is 32 pixels high: four strides.
    assert weights[0, 5, 9] == pytest.approx(1 / 4)
    assert weights[0, 0, 0] == 0


def test_a_plate_whose_centre_left_the_view_is_no_target() -> None:
    heat, _, weights = detector_targets([region_corners((-90, 0, -10, 20))], (160, 96))
    assert heat.max() == 0
    assert weights.max() == 0


def outline(left: float, right: float) -> np.ndarray:
    return region_corners((left, 0.2, right, 0.8))


LABELS = [
    ([], "00000000", "an empty strip"),
    # Ink from 2.0 to 6.0 of 8 columns: the middle seven tenths are 2.6 to 5.4.
    ([(3, outline(2 / 8, 6 / 8))], "00044000", "the middle of the ink"),
    # Ink of a third of a column still claims a column and its neighbours within 0.75.
    ([(0, outline(4.4 / 8, 4.7 / 8))], "00001000", "a thin character"),
    ([(0, outline(0, 3 / 8)), (1, outline(3 / 8, 6 / 8))], "11122200", "neighbours that touch"),
    ([(0, outline(0, 4 / 8)), (1, outline(4 / 8, 1))], "01100220", "wide neighbours stay apart"),
]


@pytest.mark.parametrize(("characters", "wanted", "reason"), LABELS, ids=[c[2] for c in LABELS])
def test_columns_are_labelled_by_hand_worked_cases(
    characters: list[tuple[int, np.ndarray]], wanted: str, reason: str
) -> None:
    found = "".join(str(label) for label in column_labels(characters, 8))
    assert found == wanted


def test_no_jitter_is_no_change() -> None:
    corners = region_corners((10, 10, 60, 30))
    assert jitter(corners, 0.0, np.random.default_rng(0)) == pytest.approx(corners, abs=1e-4)


def test_jitter_may_be_larger_in_one_direction() -> None:
    corners = region_corners((10, 10, 60, 30))
    moved = jitter(corners, np.array([0.0, 0.2]), np.random.default_rng(0))
    assert moved[:, 0] == pytest.approx(corners[:, 0], abs=1e-3)
    assert np.abs(moved[:, 1] - corners[:, 1]).max() > 1


def test_the_largest_jitter_of_the_recipes_keeps_quadrangles_convex() -> None:
    corners, rng = region_corners((0, 0, 100, 22)), np.random.default_rng(0)
    for _ in range(5000):
        moved = jitter(corners, np.array([0.18, 0.3]), rng)
        assert cv2.isContourConvex(moved)
        assert cv2.contourArea(moved, oriented=True) > 0


def test_a_crop_shows_as_much_of_the_surroundings_as_it_is_told() -> None:
    regions = [
        InputSizes.from_config({**SIZES, "crop_margin": margin}).crop_region
        for margin in (0.25, [0.25, 0.5])
    ]
    assert regions == [(-0.25, -0.25, 1.25, 1.25), (-0.25, -0.5, 1.25, 1.5)]
    for wrong in (-0.1, [0.1], [0.1, 9], "wide"):
        with pytest.raises(ConfigError, match=r"model\.sizes"):
            InputSizes.from_config({**SIZES, "crop_margin": wrong})


def test_letterbox_keeps_proportions() -> None:
    boxed = letterbox(np.full((100, 400, 3), 255, np.uint8), (64, 48))
    assert boxed.shape == (48, 64, 3)
    assert (boxed[:16] == 255).all()
    assert (boxed[16:] == 128).all()


@pytest.mark.parametrize("standard", [kr_standard(), tiny_standard()], ids=lambda s: s.name)
def test_samples_of_a_drawn_set(standard: PlateStandard, tmp_path: Path) -> None:
    training_set = drawn_set(tmp_path, standard, 24)
    sizes = InputSizes.from_config(SIZES)
    np.random.seed(0)
    samples = PlateTrainingSet(training_set / "train.json", standard, sizes, SAMPLES)
    batch = collate_samples([samples[i] for i in range(len(samples))])
    width, height = sizes.detector
    assert batch["images"].shape == (len(samples), 3, height, width)
    assert batch["offsets"].shape == (len(batch["crops"]), 4, 2)
    with_plate = batch["is_plate"] == 1
    assert 0 < with_plate.sum() < len(with_plate)
    assert (batch["layouts"][~with_plate] == IGNORED).all()
    # Every character of the alphabet, and blank, is somewhere in the labels.
    assert set(batch["labels"].unique().tolist()) <= set(range(1 + len(standard.alphabet)))
    assert (batch["labels"] == 0).any()
    assert (batch["labels"] > 0).float().mean() > 0.15


def test_no_corner_is_to_move_further_than_a_crop_shows(tmp_path: Path) -> None:
    standard = tiny_standard()
    coco_file = drawn_set(tmp_path, standard, 8) / "train.json"
    settings = {**SAMPLES, "crop_jitter": [0.18, 0.3], "crops_per_plate": 100}
    np.random.seed(0)
    samples = PlateTrainingSet(coco_file, standard, InputSizes.from_config(SIZES), settings)
    offsets = np.concatenate([np.abs(samples[i]["offsets"]) for i in range(len(samples))])
    # One in 70 would move further, some by nine plates.
    assert 0.8 < offsets.max() <= 1


def test_places_without_a_plate_are_busy_ones() -> None:
    # A plate on the left, stripes on the right, nothing between.
    image = np.full((240, 640, 3), 120, np.uint8)
    image[:, 400::8] = 20
    plate = region_corners((20, 80, 180, 140))
    lefts: dict[int, list[float]] = {}
    for tries in (1, 8):
        rng = np.random.default_rng(0)
        regions = EmptyRegions(image, [plate], [4.0, 2.0], tries)
        found = [region for region in (regions.draw(rng) for _ in range(60)) if region is not None]
        lefts[tries] = [float(region[0, 0]) for region in found]
        assert all((r[0] > plate[2]).any() or (r[2] < plate[0]).any() for r in found)
    assert np.mean(np.array(lefts[8]) > 300) > 0.9
    assert np.mean(np.array(lefts[1]) > 300) < 0.7


def test_what_is_labelled_as_no_plate_is_learnt_as_none(tmp_path: Path) -> None:
    """Through the record step: a triangle, and a board that hangs upside down."""
    standard = tiny_standard()
    triangle = ((20.0, 20.0), (80.0, 20.0), (50.0, 60.0))
    board = ((200.0, 180.0), (100.0, 180.0), (100.0, 140.0), (200.0, 140.0))
    shapes = tuple(Shape(NO_PLATE, points, None) for points in (triangle, board))
    Image.new("RGB", (320, 240)).save(tmp_path / "a.jpg")
    annotation = Annotation("a.jpg", 320, 240, (), no_plates=shapes)
    (tmp_path / "a.json").write_text(annotation_json(annotation))
    coco_file = tmp_path / "set.json"
    coco_file.write_text(json.dumps(coco_of(tmp_path, standard)))
    sizes = InputSizes.from_config(SIZES)
    settings = {**SAMPLES, "empty_crops_per_image": 0, "crop_jitter": 0.0}
    sample = PlateTrainingSet(coco_file, standard, sizes, settings)[0]
    assert sample["is_plate"].tolist() == [0, 0]
    assert (sample["layouts"] == IGNORED).all()
    assert len(sample["strips"]) >= 2
    assert (sample["labels"] == 0).all()
    none = PlateTrainingSet(coco_file, standard, sizes, {**settings, "no_plates_per_image": 0})[0]
    assert len(none["crops"]) == len(none["strips"]) == 0


def test_plates_that_are_turned_or_mirrored_are_no_text_and_no_plate(tmp_path: Path) -> None:
    standard = tiny_standard()
    training_set = drawn_set(tmp_path, standard, 24)
    sizes = InputSizes.from_config(SIZES)
    counts = {}
    for share in (0.0, 1.0):
        np.random.seed(0)
        settings = {
            **SAMPLES,
            "turned_strips": share,
            "turned_crops": share,
            "empty_crops_per_image": 0,
            "strip_gamma": [0.5, 2.0],
            "strip_margin": [0.0, 0.1],
        }
        samples = PlateTrainingSet(training_set / "train.json", standard, sizes, settings)
        joined = [samples[i] for i in range(len(samples))]
        labels = np.concatenate([sample["labels"] for sample in joined])
        is_plate = np.concatenate([sample["is_plate"] for sample in joined])
        blank = int((labels == 0).all(1).sum())
        counts[share] = blank, int((is_plate == 0).sum()), int((is_plate == 1).sum())
    assert counts[0.0][:2] == (0, 0)
    # Each plate wide enough to tell has one more look; a plate has one row or two.
    blank, turned, plates = counts[1.0]
    assert plates // 2 < turned <= plates == counts[0.0][2]
    assert turned <= blank <= 2 * turned


def test_a_batch_without_plates_still_has_one_ignored_sample_of_each_kind() -> None:
    empty = {
        "images": np.zeros((3, 32, 32), np.uint8),
        "heat": np.zeros((1, 4, 4), np.float32),
        "corners": np.zeros((8, 4, 4), np.float32),
        "corner_weights": np.zeros((1, 4, 4), np.float32),
        "crops": np.zeros((0, 3, 16, 16), np.uint8),
        "offsets": np.zeros((0, 4, 2), np.float32),
        "layouts": np.zeros((0,), np.int64),
        "is_plate": np.zeros((0,), np.float32),
        "strips": np.zeros((0, 1, 16, 32), np.uint8),
        "labels": np.zeros((0, 8), np.int64),
    }
    batch = collate_samples([empty, empty])
    assert batch["crops"].shape[0] == batch["offsets"].shape[0] == batch["strips"].shape[0] == 1
    assert batch["layouts"].tolist() == [IGNORED]
    assert (batch["labels"] == IGNORED).all()
