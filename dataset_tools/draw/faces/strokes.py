"""Plate lettering without a font: each face is new, its characters drawn with strokes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import tan
from typing import Any

import cv2
import numpy as np

from dataset_tools.draw.brushes import Image, as_image
from dataset_tools.draw.chance import pick, pick_by_share
from dataset_tools.draw.faces.families import FAMILIES
from dataset_tools.draw.faces.glyphs import INK, MASTER_PX, Glyph, glyph, outline_of
from dataset_tools.draw.faces.letterforms import FORMS, Box
from dataset_tools.draw.faces.pen import Pen, ink
from dataset_tools.draw.faces.traits import Traits, random_traits

CHARACTERS = "".join(FORMS)

# Round the box, for corners and slants that leave it.
_PAD_PX = 6
# Makes the edge of blurred ink sharp again; what the blur leaves are round corners.
_EDGE = np.clip((np.arange(256) - 127.5) * 3 + 127.5, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Face:
    """A stroke alphabet of A to Z and 0 to 9.

    Attributes:
        family: Name of the family that it was drawn from.
        traits: Forms of the characters.
        pen: What they are drawn with.
        widths: Width of each character's box, in heights.
        weights: Thickness of each character's strokes, of the pen's.
        blur: By how much all corners are rounded, sigma in pixels of the master.
        slant: Tangent of the lean to the right.
    """

    family: str
    traits: Traits
    pen: Pen
    widths: Mapping[str, float]
    weights: Mapping[str, float]
    blur: float
    slant: float

    def glyph(self, character: str) -> Glyph:
        """Draw a character, about 96 px high.

        Raises:
            KeyError: It is none of `CHARACTERS`.
        """
        width, weight = self.widths[character], self.weights[character]
        # The left corners of B and D, square on real dies, tell them from 8 and 0.
        keep = 0.5 if character in "BD" else 1.0
        pen = Pen(self.pen.across * weight, self.pen.along, self.pen.softness * keep)
        mask = ink(FORMS[character](Box(self.traits, pen, width)), pen, width, MASTER_PX, _PAD_PX)
        mask = _rounded(mask, self.blur * keep)
        if self.slant:
            mask = _slanted(mask, self.slant)
        binary = as_image(cv2.threshold(mask, INK, 1, cv2.THRESH_BINARY)[1])
        left, top, across, down = cv2.boundingRect(binary)
        cut = slice(top, top + down), slice(left, left + across)
        return Glyph(mask[cut].copy(), outline_of(binary[cut]), across / MASTER_PX)


def random_face(rng: np.random.Generator) -> Face:
    """A face that looks like the lettering of some country's plates, and like no other face."""
    name = pick_by_share({name: family.weight for name, family in FAMILIES.items()}, rng)
    family = FAMILIES[name]
    width = rng.uniform(*family.width)
    thickness = min(rng.uniform(*family.thickness), 0.31 * width)
    # Three level strokes and their gaps share the height.
    level = min(thickness * rng.uniform(0.82, 1.05), 0.18)
    pen = Pen(thickness / 2, level / 2, rng.uniform(*family.softness))
    blur = rng.uniform(*family.blur)
    traits = random_traits(family, thickness, rng)
    # All corners of a soft face are round: those of bowls must be rounder.
    least = 0.4 + 0.25 * pen.softness + 0.06 * blur
    traits = replace(traits, roundness=max(traits.roundness, least))
    widths = _widths(width, thickness, traits, rng.random() < family.even, rng)
    weights = {character: 1 + 0.02 * float(rng.normal()) for character in CHARACTERS}
    # Four strokes share the width of M and W, more of it if all are long; A must stay open.
    shares = {
        "M": 0.2 if traits.m_depth < 0.9 else 0.175,
        "W": 0.2 if traits.w_rise > 0.1 else 0.175,
        "A": 0.26,
    }
    for character, share in shares.items():
        limit = share * widths[character] / thickness
        weights[character] = min(weights[character], limit)
    slant = tan(rng.normal(0, 0.025)) if rng.random() < 0.3 else 0.0
    return Face(name, traits, pen, widths, weights, blur, slant)


def random_letters(
    alphabet: str, settings: Mapping[str, Any], rng: np.random.Generator
) -> Callable[[str], Glyph]:
    """What plates are lettered with: a stroke face if it has all characters, or else a font.

    Args:
        alphabet: The characters that must be there.
        settings: `dataset.draw`: `strokes`, how often it is a stroke face, and `fonts`.
        rng: Where chance comes from.
    """
    if rng.random() < settings["strokes"] and set(alphabet) <= set(CHARACTERS):
        return random_face(rng).glyph
    return partial(glyph, pick(settings["fonts"], rng))


def _widths(
    width: float, thickness: float, traits: Traits, even: bool, rng: np.random.Generator
) -> dict[str, float]:
    """The width of each character's box, in heights; in an even face nearly all the same."""
    ranges = dict.fromkeys(CHARACTERS, (0.97, 1.03))
    ranges |= dict.fromkeys("MW", (1.05, 1.42)) | dict.fromkeys("AKTVXY", (0.97, 1.14))
    ranges |= dict.fromkeys("EFLJ", (0.82, 1.0)) | dict.fromkeys("CGOQ", (1.0, 1.1))
    share = {kind: rng.random() for kind in ("MW", "AKTVXY", "EFLJ", "CGOQ", "0123456789")}
    digits = 1 - 0.12 * rng.random()
    play = rng.normal(0, 0.015, len(CHARACTERS))
    widths = {}
    for character, noise in zip(CHARACTERS, play, strict=True):
        low, high = ranges[character]
        kind = next((kind for kind in share if character in kind), "")
        factor = low + (high - low) * share.get(kind, 0.5)
        if character.isdigit():
            factor = digits
        if even:
            factor = 1 + 0.3 * (factor - 1)
        widths[character] = width * (factor + float(noise))
    if traits.o_more == 1.0:
        widths["O"] = widths["Q"] = widths["0"]
    one = {"stem": 0.0, "flag": rng.uniform(0.5, 0.72), "base": rng.uniform(0.68, 0.9)}
    bars = rng.uniform(0.75, 0.95) if even else rng.uniform(0.5, 0.85)
    widths["1"] = thickness if traits.one == "stem" else max(one[traits.one] * width, 2 * thickness)
    widths["I"] = max(bars * width, 2.2 * thickness) if traits.i_bars else thickness
    return widths


def _rounded(mask: Image, sigma: float) -> Image:
    """Round all corners, as if by a blur and a threshold; its edges stay soft by a pixel."""
    if sigma <= 0.3:
        return mask
    if sigma < 1.2:
        blurred = cv2.GaussianBlur(mask, (5, 5), sigma)
    else:
        # Two box blurs take less than half of the time of a wide Gaussian one.
        size = 3 if sigma < 1.6 else 5 if sigma < 2.4 else 7
        blurred = cv2.blur(cv2.blur(mask, (size, size)), (size, size))
    return as_image(cv2.LUT(blurred, _EDGE))


def _slanted(mask: Image, slant: float) -> Image:
    """Lean a mask to the right; its rows stay."""
    height, width = mask.shape
    more = round(abs(slant) * height) + 1
    shear = np.array([[1.0, -slant, more / 2 + slant * height / 2], [0.0, 1.0, 0.0]])
    return as_image(cv2.warpAffine(mask, shear, (width + more, height)))
