"""Light and camera: what stands between a clean drawing and a photograph.

`EFFECTS` are the named steps of `dataset.draw.effects`, each of which leaves labelled plates
readable for a person; `cast_shadow` and `camera` have settings of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np

from dataset_tools.draw.brushes import Image, Polygon, as_image, lay_ink, multiply
from dataset_tools.draw.chance import pick

_NOISE_SIGMA = 24.0
# Characters are not shrunk below this height, nor those that are lower spoilt by strong effects.
_MIN_CHARACTER_PX = 10.0
# What changes light leaves plates so much contrast, in grey levels.
_MIN_CONTRAST = 50.0
# Light that is added to a plate takes no more of its contrast than this, in grey levels.
_MAX_GLARE = 90.0


@dataclass(frozen=True)
class Subject:
    """What an effect must leave readable.

    Attributes:
        plates: The corners (4, 2) of each plate, in pixels.
        character_px: Height of the smallest characters of any.
    """

    plates: Sequence[Polygon]
    character_px: float

    @property
    def is_large(self) -> bool:
        """Whether the characters stand strong effects."""
        return self.character_px > 1.8 * _MIN_CHARACTER_PX


Effect = Callable[[Image, Subject, np.random.Generator], Image]


def cast_shadow(image: Image, taken: Sequence[Polygon], rng: np.random.Generator) -> None:
    """Darken a half plane of the image, in place; its edge runs through a plate if there is one."""
    height, width = image.shape[:2]
    centre = pick(taken, rng).mean(0) if taken else np.array([width, height]) / 2
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
            image = as_image(cv2.GaussianBlur(image, (0, 0), sigma))
    if rng.random() < settings["noise"]:
        share = rng.uniform(0.1, 1.0) * settings["max_noise"] / _NOISE_SIGMA
        image = _add_noise(image, share, rng)
    return image


def apply_effects(
    image: Image,
    subject: Subject,
    shares: Mapping[str, float],
    generator: Callable[[str], np.random.Generator],
) -> Image:
    """Apply named steps, each by chance, in the order in which light meets them.

    Args:
        image: (H, W, 3) RGB, which may be changed.
        subject: What must stay readable.
        shares: How often each of `EFFECTS` is applied, from 0 to 1.
        generator: Gives each name a generator of its own, one of which says which steps are taken.

    Returns:
        An image of the same shape.
    """
    chances = generator("effects").random(len(EFFECTS))
    for (name, effect), chance in zip(EFFECTS.items(), chances, strict=True):
        if chance < shares.get(name, 0.0):
            image = effect(image, subject, generator(name))
    return image


def _dirt(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """A film of mud on each plate, thicker in blotches, with specks."""
    for corners in subject.plates:
        low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0)), image.shape[1::-1]).astype(int)
        width, height = (int(side) for side in high - low)
        if min(width, height) < 4:
            continue
        coarse = np.clip(rng.normal(-0.1, 0.35, (4, 12)), 0, 1) * rng.uniform(60, 130)
        cover = cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(int(rng.integers(0, 40))):
            centre = (rng.uniform(0, 1, 2) * (width, height)).astype(int).tolist()
            radius = max(1, round(subject.character_px * rng.uniform(0.01, 0.06)))
            cv2.circle(cover, centre, radius, int(rng.integers(60, 190)), -1, cv2.LINE_AA)
        inside = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(inside, np.round(corners - low).astype(np.int32), 1)
        mud = np.array([rng.uniform(60, 150)]) * (1.0, rng.uniform(0.8, 1), rng.uniform(0.6, 1))
        region = image[low[1] : high[1], low[0] : high[0]]
        lay_ink(region, as_image(cover * inside), mud.astype(np.float32))
    return image


def _shadow(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """The edge of a shadow through a plate, or light through leaves."""
    if rng.random() < 0.7:
        cast_shadow(image, subject.plates, rng)
        return image
    coarse = rng.normal(0.85, rng.uniform(0.1, 0.3), (int(rng.integers(4, 16)),) * 2)
    multiply(image, (np.clip(coarse, 0.45, 1.1) * 128).astype(np.uint8))
    return image


def _glare(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Sun or lamps: up to three bright spots, weaker where they would wash a plate out."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0 : height : height / 45, 0 : width : width / 60].astype(np.float32)
    light = np.zeros_like(x)
    for _ in range(int(rng.integers(1, 4))):
        at = rng.uniform(0, 1, 2) * (width, height)
        reach = width * rng.uniform(0.02, 0.2)
        distance = ((x - at[0]) ** 2 + (y - at[1]) ** 2) / reach**2
        light += rng.uniform(80, 300) * np.exp(-distance / 2)
    rows, columns = light.shape
    for corners in subject.plates:
        cells = np.clip(corners / (width, height) * (columns, rows), 0, (columns - 1, rows - 1))
        (x1, y1), (x2, y2) = cells.min(0).astype(int), cells.max(0).astype(int)
        brightest = float(light[y1 : y2 + 1, x1 : x2 + 1].max())
        if brightest > _MAX_GLARE:
            light *= _MAX_GLARE / brightest
    tint = np.array([1.0, rng.uniform(0.85, 1), rng.uniform(0.7, 1)], np.float32)
    coarse = np.clip(light[..., None] * tint, 0, 255).astype(np.uint8)
    return as_image(cv2.add(image, cv2.resize(coarse, (width, height))))


def _rain(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Streaks of falling drops."""
    height, width = image.shape[:2]
    streaks = np.zeros((height, width), np.uint8)
    slant, length = rng.uniform(-0.3, 0.3), height * rng.uniform(0.02, 0.08)
    starts = rng.uniform(-0.05, 1, (int(rng.integers(60, 260)), 2)) * (width, height)
    for start, share in zip(starts, rng.uniform(0.5, 1.2, len(starts)), strict=True):
        end = start + np.array([slant, 1.0]) * length * share
        cv2.line(streaks, start.astype(int).tolist(), end.astype(int).tolist(), 255, 1)
    streaks = as_image(cv2.blur(streaks, (2, 3)))
    strength = rng.uniform(0.15, 0.4)
    return as_image(cv2.addWeighted(image, 1.0, cv2.merge([streaks] * 3), strength, 0))


