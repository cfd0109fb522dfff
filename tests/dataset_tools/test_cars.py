"""Cars, and the plane that they are drawn in."""

from __future__ import annotations

import numpy as np
import pytest

from dataset_tools.draw.scenes.cars import draw_car
from dataset_tools.draw.scenes.plane import Plane, blob
from dataset_tools.draw.scenes.street import draw_street
from sub_module.plates.geometry import region_corners

GREEN = np.array([0.0, 255.0, 0.0])


def _empty(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


@pytest.mark.parametrize("aspect", [4.6, 2.0, 1.3], ids=["one_line", "captioned", "two_line"])
def test_a_car_surrounds_its_plate(aspect: float) -> None:
    corners = region_corners((130, 120, 190, 120 + 60 / aspect)).astype(np.float64)
    around = np.r_[118:122, 198:202]
    covered, pictures = [], []
    for seed in range(8):
        image = _empty()
        draw_car(image, corners, np.random.default_rng(seed))
        again = _empty()
        draw_car(again, corners, np.random.default_rng(seed))
        assert np.array_equal(image, again)
        covered.append((image != 128).any(-1).mean())
        pictures.append(image[125, around].tobytes())
        if aspect > 3:
            # To the left and right of the plate there is car, and above it a cabin or more of it.
            assert (image[125, around] != 128).any(-1).mean() > 0.8
            assert (image[55, 130:190] != 128).any(-1).mean() > 0.8
    assert np.median(covered) > (0.25 if aspect > 3 else 0.05)
    assert len(set(pictures)) > 4


@pytest.mark.parametrize(
    "corners",
    [
        [(-40, 100), (30, 100), (30, 115), (-40, 115)],
        [(100, 100), (300, 20), (310, 180), (105, 120)],
        [(10, 10), (12, 10), (12, 11), (10, 11)],
        [(-900, -300), (900, -300), (900, 300), (-900, 300)],
        [(180, 100), (100, 110), (100, 90), (180, 80)],
    ],
    ids=["cut", "steep", "tiny", "huge", "upside-down"],
)
def test_cars_at_the_ends_of_what_is_drawn(corners: list[tuple[int, int]]) -> None:
    for seed in range(10):
        image = _empty()
        draw_car(image, np.array(corners, np.float64), np.random.default_rng(seed))
        assert (image != 128).any()


def test_a_plane_is_in_metres_about_the_middle() -> None:
    corners = np.array([(100.0, 50), (204, 50), (204, 72), (100, 72)])
    plane = Plane.through(_empty(), corners, 0.52, 0.11)
    assert plane.pixels_per_metre == pytest.approx(200)
    edges = np.array([(-0.26, -0.055), (0.26, 0.055), (0.0, 0.0), (0.5, 0.2)])
    expected = [(100, 50), (204, 72), (152, 61), (252, 101)]
    assert plane.project(edges) == pytest.approx(np.array(expected), abs=1e-3)


def test_fill_line_and_light_stay_in_their_outlines() -> None:
    corners = np.array([(100.0, 100), (200, 100), (200, 200), (100, 200)])
    plane = Plane.through(_empty(), corners, 1.0, 1.0)
    plane.fill(blob(0, 0, 0.25, 0.25, 8.0), GREEN)
    assert (plane.image[150, 130:170] == GREEN).all()
    assert (plane.image[150, [120, 180]] == 128).all()
    plane.line(np.array([(-0.5, 0.4), (0.5, 0.4)]), GREEN, 0.04)
    assert (plane.image[190, 110:190] == GREEN).all()
    plane = Plane.through(_empty(), corners, 1.0, 1.0)
    plane.light(blob(0, 0, 0.5, 0.5, 10.0), np.array([[0.5], [1.5]]))
    assert plane.image[115, 150, 0] < 90 < 165 < plane.image[185, 150, 0]
    outside = plane.image.copy()
    outside[95:205, 95:205] = 128
    assert (outside == 128).all()
    # Nothing of what lies beyond the border.
    plane = Plane.through(_empty(), corners + 1000, 1.0, 1.0)
    plane.light(blob(0, 0, 0.5, 0.5), np.zeros((2, 2)))
    assert (plane.image == 128).all()


def test_blobs_have_the_size_asked_for() -> None:
    for squareness in (2.0, 4.0, 12.0):
        points = blob(1.0, 2.0, 0.5, 0.25, squareness)
        assert np.abs(points - (1.0, 2.0)).max(0) == pytest.approx((0.5, 0.25), rel=0.02)
    wide_below = blob(0, 0, 1, 1, 8.0, taper=0.3)
    below, above = wide_below[wide_below[:, 1] > 0.8], wide_below[wide_below[:, 1] < -0.8]
    assert np.ptp(below[:, 0]) > 1.5 * np.ptp(above[:, 0])
    leaning = blob(0, 0, 1, 1, 8.0, lean=0.5)
    assert leaning[leaning[:, 1] > 0.8, 0].mean() > 0.3


def test_streets_cover_the_lower_part() -> None:
    for seed in range(6):
        image = _empty()
        draw_street(image, np.random.default_rng(seed))
        assert (image[-40:] != 128).any(-1).mean() > 0.5
