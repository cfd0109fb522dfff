"""The photographs that plates are drawn on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_tools.draw.brushes import Image
from dataset_tools.draw.scenes import photos as photos_module
from dataset_tools.draw.scenes.photos import find_photos, load_photo, split_photos
from sub_module.datasets.coco import load_image
from sub_module.errors import DataError
from tests.dataset_tools.drawn import SHARES, digests, draw
from tests.sub_module.small import DATASET


def many_photos(directory: Path) -> Path:
    """40 photographs, of 40 shades of grey."""
    directory.mkdir()
    for number in range(40):
        photo = np.full((48, 64, 3), 20 + 5 * number, np.uint8)
        cv2.imwrite(str(directory / f"{number}.png"), photo)
    return directory


def test_no_photograph_is_behind_two_splits() -> None:
    parts = split_photos(find_photos(None), SHARES)
    dealt = [photo for photos in parts.values() for photo in photos]
    assert len(dealt) == len(set(dealt)) == len(find_photos(None))
    assert all(parts[name] for name in SHARES)


def test_a_users_own_photographs(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for suffix, grey in (("png", 60), ("tif", 120), ("jpeg", 180)):
        cv2.imwrite(str(photos / f"a.{suffix}"), np.full((300, 400, 3), grey, np.uint8))
    draw(tmp_path / "set", 6, photos=photos)
    assert len(list((tmp_path / "set").rglob("*.jpg"))) == 6


def test_a_truncated_photograph_is_named(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (300, 400, 3)).astype(np.uint8)
        path = photos / f"{number}.png"
        cv2.imwrite(str(path), noise)
        path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"[012]\.png"):
        draw(tmp_path / "set", 3, photos=photos)
    assert not (tmp_path / "set").exists()


def test_each_split_lies_over_its_own_photographs(tmp_path: Path) -> None:
    """The photographs of a split are strongest in a channel of its own, and so is every pixel
    drawn, whatever its light."""
    photos = tmp_path / "photos"
    photos.mkdir()
    parts = split_photos([photos / f"{number}.png" for number in range(9)], SHARES)
    for channel, name in enumerate(SHARES):
        for path in parts[name]:
            colour = np.where(np.arange(3) == channel, 200, 50)
            cv2.imwrite(str(path), np.full((60, 80, 3), colour, np.uint8))
    bare = {"num_plates": [1, 0, 0], "max_distractors": 0, "shadow": 0, "blur": 0, "noise": 0}
    draw(tmp_path / "set", 30, photos=photos, settings={**DATASET["draw"], **bare})
    for channel, name in enumerate(SHARES):
        drawn = list((tmp_path / "set" / name).glob("*.jpg"))
        assert len(drawn) == 30 * SHARES[name]
        for path in drawn:
            assert (cv2.imread(str(path)).argmax(2) == channel).all(), path


@pytest.mark.parametrize(
    ("photo_size", "image_size", "loaded_size"),
    [
        ((2048, 1536), (320, 240), (640, 480)),
        ((1536, 2048), (320, 240), (640, 853)),
        ((2500, 1000), (320, 240), (1200, 480)),
        ((2048, 1536), (1100, 240), (2048, 1536)),
        ((1400, 1400), (320, 240), (1400, 1400)),
        ((100, 200), (320, 240), (320, 640)),
    ],
    ids=["large", "upright", "wide", "just large enough", "no memory to save", "too small"],
)
def test_a_photograph_is_kept_as_large_as_images_need(
    photo_size: tuple[int, int],
    image_size: tuple[int, int],
    loaded_size: tuple[int, int],
    tmp_path: Path,
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((*photo_size[::-1], 3), np.uint8))
    assert load_photo(tmp_path / "a.png", image_size).shape == (*loaded_size[::-1], 3)


@pytest.mark.parametrize("path", find_photos(None), ids=lambda path: path.stem)
def test_a_default_photograph_is_not_shrunk(path: Path) -> None:
    assert np.array_equal(load_photo(path, (64, 64)), load_image(path))


def test_many_photographs_give_the_same_bytes_whatever_the_processes(tmp_path: Path) -> None:
    photos = many_photos(tmp_path / "photos")
    small = {**DATASET["draw"], "image_sizes": [[160, 120]]}
    draw(tmp_path / "one", 70, photos=photos, settings=small)
    draw(tmp_path / "two", 70, photos=photos, settings=small, num_processes=2)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_few_of_many_photographs_are_decoded_for_a_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = []

    def load(path: Path) -> Image:
        loaded.append(path)
        return load_image(path)

    monkeypatch.setattr(photos_module, "load_image", load)
    # Two tasks.
    draw(tmp_path / "set", 64, photos=many_photos(tmp_path / "photos"), shares={"train": 1.0})
    assert len(loaded) <= 32
    assert len(set(loaded)) > 16
