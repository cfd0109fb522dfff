"""Scenes: what stands beside plates in an image, and light and camera."""

from __future__ import annotations

import runpy
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dataset_tools.draw.chance import own_generator
from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.scenes import effects, negatives
from dataset_tools.draw.scenes.boards import paint_board
from dataset_tools.draw.scenes.pose import paste, posed
from dataset_tools.draw.scenes.scene import draw_scene
from dataset_tools.labelme import NO_PLATE, Annotation
from sub_module.plates.geometry import region_corners, side_lengths
from tests.standards import kr_standard
from tests.sub_module.small import CONFIGS, DATASET

Image = NDArray[np.uint8]
KR = kr_standard()
EVERYTHING = {
    "cars": 1.0,
    "hard_negatives": 6,
    "effects": dict.fromkeys(effects.EFFECTS, 0.4),
}


def _photo(seed: int = 0) -> Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    return np.repeat(np.repeat(blocks, 16, axis=0), 16, axis=1)


def _scene(seed: int, **changes: Any) -> tuple[Image, Annotation]:
    settings = {**DATASET["draw"], **changes}
    return draw_scene(_photo(), _photo(1), "x.jpg", KR, settings, np.random.default_rng([9, seed]))


def _effect(image: Image, names: tuple[str, ...], plates: list[Any]) -> Image:
    return effects.apply_effects(
        image.copy(),
        effects.Subject(plates, 24.0),
        dict.fromkeys(names, 1.0),
        lambda name: np.random.default_rng([len(name), ord(name[0])]),
    )


def _plate_picture() -> tuple[Image, NDArray[np.float64]]:
    """Dark bars on a bright rectangle, and its corners."""
    image = _photo().copy()
    image[200:260, 150:400] = 225
    for x in range(165, 390, 20):
        image[215:245, x : x + 8] = 25
    return image, region_corners((150, 200, 400, 260)).astype(np.float64)


def test_the_first_standards_drawings_stay_as_they_were() -> None:
    """Labels of seeds drawn before there were cars, negatives and named effects."""
    texts = []
    for seed in range(4):
        labels = [shape.label for shape in _scene(seed)[1].shapes]
        texts.append("".join(label for label in labels if len(label) == 1))
    assert texts == ["72c7615", "07e7997", "70b0908", "99c7705"]


def test_what_stands_beside_plates_changes_no_label() -> None:
    for seed in range(2):
        plain, annotation = _scene(seed)
        full, same = _scene(seed, **EVERYTHING)
        assert same.shapes == annotation.shapes
        assert full.shape == plain.shape
        assert not np.array_equal(full, plain)
        again, _ = _scene(seed, **EVERYTHING)
        assert np.array_equal(full, again)


def test_own_generators_take_nothing_from_the_images() -> None:
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    first = own_generator(rng, "rain").random()
    assert rng.random() == other.random()
    assert own_generator(rng, "rain").random() == first
    assert own_generator(rng, "haze").random() != first
    assert own_generator(np.random.default_rng(4), "rain").random() != first


def test_one_effect_fewer_changes_no_other() -> None:
    image, corners = _plate_picture()
    both = _effect(image, ("haze", "noise"), [corners])
    one_by_one = _effect(_effect(image, ("haze",), [corners]), ("noise",), [corners])
    assert np.array_equal(both, one_by_one)
    assert np.array_equal(_effect(image, (), [corners]), image)


@pytest.mark.parametrize("name", effects.EFFECTS)
def test_each_effect_does_something_and_leaves_plates_readable(name: str) -> None:
    image, corners = _plate_picture()
    effect = effects.EFFECTS[name]
    changed = 0
    for seed in range(12):
        subject = effects.Subject([corners], 30.0)
        result = effect(image.copy(), subject, np.random.default_rng(seed))
        assert result.shape == image.shape
        assert result.dtype == np.uint8
        changed += not np.array_equal(result, image)
        # Of bars and of what is between them.
        bars = [result[220:240, x + 2 : x + 6].mean() for x in range(165, 380, 20)]
        gaps = [result[220:240, x + 12 : x + 16].mean() for x in range(165, 380, 20)]
        assert np.median(gaps) - np.median(bars) > 30
        small, empty = np.full((64, 64, 3), 90, np.uint8), effects.Subject([], 20.0)
        assert effect(small, empty, np.random.default_rng(seed)).shape == small.shape
    assert changed >= 4


def test_dim_plates_are_not_darkened_further() -> None:
    image, corners = _plate_picture()
    dim = (100 + (image.astype(np.float64) - 128) * 0.25).astype(np.uint8)
    for name in ("low_light", "haze", "tone"):
        for seed in range(6):
            subject = effects.Subject([corners], 30.0)
            result = effects.EFFECTS[name](dim.copy(), subject, np.random.default_rng(seed))
            assert result[220:240, 177].mean() - result[220:240, 169].mean() > 20


def test_clean_images_are_touched_by_no_effect() -> None:
    small = {"image_sizes": [[160, 120]]}
    off = dict(small, shadow=0.0, blur=0.0, noise=0.0)
    on = dict(small, shadow=1.0, blur=1.0, noise=1.0, effects=EVERYTHING["effects"])
    untouched = [_scene(seed, **off)[0] for seed in range(6)]
    for clean, least, most in ((1.0, 6, 6), (0.5, 1, 5), (0.0, 0, 0)):
        drawn = [_scene(seed, **on, clean=clean)[0] for seed in range(6)]
        assert least <= sum(map(np.array_equal, drawn, untouched)) <= most


