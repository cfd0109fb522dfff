"""A road, houses and sky behind cars, drawn over a photograph as flat shapes."""

from __future__ import annotations

import cv2
import numpy as np

from dataset_tools.draw.brushes import Image, fill, multiply


def draw_street(image: Image, rng: np.random.Generator) -> None:
    """Draw a road across the lower part of an image, in place; sometimes houses and sky above it.

    Args:
        image: (H, W, 3) RGB, changed.
        rng: Where chance comes from.
    """
    height, width = image.shape[:2]
    horizon = height * rng.uniform(0.2, 0.65)
    if rng.random() < 0.4:
        _sky_and_houses(image, round(horizon), rng)
    slope = rng.normal(0, 0.04) * height
    road = np.array(
        [(-2, horizon - slope), (width + 2, horizon + slope), (width + 2, height), (-2, height)]
    )
    # Mixed with the photograph: its texture becomes the road's.
    painted = image.copy()
    fill(painted, road, np.full(3, rng.uniform(50, 185)) + rng.normal(0, 6, 3))
    share = rng.uniform(0.55, 1.0)
    cv2.addWeighted(painted, share, image, 1 - share, 0, dst=image)
    _markings(image, horizon, rng)
    light = rng.uniform(0.75, 1.2, (6, 6))
    multiply(image[round(horizon) :], (light * 128).astype(np.uint8))


def _sky_and_houses(image: Image, horizon: int, rng: np.random.Generator) -> None:
    width = image.shape[1]
    sky = np.array([rng.uniform(90, 240)]) * (rng.uniform(0.75, 1), rng.uniform(0.9, 1), 1.0)
    image[:horizon] = sky.astype(np.uint8)
    x = -rng.uniform(0, 0.2) * width
    while x < width:
        wide, top = rng.uniform(0.1, 0.5) * width, horizon * rng.uniform(-0.2, 0.7)
        wall = np.array([rng.uniform(40, 220)]) * (1.0, rng.uniform(0.8, 1), rng.uniform(0.6, 1))
        house = np.array([(x, top), (x + wide, top), (x + wide, horizon), (x, horizon)])
        fill(image, house, wall)
        _windows(image, (x, top, x + wide, horizon), rng)
        x += wide * rng.uniform(0.8, 1.3)


def _windows(
    image: Image, wall: tuple[float, float, float, float], rng: np.random.Generator
) -> None:
    """Rows of panes, dark or bright, some as long as plates are."""
    x1, y1, x2, y2 = wall
    columns, rows = int(rng.integers(1, 6)), int(rng.integers(1, 5))
    wide, high = rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.7)
    pane = rng.uniform(20, 90, 3) if rng.random() < 0.6 else rng.uniform(180, 255, 3)
    for row in range(rows):
        for column in range(columns):
            left = x1 + (x2 - x1) * (column + (1 - wide) / 2) / columns
            top = y1 + (y2 - y1) * (row + (1 - high) / 2) / rows
            right, bottom = left + (x2 - x1) * wide / columns, top + (y2 - y1) * high / rows
            cv2.rectangle(
                image,
                (round(left), round(top)),
                (round(right), round(bottom)),
                (pane * rng.uniform(0.8, 1.05)).tolist(),
                -1,
            )


def _markings(image: Image, horizon: float, rng: np.random.Generator) -> None:
    """Lines towards the horizon, and edges of kerbs across."""
    height, width = image.shape[:2]
    vanishing = np.array([rng.uniform(-0.5, 1.5) * width, horizon - 0.2 * height])
    for _ in range(int(rng.integers(0, 4))):
        foot, wide = rng.uniform(-0.3, 1.3) * width, rng.uniform(0.005, 0.03) * width
        near = np.array([foot, height * 1.0])
        start, end = (near + (vanishing - near) * at for at in (0.0, rng.uniform(0.2, 0.7)))
        half = np.array([wide, 0])
        line = np.stack([start - half, start + half, end + half / 3, end - half / 3])
        fill(image, line, np.full(3, rng.uniform(150, 245)))
    for _ in range(int(rng.integers(0, 3))):
        y = rng.uniform(horizon, height)
        ends = [(0, round(y)), (width, round(y + rng.normal(0, 0.03) * height))]
        shade = rng.uniform(30, 220)
        cv2.line(image, ends[0], ends[1], (shade,) * 3, int(rng.integers(1, 6)), cv2.LINE_AA)
