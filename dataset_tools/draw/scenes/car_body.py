"""What the parts of one car go by: its proportions, its colours, the light on it.

Sizes are in metres, in the plane of the plate about its middle; y runs down.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image
from dataset_tools.draw.chance import pick

Rgb = NDArray[np.float64]
_PAINTS = np.array(
    [
        *[(235, 235, 232), (190, 192, 196), (120, 123, 128), (70, 72, 76), (24, 24, 27)],
        *[(150, 24, 28), (28, 50, 110), (60, 100, 160), (30, 70, 50), (190, 175, 145)],
        *[(225, 190, 40), (205, 90, 30), (90, 60, 45), (110, 130, 140)],
    ],
    np.float64,
)
_PAINT_SHARES = np.array([18, 16, 13, 9, 16, 7, 6, 4, 3, 3, 1.5, 1.5, 1, 1])


@dataclass(frozen=True)
class Body:
    """The proportions and colours of one car.

    Attributes:
        x: Of the car's middle.
        half: Half the car's width.
        roof: Heights, down: of the roof,
        belt: of the windows' lower edge,
        bottom: of the body's lower edge,
        ground: and of the road.
        squareness: Of the body's outline.
        taper: Of the cabin: how much narrower it is above.
        paint: RGB.
        trim: RGB of bumpers and frames.
        plate: Half the plate's width and half its height.
    """

    x: float
    half: float
    roof: float
    belt: float
    bottom: float
    ground: float
    squareness: float
    taper: float
    paint: Rgb
    trim: Rgb
    plate: tuple[float, float]


def random_body(plate_half: float, plate_high: float, rng: np.random.Generator) -> Body:
    """A car for a plate of so much half a width and half a height, in metres."""
    paint = _PAINTS[rng.choice(len(_PAINTS), p=_PAINT_SHARES / _PAINT_SHARES.sum())]
    is_off_centre = rng.random() < 0.08
    belt = -rng.uniform(0.28, 0.8)
    bottom = plate_high + rng.uniform(0.03, 0.5)
    return Body(
        x=rng.choice((-1, 1)) * rng.uniform(0.25, 0.5) if is_off_centre else rng.normal(0, 0.02),
        half=rng.uniform(0.76, 1.02),
        roof=belt - rng.uniform(0.35, 0.75),
        belt=belt,
        bottom=bottom,
        ground=bottom + rng.uniform(0.08, 0.32),
        squareness=rng.uniform(4.0, 10.0),
        taper=rng.uniform(0.0, 0.2),
        paint=jittered(paint, 12, rng),
        trim=jittered(np.full(3, rng.uniform(18, 75)), 4, rng),
        plate=(plate_half, plate_high),
    )


def motorcycle_paint(rng: np.random.Generator) -> Rgb:
    """The colour of a motorcycle: any as often as the others."""
    return jittered(pick(_PAINTS, rng), 12, rng)


def jittered(colour: Rgb, spread: float, rng: np.random.Generator) -> Rgb:
    """A colour changed by chance, in its light more than in its tint."""
    return np.clip(colour + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 0, 255)


def grey(low: float, high: float, rng: np.random.Generator) -> Rgb:
    """A grey between two levels, hardly tinted."""
    return jittered(np.full(3, rng.uniform(low, high)), 4, rng)


def sheen(image: Image, rng: np.random.Generator) -> NDArray[np.float64]:
    """The light on paint, falling off downwards and to the sides, with blotches; often with what
    surrounds the car in it, (6, 8) or (18, 32)."""
    down = np.linspace(rng.uniform(1.0, 1.3), rng.uniform(0.55, 1.0), 6)[:, None]
    across = 1 - rng.uniform(0, 0.35) * np.linspace(-1, 1, 8)[None] ** 2
    lopsided = 1 + rng.uniform(-0.2, 0.2) * np.linspace(-1, 1, 8)[None]
    field = down * across * lopsided * (1 + rng.normal(0, 0.06, (6, 8)))
    if rng.random() < 0.5:
        field[rng.integers(0, 5)] *= rng.uniform(1.1, 1.4)
    if rng.random() < 0.4:
        return field
    y, x = (int(value) for value in rng.random(2) * np.array(image.shape[:2]) / 2)
    seen = image[y : y + 144 : 8, x : x + 256 : 8, 1].astype(np.float64)
    seen = np.asarray(cv2.blur(seen, (3, 3)), np.float64) / max(float(seen.mean()), 20.0)
    mirrored = 1 + rng.uniform(0.05, 0.3) * (np.clip(seen, 0, 2) - 1)
    return np.asarray(cv2.resize(field, mirrored.shape[::-1]), np.float64) * mirrored
