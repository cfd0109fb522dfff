"""Recorded sets and images, as training and evaluation read them."""

from __future__ import annotations

import json
import zlib

import numpy as np
import pytest
from PIL import Image

from dataset_tools.record import coco_of
from sub_module.datasets.coco import check_image, load_image, load_plate_images
from sub_module.errors import DataError
from tests.factories import affine, draw_plate, random_characters, write_pair, write_set
from tests.standards import kr_standard, tiny_standard


def _recorded(directory, standard):
    (directory / "all.json").write_text(json.dumps(coco_of(directory, standard)))
    return directory / "all.json"


def test_recorded_plates_come_back(tmp_path):
    standard = tiny_standard()
    rng = np.random.default_rng(3)
    layout = standard.layout("flat")
    plates = [
        draw_plate(standard, layout, random_characters(layout, rng), affine(120, 4, (x, 100), 15))
        for x in (80, 230)
    ]
    write_pair(tmp_path, "two", plates)
    write_pair(tmp_path, "none", [])
    none, two = load_plate_images(_recorded(tmp_path, standard), standard)
    assert (none.readings, none.characters) == ((), ())
    assert (two.path, two.width, two.height) == (tmp_path / "two.jpg", 320, 240)
    assert [reading.text for reading in two.readings] == [plate.text for plate in plates]
    for plate, reading, characters in zip(plates, two.readings, two.characters, strict=True):
        np.testing.assert_allclose(reading.corners, plate.corners, atol=0.01)
        assert "".join(character for character, _ in characters) == plate.text
        by_label = {tuple(np.round(s.polygon[0])) for s in plate.shapes}
        for _, polygon in characters:
            assert polygon.dtype == np.float32
            assert tuple(np.round(polygon[0].astype(float))) in by_label


def _edited(coco, **changes):
    return json.dumps(json.loads(coco) | changes)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda coco: "{", "no COCO file of the record step"),
        (lambda coco: "[]", "no COCO file"),
        (lambda coco: _edited(coco, info={}), "no 'standard'"),
        (lambda coco: _edited(coco, info={"standard": {"name": "x"}}), "key 'layouts' is missing"),
        (
            lambda coco: _edited(coco, info={"standard": kr_standard().to_config()}),
            "standard kr .*not tiny",
        ),
        (lambda coco: _edited(coco, annotations=[{"image_id": 1}]), "no COCO file"),
        (lambda coco: coco.replace('"corners"', '"c"'), "no 'corners'"),
    ],
)
def test_foreign_or_broken_coco_file(tmp_path, spoil, message):
    write_set(tmp_path, tiny_standard(), 1)
    path = _recorded(tmp_path, tiny_standard())
    path.write_text(spoil(path.read_text()))
    with pytest.raises(DataError, match=message) as caught:
        load_plate_images(path, tiny_standard())
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_coco_file(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        load_plate_images(tmp_path / "none.json", tiny_standard())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_every_kind_of_image_is_rgb(tmp_path, mode):
    Image.new("RGB", (8, 4), (200, 100, 50)).convert(mode).save(tmp_path / "a.png")
    image = load_image(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((4, 8, 3), np.uint8)
    assert np.ptp(image.reshape(-1, 3), axis=0).max() == 0


def test_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (80, 40)).save(tmp_path / "a.jpg", exif=exif)
    assert load_image(tmp_path / "a.jpg").shape == (80, 40, 3)
    assert check_image(tmp_path / "a.jpg") == (40, 80)


@pytest.mark.parametrize("kind", ["JPEG", "MPO", "PNG", "BMP", "WEBP", "TIFF"])
def test_kinds_that_cameras_and_people_use(tmp_path, kind):
    # MPO is what many a telephone writes into a .jpg.
    more = {"save_all": True, "append_images": [Image.new("RGB", (8, 4))]} if kind == "MPO" else {}
    Image.new("RGB", (8, 4), (200, 100, 50)).save(tmp_path / "a.jpg", kind, **more)
    assert check_image(tmp_path / "a.jpg") == (8, 4)
    np.testing.assert_allclose(load_image(tmp_path / "a.jpg")[2, 4], (200, 100, 50), atol=4)


def _bomb(path):
    # A PNG header that declares 60000 x 60000 pixels.
    Image.new("L", (1, 1)).save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("read", [load_image, check_image])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b""), r"no image \(JPEG, .*\), or an empty one"),
        (lambda path: path.write_text("<html>"), "no image"),
        # Whatever its name says, it is not handed on to Ghostscript.
        (lambda path: Image.new("RGB", (8, 8)).save(path, "EPS"), "it is no image"),
        (lambda path: Image.new("RGB", (8, 8)).save(path, "GIF"), "it is no image"),
        (
            lambda path: (
                Image.effect_noise((64, 64), 50).save(path, "JPEG"),
                path.write_bytes(path.read_bytes()[:1500]),
            ),
            "truncated",
        ),
        (_bomb, "too large"),
    ],
)
def test_unreadable_image_is_named(tmp_path, read, make, message):
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
