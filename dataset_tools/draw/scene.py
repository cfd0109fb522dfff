"""Plates put into a photograph: pose, light, distractors, and the camera's faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw import effects
from dataset_tools.draw.distractors import draw_distractor
from dataset_tools.draw.photos import crop_background, paste_patch
from dataset_tools.draw.plate import FlatPlate, Polygon, paint_plate
from dataset_tools.labelme import Annotation, Shape
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import (
    Points,
    boxes_touch,
    map_points,
    plate_to_image,
    side_lengths,
)

Image = NDArray[np.uint8]
_TRIES_TO_PLACE = 20
# Between two plates.
_MARGIN_PX = 6.0


def draw_scene(
    photo: Image,
    other: Image,
    image_name: str,
    standard: PlateStandard,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> tuple[Image, Annotation]:
    """Draw one image with its labels.

    Args:
        photo: (H, W, 3) RGB background photograph, at least as large as any image size.
        other: Another such photograph, of which pieces are put into the image.
        image_name: File name that the annotation will carry.
        standard: The plates to draw.
        settings: `dataset.draw` of a config (`configs/datasets/drawn.py` explains each key).
        rng: Where chance comes from; the same state gives the same bytes.

    Returns:
        (H, W, 3) RGB image and its annotation in pixels.
    """
    width, height = settings["image_sizes"][rng.integers(len(settings["image_sizes"]))]
    image = crop_background(photo, (width, height), rng)
    for _ in range(int(rng.integers(settings["max_patches"] + 1))):
        paste_patch(image, other, rng)
    num_plates = int(rng.choice(len(settings["num_plates"]), p=settings["num_plates"]))
    taken: list[Polygon] = []
    plates: list[tuple[FlatPlate, Polygon]] = []
    for _ in range(num_plates):
        plate = _random_plate(standard, width, settings, rng)
        corners = place(plate.image.shape, (width, height), settings, taken, rng)
        if corners is not None:
            plates.append((plate, corners))
            taken.append(corners)
    for _ in range(int(rng.integers(settings["max_distractors"] + 1))):
        draw_distractor(image, taken, settings["fonts"], rng)
    for plate, corners in plates:
        effects.mount(image, corners, rng)
        paste(image, plate.image, corners, effects.exposure(rng))
    if rng.random() < settings["shadow"]:
        effects.cast_shadow(image, taken, rng)
    heights = [side_lengths(corners)[1] * plate.character_height for plate, corners in plates]
    image = effects.camera(image, min(heights, default=20.0), settings, rng)
    shapes = [
        Shape(label, _points(to_image(polygon, corners)), number)
        for number, (plate, corners) in enumerate(plates)
        for label, polygon in zip(plate.labels, plate.polygons, strict=True)
    ]
    return image, Annotation(image_name, width, height, tuple(shapes))


def _random_plate(
    standard: PlateStandard, image_width: int, settings: Mapping[str, Any], rng: np.random.Generator
) -> FlatPlate:
    layout = standard.layouts[rng.integers(len(standard.layouts))]
    low, high = settings["plate_width"]
    # The square root of chance would favour large plates; uniform in the logarithm, small ones.
    width = image_width * float(np.exp(rng.uniform(np.log(low), np.log(high))))
    return paint_plate(standard, layout, max(24, round(width)), settings["fonts"], rng)


def place(
    flat_shape: Sequence[int],
    image_size: tuple[int, int],
    settings: Mapping[str, Any],
    taken: Sequence[Polygon],
    rng: np.random.Generator,
) -> Polygon | None:
    """Turn a flat rectangle in space and put it where nothing else stands.

    Args:
        flat_shape: (height, width, ...) of the rectangle in pixels.
        image_size: (width, height) of the image in pixels.
        settings: `dataset.draw`: the largest turns.
        taken: Quadrangles that must stay free.
        rng: Where chance comes from.

    Returns:
        (4, 2) corners in the image, clockwise from the rectangle's top left, its width kept as the
        mean of the upper and lower edge; None when no free place was found.
    """
    for _ in range(_TRIES_TO_PLACE):
        corners = _posed(flat_shape[1], flat_shape[0], settings, rng)
        low, high = corners.min(0), corners.max(0)
        room = np.array(image_size) - (high - low) - 4
        if (room <= 0).any():
            continue
        moved: Polygon = corners - low + 2 + rng.uniform(0, 1, 2) * room
        if not any(boxes_touch(moved, other, _MARGIN_PX) for other in taken):
            return moved
    return None


def _posed(
    width: float, height: float, settings: Mapping[str, Any], rng: np.random.Generator
) -> Polygon:
    yaw, pitch, roll = (
        np.radians(rng.uniform(-1, 1) * settings[key])
        for key in ("max_yaw", "max_pitch", "max_roll")
    )
    turn = (
        cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0] @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    )
    turn = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0] @ turn
    flat = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * (width / 2, height / 2, 0)
    space = flat @ turn.T
    distance = width * rng.uniform(2.0, 6.0)
    corners = space[:, :2] * (distance / (distance + space[:, 2:]))
    return np.asarray(corners * (width / side_lengths(corners)[0]), dtype=np.float64)


def to_image(polygon: Points, corners: Polygon) -> Polygon:
    """Map (n, 2) points from plate coordinates to the image where `corners` stand."""
    return np.asarray(map_points(plate_to_image(corners), polygon), dtype=np.float64)


def paste(image: Image, flat: Image, corners: Polygon, gain: float) -> None:
    """Warp a flat picture onto a quadrangle of the image, in place, with soft edges.

    Args:
        image: (H, W, 3) RGB, changed.
        flat: (h, w, 3) RGB.
        corners: (4, 2) clockwise from the flat picture's top left.
        gain: Light on the picture; 1 leaves it as it is.
    """
    x1, y1 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
    x2, y2 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, image.shape[1::-1])
    height, width = flat.shape[:2]
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    homography = cv2.getPerspectiveTransform(source, (corners - (x1, y1)).astype(np.float32))
    size = (int(x2 - x1), int(y2 - y1))
    opaque = cv2.copyMakeBorder(
        np.full((height - 2, width - 2), 255, np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=128
    )
    warped = cv2.warpPerspective(flat, homography, size, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpPerspective(opaque, homography, size)[..., None].astype(np.float32) / 255.0
    region = image[y1:y2, x1:x2]
    mixed = region * (1 - alpha) + warped.astype(np.float32) * (gain * alpha)
    region[:] = np.clip(mixed, 0, 255).astype(np.uint8)


def _points(polygon: Polygon) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in np.round(polygon, 2).tolist())
