"""Corners of boards, whatever polygon a hand drew, and the way to plate coordinates and back."""

from __future__ import annotations

import numpy as np
import pytest

from sub_module.plates.geometry import (
    UNIT_SQUARE,
    area_of,
    box_iou,
    boxes_touch,
    by_uprightness,
    contains,
    image_to_plate,
    map_points,
    middle_of,
    plate_to_image,
    quadrangle,
    quadrangle_iou,
    rectangle_around,
    side_lengths,
    straightened,
)

SQUARE = [[10, 10], [50, 10], [50, 30], [10, 30]]


def _rounded(radius: float) -> np.ndarray:
    """A 100 x 40 rectangle at the origin with round corners of six points each."""
    points = []
    for cx, cy, start in ((0, 0, 180), (100, 0, 270), (100, 40, 0), (0, 40, 90)):
        inward = (radius if cx == 0 else -radius, radius if cy == 0 else -radius)
        for angle in np.deg2rad(np.linspace(start, start + 90, 6)):
            points.append(
                [
                    cx + inward[0] + radius * np.cos(angle),
                    cy + inward[1] + radius * np.sin(angle),
                ]
            )
    return np.array(points)


@pytest.mark.parametrize(
    ("polygon", "corners", "tolerance_px", "reason"),
    [
        (SQUARE, SQUARE, 0, "as it is"),
        (SQUARE[::-1], SQUARE, 0, "drawn anticlockwise"),
        ([*SQUARE[:1], [30, 10], *SQUARE[1:]], SQUARE, 0, "a point on an edge"),
        ([*SQUARE, SQUARE[0]], SQUARE, 0, "closed by its first point"),
        (_rounded(8).tolist(), [[0, 0], [100, 0], [100, 40], [0, 40]], 1e-4, "rounded corners"),
        ([[10, 20], [30, 0], [60, 30], [40, 50]], None, 0, "turned: any start counts"),
    ],
)
def test_quadrangle_gives_clockwise_corners(polygon, corners, tolerance_px, reason):
    found = quadrangle(np.array(polygon, float))
    expected = np.array(polygon if corners is None else corners, float)
    starts = [np.abs(np.roll(found, k, axis=0) - expected).max() for k in range(4)]
    assert min(starts) <= tolerance_px, reason


@pytest.mark.parametrize(
    ("polygon", "reason"),
    [
        ([[0, 0], [10, 0], [5, 8]], "a triangle"),
        ([[0, 0], [10, 0], [20, 0], [30, 0]], "a line"),
        ([[0, 0], [10, 0], [5, 2], [5, 8]], "three corners and a dent"),
        ([[3, 3], [3, 3], [3, 3], [3, 3]], "a point"),
    ],
)
def test_no_quadrangle(polygon, reason):
    assert quadrangle(np.array(polygon, float)) is None, reason


def test_homographies_go_there_and_back():
    corners = np.array([[12, 20], [90, 5], [110, 70], [4, 60]], float)
    np.testing.assert_allclose(map_points(image_to_plate(corners), corners), UNIT_SQUARE, atol=1e-5)
    np.testing.assert_allclose(map_points(plate_to_image(corners), UNIT_SQUARE), corners, atol=1e-3)
    # Perspective: the middle of the plate is not the middle of its corners.
    middle = map_points(plate_to_image(corners), np.array([[0.5, 0.5]]))[0]
    diagonals = np.cross([*(corners[2] - corners[0]), 0], [*(middle - corners[0]), 0])
    assert abs(diagonals[2]) < 0.1


def test_area_and_contains_of_an_l_shape():
    shape = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 3], [0, 3]], float)
    assert area_of(shape) == area_of(shape[::-1]) == 6
    inside = {(2, 0.5): True, (0.5, 2): True, (2, 2): False, (-1, 0.5): False, (5, 0.5): False}
    assert {p: contains(shape, np.array(p, float)) for p in inside} == inside


def test_side_lengths_are_means_of_opposite_edges():
    # Upper edge 8, lower 10; left 5 (3-4-5), right 5.
    corners = np.array([[3, 0], [11, 0], [14, 4], [0, 4]], float)
    assert side_lengths(corners) == pytest.approx(((8 + 14) / 2, 5))
    turned = corners[:, ::-1] * [-1, 1]  # by a right angle
    assert side_lengths(turned) == pytest.approx((11, 5))


@pytest.mark.parametrize(
    ("other", "expected", "reason"),
    [
        ((0, 0, 10, 4), 1, "the same"),
        ((5, 0, 15, 4), 20 / 60, "half of each"),
        ((2, 1, 4, 3), 4 / 40, "inside"),
        ((10, 0, 20, 4), 0, "side by side"),
        ((20, 20, 30, 24), 0, "apart on both axes: the product of two negative sides"),
        ((5, 2, 5, 2), 0, "a point"),
    ],
)
def test_box_iou(other, expected, reason):
    box = (0, 0, 10, 4)
    assert box_iou(box, other) == box_iou(other, box) == pytest.approx(expected), reason


