"""Images without a plate that could be read, or nearly so: what a reader must not fall for."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.cars import draw_car
from dataset_tools.draw.photos import crop_background, find_photos, load_photo, paste_patch
from dataset_tools.draw.plate import FlatPlate, paint_plate
from dataset_tools.draw.pose import board_px, paste, place, posed
from dataset_tools.draw.settings import check_settings
from dataset_tools.draw.street import draw_street
from dataset_tools.draw.trap_signs import burn_timestamp, draw_screen, draw_sign
from sub_module.errors import ConfigError, DataError
from sub_module.files import appearing
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent

Image = NDArray[np.uint8]
Polygon = NDArray[np.float64]
TRAPS_FILE = "traps.json"
# Photographs stay loaded while so many are in use.
_PHOTOS_KEPT = 32
# Texts of nothing else look like a text after a half turn, or in a mirror.
_SAME_TURNED = frozenset("0689HINOSXZ")
_SAME_MIRRORED = frozenset("018AHIMOTUVWXY")
_TRIES_TO_WRITE = 20
_NUM_TOGETHER = 10
# Shares of images with a street behind, and of plates with a car round them.
_STREETS, _ON_CARS = 0.3, 0.6
# Widths of a plate that is too small to read; it is painted larger and shrunk, as a camera does.
_SMALL_PX = (14, 30)
_PAINTED_PX = 240


@dataclass(frozen=True)
class Trap:
    """One image of a set of traps.

    Attributes:
        file: Its name in the set.
        kind: One of `KINDS`.
        texts: Of plates that stand there and may be read, if rightly; any other reading is false.
    """

    file: str
    kind: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class _Scene:
    """What an image is made of: a photograph, another one, and what plates are painted from."""

    photo: Image
    other: Image
    standard: PlateStandard
    settings: Mapping[str, Any]

    @property
    def largest_size(self) -> tuple[int, int]:
        """Of the sizes that images can have, the one with most pixels."""
        width, height = max(self.settings["image_sizes"], key=math.prod)
        return width, height

    def background(
        self, rng: np.random.Generator, image_size: tuple[int, int] | None = None
    ) -> Image:
        """A piece of the photograph with pieces of the other one in it, some along a street."""
        sizes = self.settings["image_sizes"]
        width, height = image_size or sizes[int(rng.integers(len(sizes)))]
        image = crop_background(self.photo, (width, height), rng)
        for _ in range(int(rng.integers(3))):
            paste_patch(image, self.other, rng)
        if rng.random() < _STREETS:
            draw_street(image, rng)
        return image

    def plate(
        self,
        width: float,
        image: Image,
        rng: np.random.Generator,
        besides: frozenset[str] = frozenset(),
    ) -> FlatPlate:
        """A painted plate, if at all possible with a text of more than the given characters.

        Args:
            width: A share of the image's.
            image: That it is for.
            rng: Where chance comes from.
            besides: Characters that do not count.
        """
        width_px = max(24, round(width * image.shape[1]))
        for _ in range(_TRIES_TO_WRITE):
            layout = self.standard.layouts[int(rng.integers(len(self.standard.layouts)))]
            plate = paint_plate(self.standard, layout, width_px, self.settings, rng)
            if set(self.text(plate)) - besides:
                break
        return plate

    def place(
        self,
        image: Image,
        plate: FlatPlate,
        taken: Sequence[Polygon],
        rng: np.random.Generator,
        scale: float = 1.0,
    ) -> Polygon | None:
        """Corners for a plate where nothing else stands; None: there is no such place."""
        height, width = board_px(plate.image, plate.board)
        shape = scale * height, scale * width
        return place(shape, (image.shape[1], image.shape[0]), self.settings, taken, rng)

    def text(self, plate: FlatPlate) -> str:
        """What a painted plate says."""
        return "".join(self.standard.character_of(label) or "" for label in plate.labels)


def draw_traps(
    out: Path,
    num_images: int,
    seed: int,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    photos: Path | None = None,
    progress: Progress = silent,
) -> list[Trap]:
    """Draw a set of traps: `out/<kind>_NNNN.jpg`, and `out/traps.json` with their kinds and texts.

    The kinds (`KINDS`) have equal shares. The same seed gives the same bytes. `out` appears only
    when everything in it is written.

    Args:
        out: Must not exist, or be an empty directory.
        num_images: Of all kinds together.
        seed: Of every choice made.
        standard: What the plates that nobody could read would be.
        settings: `dataset.draw` of a config.
        photos: A directory of background photographs; None: scikit-image's.
        progress: Told of images drawn.

    Raises:
        DataError: `out` is taken, cannot be written, or a photograph cannot be used.
        ConfigError: A setting cannot be used.
    """
    if num_images < 1:
        raise ConfigError(f"--num: {num_images} is below 1")
    if seed < 0:
        raise ConfigError(f"--seed: {seed} is below 0")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not empty; choose another place or delete it")
    check_settings(settings, standard)
    files = find_photos(photos)
    kinds, traps = list(KINDS), []
    try:
        with appearing(out) as partial:
            for index in range(num_images):
                rng = np.random.default_rng([seed, index])
                kind = kinds[index % len(kinds)]
                scene = _scene(files, standard, settings, rng)
                image, texts = KINDS[kind](scene, rng)
                name = f"{kind}_{index // len(kinds):04d}.jpg"
                (partial / name).write_bytes(_photographed(image, rng))
                traps.append(Trap(name, kind, tuple(texts)))
                progress(index + 1, num_images, "")
            listed = json.dumps([asdict(trap) for trap in traps], indent=1)
            (partial / TRAPS_FILE).write_text(listed)
    except OSError as error:
        raise DataError(f"{out}: cannot write the traps: {error.strerror or error}") from error
    return traps


def load_traps(directory: Path) -> list[Trap]:
    """The traps of a set, as its `traps.json` lists them.

    Raises:
        DataError: The file is missing, or is none that `draw_traps` wrote.
    """
    path = directory / TRAPS_FILE
    try:
        listed = json.loads(path.read_bytes())
        return [Trap(str(t["file"]), str(t["kind"]), tuple(t["texts"])) for t in listed]
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; draw a set with `dataset draw-traps`"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: no list of traps") from error


def false_readings(trap: Trap, texts: Sequence[str]) -> list[str]:
    """Those of an image's readings that are false: each text of the trap excuses one reading."""
    excused = Counter(trap.texts)
    excused.subtract(texts)
    return sorted((+Counter({text: -number for text, number in excused.items()})).elements())


