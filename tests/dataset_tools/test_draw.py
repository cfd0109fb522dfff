"""Drawing of annotation sets."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dataset_tools.draw import dataset as drawing
from dataset_tools.draw.scenes.effects import EFFECTS
from dataset_tools.draw.settings import check_settings
from dataset_tools.labelme import read_annotation
from sub_module.errors import ConfigError, DataError
from sub_module.plates import PlateStandard
from sub_module.plates.assemble import assemble_plates
from tests.dataset_tools.drawn import digests, draw
from tests.standards import kr_standard, tiny_standard
from tests.sub_module.small import DATASET

ALL = dict.fromkeys(EFFECTS, 1.0)
SMALL = {**DATASET["draw"], "image_sizes": [[160, 120]]}


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    """More than one task's images; `test_photos` draws with two processes."""
    for name, number, seed in (("one", 60, 5), ("two", 60, 5), ("other", 5, 6)):
        draw(tmp_path / name, number, seed=seed, settings=SMALL)
    one, other = digests(tmp_path / "one"), digests(tmp_path / "other")
    assert one == digests(tmp_path / "two")
    assert one["train/000000.jpg"] != other["train/000000.jpg"]
    assert len(one) == 120
    assert sum(name.startswith("train/") for name in one) == 72


@pytest.mark.parametrize("standard", [kr_standard(), tiny_standard()], ids=lambda s: s.name)
def test_labels_say_what_is_drawn(standard: PlateStandard, tmp_path: Path) -> None:
    """Every label file is valid, its plates read as texts of their layouts, and it lies where
    the ink is."""
    sizes = [[320, 240], [240, 320]]
    draw(tmp_path / "set", 30, standard=standard, settings=dict(SMALL, image_sizes=sizes))
    numbers, layouts, seen = set(), set(), set()
    for label_file in sorted((tmp_path / "set").rglob("*.json")):
        annotation = read_annotation(label_file, standard)
        image = cv2.imread(str(label_file.with_name(annotation.image_name)))
        assert image.shape[:2] == (annotation.height, annotation.width)
        plates = assemble_plates(
            [shape.label for shape in annotation.shapes],
            [np.array(shape.points) for shape in annotation.shapes],
            [shape.group_id for shape in annotation.shapes],
            standard,
        )
        numbers.add(len(plates))
        seen.add((annotation.width, annotation.height))
        for plate in plates:
            layout = standard.layout(plate.reading.layout)
            layouts.add(layout.name)
            assert len(plate.reading.text) <= len(layout.slots)
            x1, y1, x2, y2 = plate.reading.box
            assert min(x1, y1) >= 0
            assert x2 <= annotation.width
            assert y2 <= annotation.height
            # The narrowest, an eighth of the image, turned.
            assert x2 - x1 >= 26
    assert numbers == {0, 1, 2}
    assert seen == {(320, 240), (240, 320)}
    assert layouts == {layout.name for layout in standard.layouts}