@pytest.mark.parametrize(
    ("shift", "margin", "touch", "reason"),
    [
        ((5, 5), 0, True, "they overlap"),
        ((15, 0), 0, False, "5 px apart"),
        ((15, 0), 6, True, "nearer than the margin, to the right"),
        ((-15, 0), 6, True, "to the left"),
        ((0, 15), 6, True, "below"),
        ((15, 15), 4, False, "farther than the margin"),
        ((5, 30), 6, False, "near on one axis only"),
    ],
)
def test_boxes_touch(shift, margin, touch, reason):
    diamond = np.array([[5, 0], [10, 5], [5, 10], [0, 5]], float)
    assert boxes_touch(diamond, diamond + shift, margin) is touch, reason


def _turned(points, degrees):
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.array(points) @ matrix.T + 100


RECTANGLE = np.array([[0, 0], [100, 0], [100, 40], [0, 40]])


@pytest.mark.parametrize("degrees", [0, 25, -70])
@pytest.mark.parametrize("sense", [1, -1])
def test_straightened_knows_nothing_of_round_corners(degrees, sense):
    outline = _turned(_rounded(6), degrees)[::sense]
    expected = _turned(RECTANGLE, degrees)
    # A first guess that is off on every side; it says where the corners begin.
    guess = _turned([[2, 1], [99, 3], [98, 38], [3, 41]], degrees)
    np.testing.assert_allclose(straightened(outline, guess), expected, atol=0.1)
    np.testing.assert_allclose(
        straightened(outline, np.roll(guess, 1, axis=0)), np.roll(expected, 1, axis=0), atol=0.1
    )


def test_straightened_evens_out_ragged_edges():
    rng = np.random.default_rng(0)
    outline = np.concatenate(
        [
            np.linspace(start, end, 60, endpoint=False) + rng.uniform(-1, 1, (60, 2))
            for start, end in zip(RECTANGLE, np.roll(RECTANGLE, -1, axis=0), strict=True)
        ]
    )
    guess = RECTANGLE + np.array([[-2, -2], [2, -2], [2, 2], [-2, 2]])
    np.testing.assert_allclose(straightened(outline, guess), RECTANGLE, atol=1)


@pytest.mark.parametrize(
    ("outline", "reason"),
    [
        ([[0, 0], [100, 0], [50, 40]], "a triangle has nothing along two of the edges"),
        ([[20, 15], [80, 15], [80, 25], [20, 25]], "all of it far from the edges"),
    ],
)
def test_straightened_keeps_corners_that_the_outline_says_nothing_of(outline, reason):
    corners = np.array(RECTANGLE, np.float32)
    assert straightened(np.array(outline), corners) is corners


@pytest.mark.parametrize("degrees", [0, 20, 115])
def test_rectangle_around_runs_clockwise(degrees):
    outline = _turned([*RECTANGLE, [50, 20], [100, 15]], degrees)
    found = rectangle_around(outline)
    expected = _turned(RECTANGLE, degrees)
    turns = [np.abs(np.roll(found, k, axis=0) - expected).max() for k in range(4)]
    assert min(turns) < 1e-3


def test_by_uprightness_begins_at_the_corner_that_is_top_left_on_the_screen():
    for degrees in (-40, 0, 40):
        expected = _turned(RECTANGLE, degrees)
        for k in range(4):
            ways = by_uprightness(np.roll(expected, k, axis=0))
            assert len(ways) == 4
            np.testing.assert_array_equal(ways[0], expected)
            np.testing.assert_array_equal(ways[-1], np.roll(expected, -2, axis=0))


@pytest.mark.parametrize(
    ("other", "expected", "reason"),
    [
        (_turned(RECTANGLE, 30), 1, "the same"),
        (_turned(RECTANGLE, 30)[::-1], 1, "the other way round"),
        (_turned(RECTANGLE + np.array((50, 0)), 30), 1 / 3, "moved by half along itself"),
        (_turned(RECTANGLE + np.array((0, 42)), 30), 0, "beside, though the boxes overlap"),
        (_turned(RECTANGLE + np.array((900, 0)), 30), 0, "far away"),
        (_turned(RECTANGLE * 0.5, 30), 1 / 4, "inside"),
    ],
)
def test_quadrangle_iou(other, expected, reason):
    assert quadrangle_iou(_turned(RECTANGLE, 30), other) == pytest.approx(expected, abs=1e-4)


def test_middle_of_a_polygon_is_that_of_its_box():
    assert middle_of(np.array([[0, 0], [10, 2], [4, 20]])).tolist() == [5, 10]