def _scene(
    files: Sequence[Path],
    standard: PlateStandard,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> _Scene:
    largest = tuple(max(size[axis] for size in settings["image_sizes"]) for axis in (0, 1))
    photo, other = (
        _photo(files[int(choice)], (largest[0], largest[1]))
        for choice in rng.integers(len(files), size=2)
    )
    return _Scene(photo, other, standard, settings)


@lru_cache(maxsize=_PHOTOS_KEPT)
def _photo(path: Path, image_size: tuple[int, int]) -> Image:
    return load_photo(path, image_size)


def _photographed(image: Image, rng: np.random.Generator) -> bytes:
    """The image as JPEG, a little out of focus half of the time."""
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.3, 0.9))
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))]
    return cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()


def _background(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return scene.background(rng), []


def _car(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """One to three cars whose places for a plate are empty."""
    image = scene.background(rng)
    taken: list[Polygon] = []
    for _ in range(int(rng.integers(1, 4))):
        corners = scene.place(image, scene.plate(rng.uniform(0.1, 0.4), image, rng), taken, rng)
        if corners is not None:
            taken.append(corners)
            draw_car(image, corners, rng)
    return image, []


def _cut(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """A plate that leaves the image with a third of its width or half of its height, or more."""
    image = scene.background(rng)
    size = np.array(image.shape[1::-1], np.float64)
    plate = scene.plate(rng.uniform(0.2, 0.5), image, rng)
    height, width = board_px(plate.image, plate.board)
    corners = posed(width, height, scene.settings, rng)
    low, extent = corners.min(0), np.ptp(corners, axis=0)
    axis = int(rng.random() < 0.4)
    outside = extent[axis] * (rng.uniform(0.33, 0.7) if axis == 0 else rng.uniform(0.5, 0.75))
    target = rng.uniform(0, 1, 2) * np.maximum(size - extent, 1)
    target[axis] = -outside if rng.random() < 0.5 else size[axis] - extent[axis] + outside
    corners = corners - low + target
    if rng.random() < _ON_CARS:
        draw_car(image, corners, rng)
    _put(image, plate, corners, rng)
    return image, []


def _small(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """A plate too small to be read for sure."""
    image = scene.background(rng)
    plate = scene.plate(_PAINTED_PX / image.shape[1], image, rng)
    scale = rng.uniform(*_SMALL_PX) / board_px(plate.image, plate.board)[1]
    height, width = (max(3, round(side * scale)) for side in plate.image.shape[:2])
    shrunk = cv2.resize(plate.image, (width, height), interpolation=cv2.INTER_AREA)
    corners = scene.place(image, plate, [], rng, scale)
    if corners is not None:
        if rng.random() < _ON_CARS:
            draw_car(image, corners, rng)
        _put(image, replace(plate, image=np.asarray(shrunk, np.uint8)), corners, rng)
    return image, [scene.text(plate)]


def _ten_plates(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """Ten plates: each may be read, and nothing between them."""
    image = scene.background(rng, scene.largest_size)
    taken: list[Polygon] = []
    texts = []
    for _ in range(_NUM_TOGETHER):
        plate = scene.plate(rng.uniform(0.13, 0.2), image, rng)
        corners = scene.place(image, plate, taken, rng)
        if corners is not None:
            taken.append(corners)
            texts.append(scene.text(plate))
            _put(image, plate, corners, rng)
    return image, texts


def _upside_down(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return _one_plate(scene, rng, (2, 3, 0, 1), _SAME_TURNED), []


def _mirrored(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return _one_plate(scene, rng, (1, 0, 3, 2), _SAME_MIRRORED), []


def _one_plate(
    scene: _Scene, rng: np.random.Generator, order: tuple[int, ...], besides: frozenset[str]
) -> Image:
    """A photograph with one plate, its corners taken in another order."""
    image = scene.background(rng)
    plate = scene.plate(rng.uniform(0.15, 0.5), image, rng, besides)
    corners = scene.place(image, plate, [], rng)
    if corners is not None:
        if rng.random() < _ON_CARS:
            draw_car(image, corners, rng)
        _put(image, plate, corners[list(order)], rng)
    return image


def _screenshot(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return draw_screen(scene.background(rng), rng), []


def _sign(scene: _Scene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """One to three signs on a photograph, or a time burnt into it."""
    image = scene.background(rng)
    if rng.random() < 0.2:
        burn_timestamp(image, rng)
        return image, []
    taken: list[Polygon] = []
    for _ in range(int(rng.integers(1, 4))):
        sign = draw_sign(rng)
        scale = rng.uniform(0.15, 0.6) * image.shape[1] / sign.shape[1]
        height, width = (max(8, round(side * scale)) for side in sign.shape[:2])
        shrunk = np.asarray(cv2.resize(sign, (width, height), interpolation=cv2.INTER_AREA))
        corners = place(shrunk.shape, (image.shape[1], image.shape[0]), scene.settings, taken, rng)
        if corners is not None:
            taken.append(corners)
            paste(image, shrunk.astype(np.uint8), corners, rng.uniform(0.6, 1.0))
    return image, []


def _put(image: Image, plate: FlatPlate, corners: Polygon, rng: np.random.Generator) -> None:
    paste(image, plate.image, corners, rng.uniform(0.6, 1.0), plate.board)


# Each gives an image and the texts that may be read on it.
KINDS: dict[str, Callable[[_Scene, np.random.Generator], tuple[Image, list[str]]]] = {
    "background": _background,
    "car": _car,
    "cut": _cut,
    "small": _small,
    "ten_plates": _ten_plates,
    "upside_down": _upside_down,
    "mirrored": _mirrored,
    "screenshot": _screenshot,
    "sign": _sign,
}
