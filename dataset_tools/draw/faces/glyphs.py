"""Characters of TrueType fonts as masks and outlines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sub_module.errors import ConfigError

MASTER_PX = 96
# Words are small print.
_WORD_PX = 40
# What is darker counts as ink, of 255.
INK = 127


@dataclass(frozen=True)
class Glyph:
    """A character at master size, cut to its ink.

    Attributes:
        mask: (h, w) uint8, 255 where there is ink.
        outline: (n, 2) float64, the outer contour of the ink as shares of width and height.
        relative_width: Ink width over the height of the font's capitals and digits.
    """

    mask: NDArray[np.uint8]
    outline: NDArray[np.float64]
    relative_width: float


def font_path(name: str) -> Path:
    """The file of a font: an existing path, or a file name among matplotlib's fonts.

    Raises:
        ConfigError: There is no such file.
    """
    bundled = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    for path in (Path(name), bundled):
        if path.is_file():
            return path
    raise ConfigError(f"dataset.draw.fonts: no font file {name!r}")


@lru_cache(maxsize=4096)
def glyph(font: str, character: str) -> Glyph:
    """The glyph of a character in a font (see `font_path`).

    Raises:
        ConfigError: There is no such font, it is none, or it has no ink for the character.
    """
    face = _face(font, MASTER_PX)
    canvas = Image.new("L", (3 * MASTER_PX, 3 * MASTER_PX))
    ImageDraw.Draw(canvas).text((MASTER_PX, MASTER_PX // 2), character, fill=255, font=face)
    ink = np.asarray(canvas)
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    _, top, _, bottom = face.getbbox("H")
    if ink.max() <= INK or bottom <= top:
        raise ConfigError(f"dataset.draw.fonts: {font!r} cannot draw {character!r}")
    mask = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    return Glyph(mask, outline_of(mask > INK), mask.shape[1] / (bottom - top))


def outline_of(inked: NDArray[np.integer | np.bool_]) -> NDArray[np.float64]:
    """The contour (n, 2) round the largest patch of ink (h, w), as shares of width and height."""
    contours, _ = cv2.findContours(
        inked.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    corners = cv2.approxPolyDP(max(contours, key=cv2.contourArea), 0.9, closed=True)[:, 0]
    height, width = inked.shape
    return (corners.astype(np.float64) + 0.5) / (width, height)


@lru_cache(maxsize=2048)
def word(font: str, text: str) -> NDArray[np.uint8]:
    """(h, w) the ink of a word or several in a font, 255 where there is some, cut to it.

    Args:
        font: See `font_path`.
        text: Not empty; characters that the font lacks are drawn as it draws those.

    Raises:
        ConfigError: There is no such font, or it is none.
    """
    face = _face(font, _WORD_PX)
    left, top, right, bottom = (round(value) for value in face.getbbox(text))
    canvas = Image.new("L", (max(right - left, 1), max(bottom - top, 1)))
    ImageDraw.Draw(canvas).text((-left, -top), text, fill=255, font=face)
    return np.array(canvas)


@lru_cache(maxsize=64)
def _face(font: str, size_px: int) -> ImageFont.FreeTypeFont:
    try:
        return ImageFont.truetype(str(font_path(font)), size_px)
    except OSError as error:
        raise ConfigError(f"dataset.draw.fonts: {font!r} is no font file: {error}") from error
