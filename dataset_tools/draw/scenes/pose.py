"""Flat pictures turned in space and put into an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from dataset_tools.draw.brushes import Image, Polygon
from sub_module.plates.geometry import (
    UNIT_SQUARE,
    Points,
    boxes_touch,
    image_to_plate,
    map_points,
    plate_to_image,
    region_corners,
    side_lengths,
)

_TRIES_TO_PLACE = 20
# Between two plates.
_MARGIN_PX = 6.0
# Less of something is not seen.
_MIN_VISIBLE_PX = 64.0


def place(
    shape: Sequence[float],
    image_size: tuple[int, int],
    settings: Mapping[str, Any],
    taken: Sequence[Polygon],
    rng: np.random.Generator,
) -> Polygon | None:
    """Turn a flat rectangle in space and put it where nothing else stands.

    Args:
        shape: (height, width, ...) of the rectangle as it appears, in pixels.
        image_size: (width, height) of the image in pixels.
        settings: `dataset.draw`: the largest turns, and the camera's distance.
        taken: Quadrangles that must stay free.
        rng: Where chance comes from.

    Returns:
        (4, 2) corners in the image, clockwise from the rectangle's top left, its width kept as the
        mean of the upper and lower edge; None when no free place was found.
    """
    for _ in range(_TRIES_TO_PLACE):
        corners = posed(shape, settings, rng)
        low, high = corners.min(0), corners.max(0)
        room = np.array(image_size) - (high - low) - 4
        if (room <= 0).any():
            continue
        moved: Polygon = corners - low + 2 + rng.uniform(0, 1, 2) * room
        if not any(boxes_touch(moved, other, _MARGIN_PX) for other in taken):
            return moved
    return None


def posed(shape: Sequence[float], settings: Mapping[str, Any], rng: np.random.Generator) -> Polygon:
    """The corners (4, 2) of a rectangle that is turned in space, about its middle, in pixels.

    Args:
        shape: (height, width, ...) of the rectangle as it appears, in pixels.
        settings: `dataset.draw`: the largest turns, and the camera's distance.
        rng: Where chance comes from.
    """
    height, width = shape[:2]
    reach = 1.0 if settings["mild"] == 0 or rng.random() >= settings["mild"] else 0.5
    yaw, pitch, roll = (
        np.radians(rng.uniform(-1, 1) * reach * settings[key])
        for key in ("max_yaw", "max_pitch", "max_roll")
    )
    turn = (
        cv2.Rodrigues(np.array([pitch, 0.0, 0.0]))[0] @ cv2.Rodrigues(np.array([0.0, yaw, 0.0]))[0]
    )
    turn = cv2.Rodrigues(np.array([0.0, 0.0, roll]))[0] @ turn
    flat = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]) * (width / 2, height / 2, 0)
    space = flat @ turn.T
    distance = width * rng.uniform(*settings["distance"])
    corners = space[:, :2] * (distance / (distance + space[:, 2:]))
    return np.asarray(corners * (width / side_lengths(corners)[0]), dtype=np.float64)


def to_image(polygon: Points, corners: Polygon) -> Polygon:
    """Map (n, 2) points from plate coordinates to the image where `corners` stand."""
    return np.asarray(map_points(plate_to_image(corners), polygon), dtype=np.float64)


def paste(
    image: Image, flat: Image, corners: Polygon, gain: float, board: Points = UNIT_SQUARE
) -> None:
    """Warp a flat picture onto a quadrangle of the image, in place, with soft edges.

    Args:
        image: (H, W, 3) RGB, changed.
        flat: (h, w, 3) RGB.
        corners: (4, 2) where `board` comes to stand, clockwise from its top left; what lies
            outside of the image is left out.
        gain: Light on the picture; 1 leaves it as it is.
        board: (4, 2) in shares of the flat picture, which may go on beyond it.
    """
    height, width = flat.shape[:2]
    if not np.array_equal(board, UNIT_SQUARE):
        whole = plate_to_image(corners) @ image_to_plate(board)
        corners = np.asarray(map_points(whole, UNIT_SQUARE), np.float64)
    x1, y1 = np.maximum(np.floor(corners.min(0)).astype(int) - 1, 0)
    x2, y2 = np.minimum(np.ceil(corners.max(0)).astype(int) + 2, image.shape[1::-1])
    if x2 <= x1 or y2 <= y1:
        return
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    homography = cv2.getPerspectiveTransform(source, (corners - (x1, y1)).astype(np.float32))
    size = (int(x2 - x1), int(y2 - y1))
    opaque = cv2.copyMakeBorder(
        np.full((height - 2, width - 2), 255, np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=128
    )
    warped = cv2.warpPerspective(flat, homography, size, borderMode=cv2.BORDER_REPLICATE)
    edge = cv2.warpPerspective(opaque, homography, size)
    # One value a channel: numpy is slow where it must repeat a last axis.
    alpha = cv2.merge([edge, edge, edge]).astype(np.float32) / 255.0
    region = image[y1:y2, x1:x2]
    mixed = region * (1 - alpha)
    alpha *= gain
    mixed += warped * alpha
    region[:] = np.clip(mixed, 0, 255, out=mixed).astype(np.uint8)


def within_image(corners: Polygon, image_size: tuple[int, int]) -> Polygon | None:
    """The part of a convex quadrangle that lies in an image; None where there is next to none.

    Args:
        corners: (4, 2) pixels.
        image_size: (width, height) in pixels.

    Returns:
        (n, 2) pixels, n at least 3.
    """
    border = region_corners((0, 0, *image_size))
    area, part = cv2.intersectConvexConvex(corners.astype(np.float32), border)
    return None if area < _MIN_VISIBLE_PX else np.asarray(part[:, 0], np.float64)
