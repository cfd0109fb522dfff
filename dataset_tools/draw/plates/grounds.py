"""Surfaces: what a plate's text stands on, light on it, and ink that is pressed or worn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Colour, Image, as_image
from dataset_tools.draw.chance import pick, varied
from dataset_tools.draw.plates.blank import Blank

_SKIES = (
    *((90, 150, 220), (235, 120, 90), (120, 180, 130), (240, 200, 110), (160, 130, 190)),
    *((70, 110, 170), (220, 160, 180), (150, 200, 225)),
)
# Of a picture or a gradient's end so much is seen, so that the text stays legible.
_MAX_STRENGTH = 0.55


def gradient(blank: Blank, rng: np.random.Generator) -> None:
    """The ground fades into another colour: at the top, at the bottom, at both or to a side."""
    along = rng.random()
    length = blank.width if along < 0.2 else blank.height
    ramp = np.linspace(-1, 1, length, dtype=np.float32)
    if rng.random() < 0.5:
        ramp = -ramp
    if rng.random() < 0.3:
        ramp = 2 * np.abs(ramp) - 1
    start = rng.uniform(-0.6, 0.4)
    ramp = np.clip((ramp - start) / (1 - start), 0, 1) * rng.uniform(0.3, _MAX_STRENGTH)
    alpha = np.empty((blank.height, blank.width), np.float32)
    alpha[:] = ramp if along < 0.2 else ramp[:, None]
    _mix(blank, _plain(blank, _sky(blank, rng)), alpha)


def picture(blank: Blank, rng: np.random.Generator) -> None:
    """A pale landscape: hills, a sun, a tree, or shapes that only the maker could name."""
    small_h, small_w = 24, max(24, round(24 * blank.width / blank.height))
    scene = np.empty((small_h, small_w, 3), np.uint8)
    scene[:] = np.array(blank.background, np.uint8)
    for _ in range(int(rng.integers(2, 6))):
        colour = _sky(blank, rng)
        x, y = rng.uniform(0, small_w), rng.uniform(0.2, 1.0) * small_h
        if rng.random() < 0.4:
            cv2.circle(scene, (int(x), int(y)), int(rng.integers(2, 9)), colour, -1)
        else:
            count = int(rng.integers(4, 8))
            tops = rng.uniform(0.25, 0.95, count) * small_h
            xs = np.linspace(0, small_w, count)
            hills = np.stack([xs, tops], axis=1).round().astype(np.int32)
            ground = np.array([(small_w, small_h), (0, small_h)], np.int32)
            cv2.fillPoly(scene, [np.concatenate([hills, ground])], colour)
    large = cv2.resize(scene, (blank.width, blank.height), interpolation=cv2.INTER_LINEAR)
    strength = rng.uniform(0.25, _MAX_STRENGTH)
    blank.image[:] = cv2.addWeighted(blank.image, 1 - strength, large, strength, 0)


def shade(blank: Blank, rng: np.random.Generator) -> None:
    """Light falls unevenly: from one side to the other, or lighter above than below."""
    ramp = np.linspace(rng.uniform(-34, 10), rng.uniform(-10, 24), 8, dtype=np.float32)
    tilt = np.linspace(rng.uniform(-14, 14), rng.uniform(-14, 10), 4, dtype=np.float32)
    light = cv2.resize(ramp[None] + tilt[:, None], (blank.width, blank.height))
    blank.image[:] = cv2.add(blank.image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


def sheen(blank: Blank, rng: np.random.Generator) -> None:
    """A streak of light across the plate, text and all."""
    across = np.linspace(0, 1, blank.width, dtype=np.float32)[None]
    down = np.linspace(0, 1, blank.height, dtype=np.float32)[:, None]
    tilt, middle = np.float32(rng.uniform(-0.25, 0.25)), np.float32(rng.uniform(-0.1, 1.1))
    place = across + down * tilt - middle
    streak = np.exp(-((place / np.float32(rng.uniform(0.03, 0.25))) ** 2))
    _mix(blank, _plain(blank, (255, 255, 255)), streak * np.float32(rng.uniform(0.12, 0.4)))


def _mix(blank: Blank, other: Image, alpha: NDArray[np.float32]) -> None:
    """Lay a picture over the plate, as densely as `alpha` (H, W) says, from 0 to 1."""
    blank.image[:] = cv2.blendLinear(blank.image, other, 1 - alpha, alpha)


def _plain(blank: Blank, colour: Colour) -> Image:
    other = np.empty_like(blank.image)
    other[:] = np.asarray(colour, np.uint8)
    return other


def _sky(blank: Blank, rng: np.random.Generator) -> list[float]:
    """A colour as far from the text's as the ground is, or farther."""
    colour = varied(pick(_SKIES, rng), 25, rng)
    return [value * 0.5 for value in colour] if blank.is_dark else colour


def worn(coverage: Image, rng: np.random.Generator) -> Image:
    """The ink (H, W) of characters from which some has come off in patches."""
    height, width = coverage.shape
    coarse = rng.random((max(height // 5, 2), max(width // 5, 2)), np.float32)
    patches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    lost = np.clip(patches - rng.uniform(0.3, 0.7), 0, 1) * rng.uniform(0.2, 0.9)
    return as_image(coverage * (1 - lost))


def emboss(image: Image, coverage: Image, rng: np.random.Generator) -> None:
    """Light and shadow on the edges of pressed characters, in place."""
    height = image.shape[0]
    soft = cv2.GaussianBlur(coverage, (0, 0), max(0.5, height * rng.uniform(0.005, 0.014)))
    step = max(1, round(height * 0.014))
    below, above = soft[2 * step :, step:-step], soft[: -2 * step, step:-step]
    strength = rng.uniform(0.08, 0.35)
    if rng.random() < 0.3:
        # Pressed in, or the light comes from below.
        below, above = above, below
    inner = image[step:-step, step:-step]
    for sign, one, other in ((1, below, above), (-1, above, below)):
        edge = cv2.merge([cv2.convertScaleAbs(cv2.subtract(one, other), alpha=strength)] * 3)
        inner[:] = cv2.add(inner, edge) if sign > 0 else cv2.subtract(inner, edge)
