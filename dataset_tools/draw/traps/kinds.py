"""Images without a plate that could be read, or nearly so, kind by kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dataset_tools.draw.brushes import Image, Polygon, shrunk
from dataset_tools.draw.chance import pick
from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.plates.paint import paint_plate
from dataset_tools.draw.scenes.cars import draw_car
from dataset_tools.draw.scenes.photos import crop_background, paste_patch
from dataset_tools.draw.scenes.pose import paste, place, posed
from dataset_tools.draw.scenes.street import draw_street
from dataset_tools.draw.traps.signs import burn_timestamp, draw_screen, draw_sign
from sub_module.plates import PlateStandard

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
class TrapScene:
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
        width, height = image_size or pick(self.settings["image_sizes"], rng)
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
            layout = pick(self.standard.layouts, rng)
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
        shape = [scale * side for side in plate.board_shape]
        return place(shape, (image.shape[1], image.shape[0]), self.settings, taken, rng)

    def text(self, plate: FlatPlate) -> str:
        """What a painted plate says."""
        return "".join(self.standard.character_of(label) or "" for label in plate.labels)


def _background(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return scene.background(rng), []


def _car(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """One to three cars whose places for a plate are empty."""
    image = scene.background(rng)
    taken: list[Polygon] = []
    for _ in range(int(rng.integers(1, 4))):
        corners = scene.place(image, scene.plate(rng.uniform(0.1, 0.4), image, rng), taken, rng)
        if corners is not None:
            taken.append(corners)
            draw_car(image, corners, rng)
    return image, []


def _cut(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """A plate that leaves the image with a third of its width or half of its height, or more."""
    image = scene.background(rng)
    size = np.array(image.shape[1::-1], np.float64)
    plate = scene.plate(rng.uniform(0.2, 0.5), image, rng)
    corners = posed(plate.board_shape, scene.settings, rng)
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


def _small(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """A plate too small to be read for sure."""
    image = scene.background(rng)
    plate = scene.plate(_PAINTED_PX / image.shape[1], image, rng)
    scale = rng.uniform(*_SMALL_PX) / plate.board_shape[1]
    size = [max(3, round(side * scale)) for side in plate.image.shape[1::-1]]
    corners = scene.place(image, plate, [], rng, scale)
    if corners is not None:
        if rng.random() < _ON_CARS:
            draw_car(image, corners, rng)
        _put(image, replace(plate, image=shrunk(plate.image, size)), corners, rng)
    return image, [scene.text(plate)]


def _ten_plates(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
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


def _upside_down(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return _one_plate(scene, rng, (2, 3, 0, 1), _SAME_TURNED), []


def _mirrored(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return _one_plate(scene, rng, (1, 0, 3, 2), _SAME_MIRRORED), []


def _one_plate(
    scene: TrapScene, rng: np.random.Generator, order: tuple[int, ...], besides: frozenset[str]
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


def _screenshot(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    return draw_screen(scene.background(rng), rng), []


def _sign(scene: TrapScene, rng: np.random.Generator) -> tuple[Image, list[str]]:
    """One to three signs on a photograph, or a time burnt into it."""
    image = scene.background(rng)
    if rng.random() < 0.2:
        burn_timestamp(image, rng)
        return image, []
    taken: list[Polygon] = []
    for _ in range(int(rng.integers(1, 4))):
        sign = draw_sign(rng)
        scale = rng.uniform(0.15, 0.6) * image.shape[1] / sign.shape[1]
        small = shrunk(sign, [max(8, round(side * scale)) for side in sign.shape[1::-1]])
        corners = place(small.shape, (image.shape[1], image.shape[0]), scene.settings, taken, rng)
        if corners is not None:
            taken.append(corners)
            paste(image, small, corners, rng.uniform(0.6, 1.0))
    return image, []


def _put(image: Image, plate: FlatPlate, corners: Polygon, rng: np.random.Generator) -> None:
    paste(image, plate.image, corners, rng.uniform(0.6, 1.0), plate.board)


# Each gives an image and the texts that may be read on it.
KINDS: dict[str, Callable[[TrapScene, np.random.Generator], tuple[Image, list[str]]]] = {
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