def test_characters_stand_inside_their_outlines(tmp_path: Path) -> None:
    """Inside a character's outline the picture differs from the plate round it."""
    clean = dict(DATASET["draw"], shadow=0, blur=0, noise=0, jpeg_quality=[95, 95])
    draw(tmp_path / "set", 8, settings=clean)
    standard = kr_standard()
    contrasts = []
    for label_file in sorted((tmp_path / "set").rglob("*.json")):
        annotation = read_annotation(label_file, standard)
        grey = cv2.imread(str(label_file.with_name(annotation.image_name)), cv2.IMREAD_GRAYSCALE)
        for shape in annotation.shapes:
            # 1 is all ink; other characters have holes and bays.
            if shape.label == "1":
                inside = np.zeros_like(grey)
                cv2.fillPoly(inside, [np.round(shape.points).astype(np.int32)], 1)
                around = cv2.dilate(inside, np.ones((9, 9), np.uint8)) - inside
                contrasts.append(
                    abs(float(grey[inside > 0].mean()) - float(grey[around > 0].mean()))
                )
    assert len(contrasts) > 3
    assert np.median(contrasts) > 25


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="taken: exists and is not empty"):
        draw(taken)
    with pytest.raises(DataError, match="no such directory of photographs"):
        draw(tmp_path / "set", photos=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no photograph in it"):
        draw(tmp_path / "set", photos=tmp_path / "empty")
    cv2.imwrite(str(tmp_path / "empty" / "one.png"), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="1 photographs for 3 splits"):
        draw(tmp_path / "set", photos=tmp_path / "empty")
    with pytest.raises(ConfigError, match="num_images: 0 is below 1"):
        draw(tmp_path / "set", 0)
    with pytest.raises(ConfigError, match="seed: -1 is below 0"):
        draw(tmp_path / "set", seed=-1)
    with pytest.raises(ConfigError, match="no font file"):
        draw(tmp_path / "set", settings=dict(DATASET["draw"], fonts=["nosuch.ttf"]))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "taken"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_images", "5"),
        ("num_images", 0),
        ("num_images", 5.5),
        ("seed", -1),
        ("seed", None),
        ("photos", 3),
        ("photos", ["photos"]),
        ("image_sizes", []),
        ("image_sizes", [[640, 48]]),
        ("image_sizes", [[640, 480, 3]]),
        ("image_sizes", [[640.5, 480]]),
        ("image_sizes", 640),
        ("num_plates", []),
        ("num_plates", [0.5, 0.4]),
        ("num_plates", [1.5, -0.5]),
        ("num_plates", ["most", "few"]),
        ("plate_width", [0.0, 0.4]),
        ("plate_width", [0.5, 0.4]),
        ("plate_width", [0.2, 1.1]),
        ("plate_width", [0.2]),
        ("min_width_px", 4),
        ("min_width_px", 24.5),
        ("max_yaw", 90.0),
        ("mild", 1.5),
        ("distance", [1.0, 6.0]),
        ("distance", [6.0, 2.0]),
        ("layouts", ["one_line"]),
        ("layouts", {}),
        ("layouts", {"one_line": 0.0}),
        ("layouts", {"one_line": -1.0}),
        ("strokes", 2.0),
        ("cars", -0.5),
        ("exposure", [0.0, 1.0]),
        ("exposure", 1.0),
        ("max_roll", float("nan")),
        ("fonts", []),
        ("fonts", "DejaVuSans.ttf"),
        ("fonts", [3]),
        ("shadow", 1.5),
        ("noise", -0.1),
        ("blur", True),
        ("jpeg_quality", [95, 45]),
        ("jpeg_quality", [0, 95]),
        ("jpeg_quality", [45, 101]),
        ("max_patches", -1),
        ("max_distractors", 2.5),
        ("hard_negatives", -1),
        ("clean", "some"),
        ("effects", ["rain"]),
        ("effects", {"rain": 1.5}),
    ],
)
def test_settings_that_cannot_be_drawn_with(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"^dataset\.draw\.{name} must be .*, not ") as caught:
        check_settings(dict(DATASET["draw"], **{name: value}), kr_standard())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"image_sizes": [[64, 64]], "plate_width": [0.001, 1.0], "jpeg_quality": [1, 1]},
        {"num_plates": [0, 0, 0, 1.0], "max_yaw": 80, "max_pitch": 80, "max_roll": 180},
        {"shadow": 1, "blur": 1, "noise": 1, "max_blur": 1, "max_noise": 255},
        {"image_sizes": [[64, 300], [500, 64]], "max_patches": 9, "max_distractors": 9},
        {"image_sizes": [[64, 64], [500, 64]], "cars": 1, "hard_negatives": 9, "effects": ALL},
    ],
    ids=["tiny", "turned", "spoilt", "narrow", "crowded"],
)
def test_the_ends_of_what_is_allowed_are_drawn(changes: dict[str, Any], tmp_path: Path) -> None:
    draw(tmp_path / "set", 12, settings={**SMALL, **changes})
    label_files = sorted((tmp_path / "set").rglob("*.json"))
    assert len(label_files) == 12
    for label_file in label_files:
        read_annotation(label_file, kr_standard())


def test_names_that_there_are_not_are_refused() -> None:
    settings = DATASET["draw"]
    with pytest.raises(ConfigError, match=r"draw\.layouts: kr has no layout 'captioned'"):
        check_settings(dict(settings, layouts={"captioned": 1.0}), kr_standard())
    with pytest.raises(ConfigError, match=r"draw\.effects: no effect 'snow'; there are dirt, "):
        check_settings(dict(settings, effects={"snow": 1.0}), kr_standard())
    layout = replace(kr_standard().layouts[0], furniture=(("tinsel", 1.0),))
    with pytest.raises(ConfigError, match=r"^plate standard kr: .*: no furniture 'tinsel'; there "):
        check_settings(settings, replace(kr_standard(), layouts=(layout,)))


def test_no_table_and_a_setting_that_there_is_not() -> None:
    with pytest.raises(ConfigError, match=r"^dataset\.draw\.hard_negatve is unknown$"):
        check_settings(dict(DATASET["draw"], hard_negatve=5), kr_standard())
    with pytest.raises(ConfigError, match=r"^dataset\.draw must be a table of keys, not 3$"):
        check_settings(3, kr_standard())


def test_settings_are_looked_at_before_their_numbers_are_used(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"draw\.num_images must be .*, not '5'"):
        draw(tmp_path / "set", "5", settings=dict(SMALL, num_images="5"))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_missing_setting_and_fonts_that_are_none(tmp_path: Path) -> None:
    settings = DATASET["draw"]
    with pytest.raises(ConfigError, match=r"dataset\.draw\.blur is missing"):
        check_settings({k: v for k, v in settings.items() if k != "blur"}, kr_standard())
    (tmp_path / "a.ttf").write_text("no font")
    fonts = ["DejaVuSans.ttf", str(tmp_path / "a.ttf")]
    with pytest.raises(ConfigError, match=r"draw\.fonts: '.*a\.ttf' is no font file: unknown"):
        check_settings(dict(settings, fonts=fonts), kr_standard())
    with pytest.raises(ConfigError, match=r"draw\.fonts: .* is no font file: .*too long"):
        check_settings(dict(settings, fonts=["a" * 300]), kr_standard())


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0

    def full(self: Path, content: bytes) -> int:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        with open(self, "wb") as file:
            return file.write(content)

    monkeypatch.setattr(drawing.Path, "write_bytes", full)
    with pytest.raises(DataError, match="No space left on device"):
        draw(tmp_path / "set")
    assert list(tmp_path.iterdir()) == []
