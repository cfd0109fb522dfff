"""Plates, what a model finds of them, and what may go wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sub_module.plates.instances import Instances
from sub_module.plates.read_instances import read_instances
from tests.factories import DrawnPlate, affine, draw_plate
from tests.standards import kr_standard, tiny_standard

KR, TINY = kr_standard(), tiny_standard()


@dataclass(frozen=True)
class Find:
    """One object that a model found."""

    label: str
    points: np.ndarray
    score: float


def drawn_plate(
    standard=KR, layout="one_line", text="12A3456", degrees=10, centre=(300, 200), width=200
):
    """A drawn plate; `_` in the text leaves a slot out."""
    its_layout = standard.layout(layout)
    characters = [None if c == "_" else c for c in text]
    matrix = affine(width, its_layout.aspect, centre, degrees)
    return draw_plate(standard, its_layout, characters, matrix)


def finds_of(plate: DrawnPlate, score=0.9):
    """Everything on a plate, found where it is."""
    return [Find(shape.label, np.array(shape.points), score) for shape in plate.shapes]


def instances_of(finds) -> Instances:
    """What a model gives that found these."""
    polygons = tuple(np.asarray(find.points, np.float32) for find in finds)
    return Instances(
        labels=tuple(find.label for find in finds),
        scores=np.array([find.score for find in finds], np.float32),
        boxes_xyxy=np.array([[*p.min(0), *p.max(0)] for p in polygons], np.float32).reshape(-1, 4),
        polygons=polygons,
    )


def read(finds, standard=KR, min_score=0.3, overlap=0.5):
    """What is read from finds."""
    return read_instances(instances_of(finds), standard, min_score, overlap)


def place_of(finds, number, standard=KR):
    """Where the character of that number in reading order stands in the list."""
    return [i for i, f in enumerate(finds) if standard.character_of(f.label) is not None][number]


def changed(plate, number, **changes):
    """A plate's finds, one character of them changed."""
    finds = finds_of(plate)
    index = place_of(finds, number)
    finds[index] = replace(finds[index], **changes)
    return finds


def doubled(plate, number, label, score, shift=(2, 1)):
    """A plate's finds, and one character once more, as another class."""
    finds = finds_of(plate)
    twin = finds[place_of(finds, number)]
    return [Find(label, twin.points + shift, score), *finds]


def finds_without(plate, *labels):
    """A plate's finds but those of some classes."""
    return [find for find in finds_of(plate) if find.label not in labels]


def finds_without_character(plate, number):
    """A plate's finds but the character of that number in reading order."""
    finds = finds_of(plate)
    del finds[place_of(finds, number)]
    return finds


def blob(label, x, y, score=0.9, size=(12, 30)):
    """A find of some pixels' size round a point of the image."""
    width, height = size
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return Find(label, box_points(*corners), score)


def box_points(x1, y1, x2, y2):
    """The corners of a box."""
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def at(plate, x, y):
    """The pixels of plate coordinates."""
    corners = np.array(plate.corners)
    return corners[0] + x * (corners[1] - corners[0]) + y * (corners[3] - corners[0])
