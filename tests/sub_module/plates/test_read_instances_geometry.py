"""Where a plate is, read from instances: outlines, corners, and plates under any affine map."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import affine, draw_plate
from tests.sub_module.plates.found_instances import KR, TINY, Find, at, drawn_plate, finds_of, read


@pytest.mark.parametrize("degrees", [-30, -7, 0, 22])
def test_corners_of_a_board_with_rounded_corners(degrees):
    plate = drawn_plate(layout="two_line", degrees=degrees)
    radius = np.array([0.15 / KR.layout("two_line").aspect, 0.15])
    arcs = []
    for number, (x, y) in enumerate([(1, 0), (1, 1), (0, 1), (0, 0)]):
        angles = np.linspace(number - 1, number, 8) * np.pi / 2
        centre = np.abs(np.array([x, y]) - radius)
        arcs += (centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)).tolist()
    board = Find("r_board", np.array([at(plate, x, y) for x, y in arcs]), 0.9)
    (reading,) = read([board, *finds_of(plate)[1:]])
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)
    np.testing.assert_allclose(reading.box[:2], board.points.min(0), atol=1e-3)


def _mask_outline(points, num_cells=28):
    """The outline of a polygon that went through a mask of few cells over its box."""
    low, high = points.min(0), points.max(0)
    fine = np.zeros((num_cells * 8, num_cells * 8), np.uint8)
    scaled = (points - low) / (high - low) * (len(fine) - 1)
    cv2.fillPoly(fine, [np.round(scaled).astype(np.int32)], 255)
    mask = cv2.resize(fine, (num_cells, num_cells), interpolation=cv2.INTER_AREA)
    width, height = np.ceil(high - low).astype(int).tolist()
    seen = (cv2.resize(mask, (width, height)) > 127).astype(np.uint8)
    contours, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0]
    return outline + low + 0.5


# Cells are 6 px wide here, and quadrangles round the outlines are off by 3 to 8 px. The first
# layout's plates are but 9 cells high.
@pytest.mark.parametrize(("layout", "tolerance_px"), [("one_line", 4.5), ("two_line", 1.5)])
@pytest.mark.parametrize("degrees", [-30, -15, 10, 25])
def test_corners_of_a_board_out_of_a_coarse_mask(layout, tolerance_px, degrees):
    plate = drawn_plate(layout=layout, degrees=degrees)
    finds = [replace(find, points=_mask_outline(find.points)) for find in finds_of(plate)]
    (reading,) = read(finds)
    assert reading.text == plate.text
    np.testing.assert_allclose(reading.corners, plate.corners, atol=tolerance_px)


def test_board_without_four_corners_reads_by_the_rectangle_round_it():
    plate = drawn_plate(degrees=0)
    (x1, y1), (x2, y2) = plate.corners[0], plate.corners[2]
    triangle = Find("l_board", np.array([(x1, y1), (x2, y1), ((x1 + x2) / 2, y2)]), 0.9)
    (reading,) = read([triangle, *finds_of(plate)[1:]])
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)


@st.composite
def _plates(draw):
    """A standard, and a plate of one of its layouts under an affine map that keeps its sense."""
    standard = draw(st.sampled_from([KR, TINY]))
    layout = draw(st.sampled_from(standard.layouts))
    characters = [
        draw(st.sampled_from([*([None] if slot.optional else []), *slot.alphabet]))
        for slot in layout.slots
    ]
    matrix = affine(
        draw(st.floats(40, 900)),
        layout.aspect * draw(st.floats(0.6, 1.6)),
        (draw(st.floats(-500, 4000)), draw(st.floats(-500, 4000))),
        draw(st.floats(-180, 180)),
        draw(st.floats(-0.7, 0.7)),
    )
    plate = draw_plate(standard, layout, characters, matrix, with_groups=draw(st.booleans()))
    return standard, layout, characters, plate


@settings(derandomize=True, max_examples=200, deadline=None)
@given(_plates(), st.randoms(use_true_random=False))
def test_property_perfect_instances_give_the_perfect_reading(drawn, random):
    standard, layout, characters, plate = drawn
    finds = finds_of(plate, score=1.0)
    random.shuffle(finds)
    (reading,) = read(finds, standard)
    assert (reading.layout, reading.text) == (plate.layout, plate.text)
    fields = {name: getattr(reading, name) for name in ("region", "symbol", "serial")}
    assert fields == layout.fields_of(characters)
    assert reading.score == 1
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)
    corners = np.array(plate.corners)
    np.testing.assert_allclose(reading.box, [*corners.min(0), *corners.max(0)], atol=1)
