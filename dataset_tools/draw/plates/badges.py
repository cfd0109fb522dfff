"""Small figures on plates: seals, coats of arms, flags, stars, and what parts groups of text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dataset_tools.draw.brushes import Colour, Image, Polygon, fill, shrunk
from dataset_tools.draw.chance import pick, varied
from dataset_tools.draw.plates.blank import Blank, blend, rounded
from sub_module.plates.geometry import Box

_RING_PX = 64
_VIVID = (
    *((30, 70, 160), (200, 30, 40), (240, 195, 30), (35, 130, 70), (235, 120, 30), (120, 80, 150)),
    *((215, 215, 215), (150, 150, 155), (60, 60, 65), (150, 100, 60), (70, 160, 200)),
)


def stars(blank: Blank, centre: Sequence[float], radius: float, colour: Colour) -> None:
    """A ring of twelve stars of an outer radius."""
    size = max(round(2 * radius), 3)
    left, top = round(centre[0] - size / 2), round(centre[1] - size / 2)
    if left < 0 or top < 0:
        return
    ring = shrunk(_ring(), (size, size))
    blend(blank.image[top : top + size, left : left + size], ring, colour)


@lru_cache(maxsize=1)
def _ring() -> Image:
    ring = np.zeros((_RING_PX, _RING_PX), np.uint8)
    for angle in np.arange(12) * np.pi / 6:
        x, y = _RING_PX / 2 + 0.4 * _RING_PX * np.array([np.sin(angle), -np.cos(angle)])
        fill(ring, _star(x, y, 0.095 * _RING_PX), (255,))
    return ring


def _star(x: float, y: float, radius: float) -> Polygon:
    angles = np.arange(10) * np.pi / 5
    reach = np.where(np.arange(10) % 2, 0.5, 1.0) * radius
    return np.stack([x + reach * np.sin(angles), y - reach * np.cos(angles)], axis=1)


def flag(blank: Blank, box: Sequence[float], rng: np.random.Generator) -> None:
    """Stripes of two or three colours, or a disc on one."""
    x1, y1, x2, y2 = box
    colours = [_vivid(rng) for _ in range(3)]
    if rng.random() < 0.25:
        blank.fill(box, colours[0])
        blank.disc(((x1 + x2) / 2, (y1 + y2) / 2), (y2 - y1) * 0.3, colours[1])
        return
    upright = rng.random() < 0.4
    for i, colour in enumerate(colours):
        start, stop = i / 3, (i + 1) / 3
        if upright:
            blank.fill((x1 + (x2 - x1) * start, y1, x1 + (x2 - x1) * stop, y2), colour)
        else:
            blank.fill((x1, y1 + (y2 - y1) * start, x2, y1 + (y2 - y1) * stop), colour)


def emblem(blank: Blank, centre: Sequence[float], radius: float, rng: np.random.Generator) -> None:
    """A shield, a disc, a label or a blob with something on it."""
    x, y = centre
    colour = _vivid(rng)
    kind = rng.integers(5)
    if kind == 0:
        shape = np.array([(-0.8, -0.9), (0.8, -0.9), (0.8, 0.1), (0.5, 0.65), (0, 1), (-0.5, 0.65)])
        outline = np.concatenate([shape, [(-0.8, 0.1)]])
    elif kind == 1:
        width = rng.uniform(0.6, 0.95)
        outline = rounded((-width, -0.95, width, 0.95), 0.2)
    elif kind == 2:
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        reach = rng.uniform(0.45, 1.0, 14)
        outline = np.stack([reach * np.cos(angles), reach * np.sin(angles)], axis=1)
    else:
        _disc(blank, x, y, radius, rng)
        return
    blank.polygon(outline * radius + (x, y), colour)
    if rng.random() < 0.5:
        blank.polygon(outline * radius + (x, y), _vivid(rng), radius * 0.12)
    _device(blank, x, y, radius, rng)


def _disc(blank: Blank, x: float, y: float, radius: float, rng: np.random.Generator) -> None:
    """A round sticker: coloured or silver, with a rim."""
    colour = _vivid(rng) if rng.random() < 0.6 else varied((205, 205, 200), 20, rng)
    blank.disc((x, y), radius, colour)
    if rng.random() < 0.7:
        rim = _vivid(rng) if rng.random() < 0.6 else varied((70, 70, 75), 30, rng)
        blank.disc((x, y), radius * 0.92, rim, radius * 0.15)
    _device(blank, x, y, radius * 0.8, rng)


def _device(blank: Blank, x: float, y: float, radius: float, rng: np.random.Generator) -> None:
    """What is on a seal: a lion, an eagle, a year, too small to tell."""
    for _ in range(int(rng.integers(1, 4))):
        at = (x + radius * rng.uniform(-0.35, 0.35), y + radius * rng.uniform(-0.35, 0.35))
        colour = _vivid(rng) if rng.random() < 0.7 else (25.0, 25.0, 30.0)
        if rng.random() < 0.5:
            blank.disc(at, radius * rng.uniform(0.15, 0.4), colour)
        else:
            points = rng.uniform(-0.55, 0.55, (5, 2)) * radius + at
            blank.polygon(points, colour)


def seals(blank: Blank, gap: Box, rng: np.random.Generator) -> None:
    """Two round stickers above each other, or one."""
    x1, y1, x2, y2 = gap
    x, height = (x1 + x2) / 2, y2 - y1
    fits = (x2 - x1) / 2 * 0.96
    if rng.random() < 0.7:
        upper = min(height * rng.uniform(0.19, 0.25), fits)
        lower = min(height * rng.uniform(0.21, 0.28), fits)
        top = y1 + upper * rng.uniform(0.7, 1.0)
        _disc(blank, x, top, upper, rng)
        _disc(blank, x, max(y2 - lower * rng.uniform(0.7, 1.1), top + upper + lower), lower, rng)
    else:
        radius = min(height * rng.uniform(0.24, 0.4), fits)
        _disc(blank, x, (y1 + y2) / 2 + height * rng.uniform(-0.15, 0.15), radius, rng)


def between(blank: Blank, gap: Box, rng: np.random.Generator) -> None:
    """A coat of arms or a picture."""
    x1, y1, x2, y2 = gap
    radius = min((y2 - y1) * rng.uniform(0.3, 0.5), (x2 - x1) / 2 * 0.96)
    emblem(blank, ((x1 + x2) / 2, (y1 + y2) / 2), radius, rng)


def hyphen(blank: Blank, gap: Box, rng: np.random.Generator) -> None:
    """A short bar at half the height, of the text's colour."""
    x1, y1, x2, y2 = gap
    height = y2 - y1
    half = min((x2 - x1) * rng.uniform(0.22, 0.4), height * 0.24)
    line, y = height * rng.uniform(0.035, 0.075), y1 + height * rng.uniform(0.44, 0.56)
    x = (x1 + x2) / 2
    points = np.array([(x - half, y - line), (x + half, y - line), (x + half, y + line)])
    blank.polygon(np.concatenate([points, [(x - half, y + line)]]), blank.ink)


def dot(blank: Blank, gap: Box, rng: np.random.Generator) -> None:
    """A dot at half the height or on the line, of the text's colour."""
    x1, y1, x2, y2 = gap
    height = y2 - y1
    radius = min(height * rng.uniform(0.05, 0.1), (x2 - x1) * 0.4)
    y = y1 + height * rng.uniform(0.42, 0.56) if rng.random() < 0.75 else y2 - radius
    x = (x1 + x2) / 2
    if rng.random() < 0.5:
        blank.disc((x, y), radius, blank.ink)
    else:
        blank.polygon(rounded((x - radius, y - radius, x + radius, y + radius), 0), blank.ink)


def _vivid(rng: np.random.Generator) -> list[float]:
    return varied(pick(_VIVID, rng), 25, rng)
