"""Label files and images for tests: plates as polygons, drawn on noise."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from dataset_tools.labelme import Annotation, Shape, annotation_json
from dataset_tools.record import coco_of
from sub_module.plates.standard import Layout, PlateStandard
from tests.standards import REPOSITORY, kr_standard

Array = NDArray[np.float64]
# Points round a character's outline.
NUM_POINTS = 20


@dataclass(frozen=True)
class DrawnPlate:
    """A plate's shapes, and what they must be read as."""

    shapes: tuple[Shape, ...]
    layout: str
    text: str
    corners: tuple[tuple[float, float], ...]


def random_characters(layout: Layout, rng: np.random.Generator) -> list[str | None]:
    """A text of a layout, one entry a slot; optional slots are left out half the time."""
    return [
        None if slot.optional and rng.random() < 0.5 else str(rng.choice(list(slot.alphabet)))
        for slot in layout.slots
    ]


def affine(
    width: float, aspect: float, centre: tuple[float, float], degrees: float = 0, shear: float = 0
) -> Array:
    """(3, 3) from plate coordinates to pixels: a plate of some width, sheared and turned."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([width, width / aspect])
    full = np.eye(3)
    full[:2, :2] = matrix
    full[:2, 2] = np.array(centre) - matrix @ [0.5, 0.5]
    return full


def draw_plate(
    standard: PlateStandard,
    layout: Layout,
    characters: Sequence[str | None],
    to_pixels: Array,
    group_id: int | None = None,
    with_groups: bool = True,
) -> DrawnPlate:
    """The shapes of one plate.

    Args:
        standard: For the labels.
        layout: Of that standard.
        characters: One entry a slot, None where it is left out; what remains spreads evenly over
            its group, as a real plate's text would.
        to_pixels: (3, 3) homography from plate coordinates.
        group_id: Of all its shapes.
        with_groups: Whether the groups have polygons too.
    """
    placed: list[tuple[str, Array]] = [(layout.label, _box_points((0.0, 0.0, 1.0, 1.0)))]
    rest = list(characters)
    for group in layout.groups:
        texts = [c for c in rest[: len(group.slots)] if c is not None]
        rest = rest[len(group.slots) :]
        if with_groups and texts:
            placed.append((group.label, _box_points(group.box)))
        x1, y1, x2, y2 = group.box
        for i, character in enumerate(texts):
            pitch = (x2 - x1) / len(texts)
            box = (x1 + (i + 0.15) * pitch, y1, x1 + (i + 0.85) * pitch, y2)
            placed.append((standard.label_of(character), _round_points(box)))
    shapes = [
        Shape(label, tuple((float(x), float(y)) for x, y in _sent(to_pixels, points)), group_id)
        for label, points in placed
    ]
    text = "".join(c for c in characters if c is not None)
    return DrawnPlate(tuple(shapes), layout.name, text, shapes[0].points)


def write_pair(
    directory: Path,
    name: str,
    plates: Sequence[DrawnPlate],
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    suffix: str = ".jpg",
) -> Path:
    """Write an image of noise with the plates drawn on it, and its label file; gives that file."""
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    noise = rng.integers(60, 190, (size[1] // 4, size[0] // 4, 3), dtype=np.uint8)
    image = Image.fromarray(noise).resize(size)
    draw = ImageDraw.Draw(image)
    for plate in plates:
        draw.polygon(plate.shapes[0].points, fill=(245, 245, 245))
        for shape in plate.shapes[1:]:
            if len(shape.points) == NUM_POINTS:
                draw.polygon(shape.points, fill=(20, 20, 20))
    image.save(directory / f"{name}{suffix}", **({"quality": 90} if suffix == ".jpg" else {}))
    shapes = tuple(shape for plate in plates for shape in plate.shapes)
    label_file = directory / f"{name}.json"
    label_file.write_text(annotation_json(Annotation(f"{name}{suffix}", *size, shapes)))
    return label_file


def write_set(
    directory: Path,
    standard: PlateStandard,
    num_images: int,
    seed: int = 0,
    size: tuple[int, int] = (320, 240),
) -> list[DrawnPlate]:
    """Write an annotation set of one plate an image, layouts in turn; gives the plates."""
    rng = np.random.default_rng(seed)
    plates = []
    for i in range(num_images):
        layout = standard.layouts[i % len(standard.layouts)]
        matrix = affine(
            size[0] * 0.5, layout.aspect, (size[0] / 2, size[1] / 2), rng.uniform(-20, 20)
        )
        plate = draw_plate(standard, layout, random_characters(layout, rng), matrix)
        write_pair(directory, f"{i:06d}", [plate], size, seed=seed + i)
        plates.append(plate)
    return plates


def record_samples(folder: Path) -> Path:
    """The shipped samples as a recorded set, which the shipped model reads without a fault."""
    samples = REPOSITORY / "docs" / "samples"
    for image in samples.glob("*.jpg"):
        shutil.copy(image, folder)
    file = folder / "test.json"
    file.write_text(json.dumps(coco_of(samples, kr_standard())))
    return file


def _box_points(box: tuple[float, float, float, float]) -> Array:
    x1, y1, x2, y2 = box
    return np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]])


def _round_points(box: tuple[float, float, float, float]) -> Array:
    x1, y1, x2, y2 = box
    angles = np.linspace(0, 2 * np.pi, NUM_POINTS, endpoint=False)
    x = (x1 + x2) / 2 + (x2 - x1) / 2 * np.cos(angles)
    return np.stack([x, (y1 + y2) / 2 + (y2 - y1) / 2 * np.sin(angles)], axis=1)


def _sent(matrix: Array, points: Array) -> Array:
    sent: Array = np.c_[points, np.ones(len(points))] @ matrix.T
    return sent[:, :2] / sent[:, 2:]
