"""Plates put into a photograph: cars, distractors, light, and the camera's faults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image, Polygon
from dataset_tools.draw.chance import own_generator, pick, size_within, varied_grey
from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.plates.paint import paint_plate
from dataset_tools.draw.scenes import effects
from dataset_tools.draw.scenes.cars import draw_car
from dataset_tools.draw.scenes.distractors import draw_distractor
from dataset_tools.draw.scenes.negatives import draw_hard_negative
from dataset_tools.draw.scenes.photos import crop_background, paste_patch
from dataset_tools.draw.scenes.pose import paste, place, to_image, within_image
from dataset_tools.draw.scenes.street import draw_street
from dataset_tools.labelme import NO_PLATE, Annotation, Shape
from sub_module.plates import Layout, PlateStandard
from sub_module.plates.geometry import side_lengths

# Where an image has no plate.
_CHARACTER_PX = 20.0


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
        rng: Where chance comes from, fresh for each image: cars, hard negatives and each of the
            effects have generators of their own, made from the seed that it began with. The same
            seed gives the same bytes.

    Returns:
        (H, W, 3) RGB image and its annotation in pixels.
    """
    width, height = pick(settings["image_sizes"], rng)
    image = crop_background(photo, (width, height), rng)
    for _ in range(int(rng.integers(settings["max_patches"] + 1))):
        paste_patch(image, other, rng)
    plates = _placed_plates((width, height), standard, settings, rng)
    taken = [corners for _, corners in plates]
    on_cars = _draw_cars(image, taken, settings, own_generator(rng, "cars"))
    for _ in range(int(rng.integers(settings["max_distractors"] + 1))):
        draw_distractor(image, taken, settings["fonts"], rng)
    no_plates: list[Polygon] = []
    if settings["hard_negatives"] > 0:
        negatives_rng = own_generator(rng, "hard_negatives")
        for _ in range(int(negatives_rng.integers(settings["hard_negatives"] + 1))):
            no_plates += draw_hard_negative(image, taken, standard, settings, negatives_rng)
    for (plate, corners), on_car in zip(plates, on_cars, strict=True):
        # Chance goes the same way with a car, whose own panel the plate is mounted on.
        panel = _random_panel(corners, rng)
        if panel is not None and not on_car:
            cv2.fillConvexPoly(image, *panel, cv2.LINE_AA)
        light = float(rng.uniform(*settings["exposure"]))
        paste(image, plate.image, corners, light, plate.board)
    image = _photographed(image, plates, settings, rng)
    shapes = [
        Shape(label, _points(to_image(polygon, corners)), number)
        for number, (plate, corners) in enumerate(plates)
        for label, polygon in zip(plate.labels, plate.polygons, strict=True)
    ]
    inside = (within_image(polygon, (width, height)) for polygon in no_plates)
    not_labelled = tuple(Shape(NO_PLATE, _points(p), None) for p in inside if p is not None)
    return image, Annotation(image_name, width, height, tuple(shapes), no_plates=not_labelled)


def _random_plate(
    standard: PlateStandard, image_width: int, settings: Mapping[str, Any], rng: np.random.Generator
) -> FlatPlate:
    """Paint a plate of random layout and size for an image that is so many pixels wide."""
    layout = _random_layout(standard, settings["layouts"], rng)
    width = image_width * size_within(settings["plate_width"], rng)
    return paint_plate(standard, layout, max(settings["min_width_px"], round(width)), settings, rng)


def _random_layout(
    standard: PlateStandard, weights: Mapping[str, float] | None, rng: np.random.Generator
) -> Layout:
    if weights is None:
        return pick(standard.layouts, rng)
    shares = np.array([weights.get(layout.name, 0.0) for layout in standard.layouts])
    return standard.layouts[int(rng.choice(len(shares), p=shares / shares.sum()))]


def _placed_plates(
    image_size: tuple[int, int],
    standard: PlateStandard,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> list[tuple[FlatPlate, Polygon]]:
    """The image's plates and their corners in it."""
    num_plates = int(rng.choice(len(settings["num_plates"]), p=settings["num_plates"]))
    plates: list[tuple[FlatPlate, Polygon]] = []
    for _ in range(num_plates):
        plate = _random_plate(standard, image_size[0], settings, rng)
        taken = [corners for _, corners in plates]
        corners = place(plate.board_shape, image_size, settings, taken, rng)
        if corners is not None:
            plates.append((plate, corners))
    return plates


def _random_panel(
    corners: Polygon, rng: np.random.Generator
) -> tuple[NDArray[np.int32], list[float]] | None:
    """Half of the time, the corners (4, 2) and colour of what a plate is mounted on."""
    if rng.random() < 0.5:
        return None
    centre = corners.mean(0)
    spread = np.array([rng.uniform(1.03, 1.5), rng.uniform(1.05, 1.9)])
    panel = centre + (corners - centre) * spread
    return np.round(panel).astype(np.int32), varied_grey(0, 200, 12, rng)


def _draw_cars(
    image: Image,
    taken: list[Polygon],
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> list[bool]:
    """Draw the cars that plates are on, in place; say which plates have one."""
    on_cars = [bool(rng.random() < settings["cars"]) for _ in taken]
    if settings["cars"] == 0:
        return on_cars
    if rng.random() < 0.6:
        draw_street(image, rng)
    far_to_near = sorted(range(len(taken)), key=lambda index: side_lengths(taken[index])[0])
    for index in far_to_near:
        if on_cars[index]:
            draw_car(image, taken[index], rng)
    return on_cars


def _photographed(
    image: Image,
    plates: list[tuple[FlatPlate, Polygon]],
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> Image:
    """The image after light, weather and camera."""
    if own_generator(rng, "clean").random() < settings["clean"]:
        return image
    taken = [corners for _, corners in plates]
    if rng.random() < settings["shadow"]:
        effects.cast_shadow(image, taken, rng)
    heights = [side_lengths(corners)[1] * plate.character_height for plate, corners in plates]
    character_px = min(heights, default=_CHARACTER_PX)
    image = effects.camera(image, character_px, settings, rng)
    if not settings["effects"]:
        return image
    subject = effects.Subject(taken, character_px)
    return effects.apply_effects(
        image, subject, settings["effects"], lambda name: own_generator(rng, name)
    )


def _points(polygon: Polygon) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in np.round(polygon, 2).tolist())
