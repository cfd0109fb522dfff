"""Cutting flat pictures out of images."""

from __future__ import annotations

import numpy as np
import pytest

from sub_module.datasets.rectify import rectify
from sub_module.plates.geometry import region_corners


def test_an_upright_plate_is_a_plain_crop() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
    corners = region_corners((10, 20, 50, 40))
    flat = rectify(image, corners, (0, 0, 1, 1), (40, 20))
    assert (flat == image[20:40, 10:50]).all()


def test_a_region_is_a_part_of_the_plate() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
    corners = region_corners((10, 20, 50, 40))
    right_half = rectify(image, corners, (0.5, 0, 1, 1), (20, 20))
    assert (right_half == image[20:40, 30:50]).all()


def test_outside_of_the_image_its_border_goes_on() -> None:
    image = np.full((20, 20), 7, np.uint8)
    flat = rectify(image, region_corners((0, 0, 20, 20)), (-0.5, -0.5, 1.5, 1.5), (40, 40))
    assert (flat == 7).all()


def test_thin_strokes_survive_strong_shrinking() -> None:
    """One line in eight is black: averaging gives an even grey, sampling black or white."""
    image = np.full((640, 640), 255, np.uint8)
    image[::8] = 0
    flat = rectify(image, region_corners((0, 0, 640, 640)), (0, 0, 1, 1), (40, 40))
    assert flat.min() > 180
    assert flat.max() < 250


def test_shrinking_keeps_the_place() -> None:
    """A bright square at a known place of a large plate lands at the same share of the crop."""
    image = np.zeros((800, 1600), np.uint8)
    image[400:480, 800:960] = 255
    flat = rectify(image, region_corners((0, 0, 1600, 800)), (0, 0, 1, 1), (160, 80))
    rows, columns = np.nonzero(flat > 127)
    assert (columns.min(), columns.max()) == pytest.approx((80, 95), abs=1)
    assert (rows.min(), rows.max()) == pytest.approx((40, 47), abs=1)