def _haze(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Fog or a dusty lens: all is mixed with a bright grey."""
    share = min(rng.uniform(0.1, 0.45), 1 - _least_gain(image, subject))
    return as_image(cv2.convertScaleAbs(image, alpha=1 - share, beta=share * rng.uniform(120, 235)))


def _overexposure(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Too much light: bright parts burn out."""
    gain, offset = rng.uniform(1.1, 1.5), rng.uniform(0, 25)
    return as_image(cv2.convertScaleAbs(image, alpha=gain, beta=offset))


def _low_light(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Dusk or night: little light, dark parts darker still, and the sensor's noise."""
    gain, gamma = max(rng.uniform(0.25, 0.75), _least_gain(image, subject)), rng.uniform(0.9, 1.3)
    levels = 255 * gain * (np.arange(256) / 255) ** gamma + rng.uniform(0, 12)
    dark = as_image(cv2.LUT(image, np.clip(levels, 0, 255).astype(np.uint8)))
    return _add_noise(dark, gain * rng.uniform(3, 14) / _NOISE_SIGMA, rng)


def _tone(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """A camera's own curve: contrast and gamma."""
    contrast = max(rng.uniform(0.75, 1.35), _least_gain(image, subject))
    values = np.clip((np.arange(256) / 255 - 0.5) * contrast + 0.5, 0, 1)
    levels = 255 * values ** rng.uniform(0.7, 1.4)
    return as_image(cv2.LUT(image, levels.astype(np.uint8)))


def _colour_cast(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """A wrong white balance, faded colours, or none at all."""
    if rng.random() < 0.5:
        table = np.clip(np.arange(256)[:, None] * rng.uniform(0.75, 1.2, 3), 0, 255)
        return as_image(cv2.LUT(image, table.astype(np.uint8).reshape(1, 256, 3)))
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = 1.0 if rng.random() < 0.3 else rng.uniform(0.2, 0.8)
    return as_image(cv2.addWeighted(image, 1 - share, grey, share, 0))


def _defocus(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """A lens out of focus."""
    sigma = rng.uniform(0.02, 0.065 if subject.is_large else 0.04) * subject.character_px
    return as_image(cv2.GaussianBlur(image, (0, 0), sigma)) if sigma > 0.3 else image


def _motion(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Movement while the shutter is open, mostly sideways."""
    longest = 0.18 if subject.is_large else 0.12
    length = min(rng.uniform(0.05, longest) * subject.character_px, 15.0)
    return _motion_blur(image, length, rng.normal(0, 0.5)) if length > 1 else image


def _low_resolution(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Scaled down and up again, as a far camera or a thumbnail is."""
    height, width = image.shape[:2]
    lowest = max(0.3, _MIN_CHARACTER_PX / subject.character_px)
    if lowest > 0.85:
        return image
    scale = rng.uniform(lowest, 0.9)
    method = pick((cv2.INTER_AREA, cv2.INTER_LINEAR), rng)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(image, size, interpolation=method)
    method = pick((cv2.INTER_LINEAR, cv2.INTER_CUBIC), rng)
    return as_image(cv2.resize(small, (width, height), interpolation=method))


def _noise(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """The sensor's noise, in grains or in blotches; less where characters are small."""
    most = 12.0 if subject.is_large else 6.0
    return _add_noise(image, rng.uniform(1.0, most) / _NOISE_SIGMA, rng)


def _sharpening(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """A camera's sharpening, with its bright rims."""
    amount = rng.uniform(0.3, 1.4)
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 1.6))
    return as_image(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))


def _jpeg(image: Image, subject: Subject, rng: np.random.Generator) -> Image:
    """Blocks of strong compression; less where characters are small."""
    lowest = 30 if subject.is_large else 60
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(lowest, 86))]
    _, encoded = cv2.imencode(".jpg", image, quality)
    return as_image(cv2.imdecode(encoded, cv2.IMREAD_COLOR))


# In the order in which they are applied: what lies on plates, light, air, lens, sensor, file.
EFFECTS: dict[str, Effect] = {
    "dirt": _dirt,
    "shadow": _shadow,
    "glare": _glare,
    "rain": _rain,
    "haze": _haze,
    "overexposure": _overexposure,
    "low_light": _low_light,
    "tone": _tone,
    "colour_cast": _colour_cast,
    "defocus": _defocus,
    "motion": _motion,
    "low_resolution": _low_resolution,
    "noise": _noise,
    "sharpening": _sharpening,
    "jpeg": _jpeg,
}


def _least_gain(image: Image, subject: Subject) -> float:
    """The gain, up to 1, at which the plate with the least contrast still has enough."""
    contrasts = [255.0]
    for corners in subject.plates:
        low = np.maximum(corners.min(0), 0).astype(int)
        high = np.ceil(corners.max(0)).astype(int)
        # Of the middle, where the text is and little else.
        inset = (high - low) // 5
        (x1, y1), (x2, y2) = low + inset, high - inset
        inside = image[y1:y2:2, x1:x2:2, 1]
        if inside.size:
            dark, bright = np.percentile(inside, (8, 92))
            contrasts.append(float(bright - dark))
    return min(1.0, _MIN_CONTRAST / max(min(contrasts), 1.0))


def _motion_blur(image: Image, length_px: float, angle: float) -> Image:
    size = max(3, 2 * round(length_px / 2) + 1)
    kernel = np.zeros((size, size), np.float32)
    offset = np.array([np.cos(angle), np.sin(angle)]) * length_px / 2
    start, end = (tuple(np.round(size // 2 + s * offset).astype(int).tolist()) for s in (-1, 1))
    cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA)
    return as_image(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _add_noise(image: Image, share: float, rng: np.random.Generator) -> Image:
    """Add a random window of one noise field: drawing a million numbers an image is too slow."""
    height, width = image.shape[:2]
    field = _noise_field(height + 64, width + 64)
    y, x = (int(value) for value in rng.integers(0, 64, 2))
    window = field[y : y + height, x : x + width]
    return as_image(cv2.addWeighted(image, 1.0, window, share, -128.0 * share))


@lru_cache(maxsize=8)
def _noise_field(height: int, width: int) -> Image:
    values = np.random.default_rng(0).normal(128.0, _NOISE_SIGMA, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)
