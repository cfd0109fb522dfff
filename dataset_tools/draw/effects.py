"""Light and camera: what stands between a clean drawing and a photograph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Polygon = NDArray[np.float64]
_NOISE_SIGMA = 24.0


def exposure(rng: np.random.Generator) -> float:
    """A gain for the light on a plate."""
    return float(rng.uniform(0.5, 1.1))


def mount(image: Image, corners: Polygon, rng: np.random.Generator) -> None:
    """Paint, half of the time, the bumper or frame that a plate is mounted on, in place."""
    if rng.random() < 0.5:
        return
    centre = corners.mean(0)
    spread = np.array([rng.uniform(1.03, 1.5), rng.uniform(1.05, 1.9)])
    panel = centre + (corners - centre) * spread
    colour = np.clip(rng.uniform(0, 200) + rng.normal(0, 12, 3), 0, 255).tolist()
    cv2.fillConvexPoly(image, np.round(panel).astype(np.int32), colour, cv2.LINE_AA)


def cast_shadow(image: Image, taken: Sequence[Polygon], rng: np.random.Generator) -> None:
    """Darken a half plane of the image, in place; its edge runs through a plate if there is one."""
    height, width = image.shape[:2]
    centre = (
        taken[int(rng.integers(len(taken)))].mean(0) if taken else np.array([width, height]) / 2
    )
    point = centre + rng.normal(0, 0.04, 2) * width
    angle = rng.uniform(0, 2 * np.pi)
    along = np.array([np.cos(angle), np.sin(angle)]) * 2 * width
    across = np.array([-along[1], along[0]])
    quad = np.array([point - along, point + along, point + along + across, point - along + across])
    shade = np.zeros((height // 4, width // 4), np.uint8)
    cv2.fillConvexPoly(shade, np.round(quad / 4).astype(np.int32), 255)
    shade = cv2.blur(shade, (5, 5))
    darkness = np.uint8(255 * rng.uniform(0.25, 0.6))
    keep = 255 - cv2.multiply(shade, np.full_like(shade, darkness), scale=1 / 255)
    keep = cv2.resize(keep, (width, height), interpolation=cv2.INTER_LINEAR)
    cv2.multiply(image, cv2.merge([keep, keep, keep]), dst=image, scale=1 / 255)


def camera(
    image: Image, character_px: float, settings: Mapping[str, Any], rng: np.random.Generator
) -> Image:
    """Blur (focus or motion) and noise, each by chance, no more than leaves characters readable.

    Args:
        image: (H, W, 3) RGB.
        character_px: Height of the smallest characters in the image.
        settings: `dataset.draw`: `blur`, `max_blur`, `noise`, `max_noise`.
        rng: Where chance comes from.

    Returns:
        A new image of the same shape.
    """
    if rng.random() < settings["blur"]:
        sigma = rng.uniform(0.2, 1.0) * settings["max_blur"] * character_px
        if rng.random() < 0.3:
            image = _motion_blur(image, sigma * 3, rng.uniform(0, np.pi))
        elif sigma > 0.25:
            image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8)
    if rng.random() < settings["noise"]:
        share = rng.uniform(0.1, 1.0) * settings["max_noise"] / _NOISE_SIGMA
        image = _add_noise(image, share, rng)
    return image


def _motion_blur(image: Image, length_px: float, angle: float) -> Image:
    size = max(3, 2 * round(length_px / 2) + 1)
    kernel = np.zeros((size, size), np.float32)
    offset = np.array([np.cos(angle), np.sin(angle)]) * length_px / 2
    start, end = (tuple(np.round(size // 2 + s * offset).astype(int).tolist()) for s in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)


def _add_noise(image: Image, share: float, rng: np.random.Generator) -> Image:
    """Add a random window of one noise field: drawing a million numbers an image is too slow."""
    height, width = image.shape[:2]
    field = _noise_field(height + 64, width + 64)
    y, x = (int(value) for value in rng.integers(0, 64, 2))
    window = field[y : y + height, x : x + width]
    return np.asarray(cv2.addWeighted(image, 1.0, window, share, -128.0 * share), dtype=np.uint8)


@lru_cache(maxsize=8)
def _noise_field(height: int, width: int) -> Image:
    values = np.random.default_rng(0).normal(128.0, _NOISE_SIGMA, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)