@pytest.mark.parametrize("kind", [kind for kind, _ in negatives._KINDS], ids=lambda k: k.__name__)
def test_hard_negatives_are_drawn_and_spare_plates(kind: Any) -> None:
    settings = {**DATASET["draw"], "min_width_px": 40}
    corners = region_corners((250, 180, 420, 230)).astype(np.float64)
    changed = 0
    for seed in range(8):
        image, rng = _photo().copy(), np.random.default_rng(seed)
        # Cars without a plate are drawn only where there is no labelled one.
        taken = [] if kind is negatives._car_without_plate else [corners]
        outlines = kind(negatives._Scene(image, taken, KR, settings), rng)
        has_changed = not np.array_equal(image, _photo())
        changed += has_changed
        # The bars of a screen look like no plate.
        assert bool(outlines) == (has_changed and kind is not negatives._bars)
        if taken:
            assert np.array_equal(image[180:230, 250:420], _photo()[180:230, 250:420])
    assert changed >= 4


def test_hard_negatives_are_labelled_within_the_image() -> None:
    labelled = [shape for seed in range(8) for shape in _scene(seed, hard_negatives=6)[1].no_plates]
    assert len(labelled) > 8
    for shape in labelled:
        assert shape.label == NO_PLATE
        assert (shape.polygon >= 0).all()
        assert (shape.polygon <= (640, 480)).all()
    assert not any(_scene(seed)[1].no_plates for seed in range(4))


def test_layouts_are_drawn_by_weight_and_no_plate_is_too_narrow() -> None:
    only = {"layouts": {"one_line": 1.0}, "plate_width": [0.05, 0.06], "min_width_px": 90}
    seen = [shape for seed in range(8) for shape in _scene(seed, **only)[1].shapes]
    boards = [shape for shape in seen if shape.label in ("l_board", "r_board")]
    assert len(boards) > 4
    assert {shape.label for shape in boards} == {"l_board"}
    for board in boards:
        assert side_lengths(np.array(board.points))[0] == pytest.approx(90, abs=0.6)


def test_mild_poses_turn_half_as_far() -> None:
    turns = {"max_yaw": 0.0, "max_pitch": 0.0, "max_roll": 40.0, "distance": [50.0, 60.0]}
    for mild, largest in ((1.0, 20.0), (0.0, 40.0)):
        settings = {**DATASET["draw"], **turns, "mild": mild}
        edges = [
            np.diff(posed((20, 100), settings, np.random.default_rng(seed))[:2], axis=0)[0]
            for seed in range(60)
        ]
        rolls = [abs(np.degrees(np.arctan2(y, x))) for x, y in edges]
        assert 0.85 * largest < max(rolls) <= largest + 0.1


def test_a_plate_in_a_holder_comes_to_stand_by_its_own_corners() -> None:
    flat = np.zeros((60, 200, 3), np.uint8)
    flat[10:40, 20:180] = (0, 255, 0)
    board = region_corners((0.1, 1 / 6, 0.9, 2 / 3))
    assert FlatPlate(flat, (), (), 1.0, board).board_shape == pytest.approx((30, 160))
    image = np.full((200, 400, 3), 128, np.uint8)
    paste(image, flat, np.array([(100.0, 50), (260, 50), (260, 80), (100, 80)]), 1.0, board)
    assert (image[52:78, 102:258] == (0, 255, 0)).all()
    assert (image[42:48, 102:258] == 0).all()
    assert (image[:38] == 128).all()
    # Beyond the border, what is left of it; nothing of it where all is beyond.
    before = image.copy()
    paste(image, flat, np.array([(900.0, 50), (990, 50), (990, 80), (900, 80)]), 1.0, board)
    assert np.array_equal(image, before)
    paste(image, flat, np.array([(-80.0, 150), (80, 150), (80, 180), (-80, 180)]), 1.0, board)
    assert (image[152:178, 0:78] == (0, 255, 0)).all()


def test_boards_are_in_plates_lettering() -> None:
    settings = {**DATASET["draw"], "strokes": 1.0}
    shades = [paint_board(KR, settings, np.random.default_rng(seed)).std() for seed in range(20)]
    # Some are empty, most are not.
    assert sum(shade > 15 for shade in shades) >= 10


def test_settings_of_the_european_set_can_be_drawn_with() -> None:
    from mmengine.config import Config

    from dataset_tools.draw.settings import check_settings
    from sub_module.plates import PlateStandard

    config = Config.fromfile(CONFIGS / "datasets" / "drawn_eu.py")
    settings = config["dataset"]["draw"].to_dict()
    plates = runpy.run_path(str(CONFIGS / "plates" / "eu.py"))["plates"]
    standard = PlateStandard.from_config(plates)
    check_settings(settings, standard)
    assert set(settings["effects"]) == set(effects.EFFECTS)
    sizes = set()
    photo = np.tile(_photo(), (2, 2, 1))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        image, annotation = draw_scene(photo, photo, "x.jpg", standard, settings, rng)
        assert image.shape[:2] == (annotation.height, annotation.width)
        sizes.add((annotation.width, annotation.height))
        for shape in annotation.shapes:
            if shape.label in standard.board_labels:
                points = np.array(shape.points)
                assert (points >= 0).all()
                assert (points <= (annotation.width, annotation.height)).all()
    assert len(sizes) > 1
