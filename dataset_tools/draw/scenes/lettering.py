"""Words and numbers as masks of ink, and how they are set into a box."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image, lay_ink, shrunk
from dataset_tools.draw.chance import pick
from dataset_tools.draw.faces.glyphs import word
from sub_module.plates.geometry import Box

_PLOTTER_FONTS = (
    *(cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX),
    cv2.FONT_HERSHEY_PLAIN,
)
_CONSONANTS, _VOWELS = "BCDFGHKLMNPRSTVWZ", "AEIOU"


def phone_number(rng: np.random.Generator) -> str:
    """A telephone number as adverts write one."""
    digits = "".join(map(str, rng.integers(0, 10, 11).tolist()))
    forms = (
        f"0{digits[:3]} / {digits[3:9]}",
        f"+{digits[:2]} {digits[2:4]} {digits[4:8]}",
        f"({digits[:3]}) {digits[3:6]}-{digits[6:10]}",
        f"{digits[:4]}-{digits[4:8]}",
        f"Tel. {digits[:5]}",
    )
    return pick(forms, rng)


def made_up_word(rng: np.random.Generator) -> str:
    """A word of three to eight letters that nobody has to know: no two signs say the same."""
    length = int(rng.integers(3, 9))
    at = int(rng.integers(2))
    letters = [pick((_CONSONANTS, _VOWELS)[(at + i) % 2], rng) for i in range(length)]
    if rng.random() < 0.3:
        # Consonants stand in pairs too, as in most languages.
        letters[int(rng.integers(length))] = pick(_CONSONANTS, rng)
    text = "".join(letters)
    return text.capitalize() if rng.random() < 0.3 else text


def lettered(text: str, fonts: Sequence[str], rng: np.random.Generator) -> Image:
    """A text in one of some font files: (h, w) its ink, 0 to 255."""
    return word(pick(fonts, rng), text)


def plotted(text: str, rng: np.random.Generator) -> Image:
    """A text in a plotter's font, as devices write: (h, w) its ink, 0 to 255. Fonts are slower."""
    font = pick(_PLOTTER_FONTS, rng)
    thickness = int(rng.integers(1, 4))
    (width, height), below = cv2.getTextSize(text, font, 1.0, thickness)
    canvas = np.zeros((height + below + 4, width + 4), np.uint8)
    cv2.putText(canvas, text, (2, height + 2), font, 1.0, 255, thickness, cv2.LINE_AA)
    return canvas


def write(image: Image, mask: Image, box: Box, ink: NDArray[np.float64]) -> Box:
    """Set a text's ink into the middle of a box, in place, as high as fits.

    Args:
        image: (H, W, 3) RGB, changed; what would be under three pixels high is left out.
        mask: (h, w) ink, 0 to 255.
        box: (x1, y1, x2, y2) in pixels, inside of the image.
        ink: (3,) RGB, of 255.

    Returns:
        The box of the text.
    """
    x1, y1, x2, y2 = box
    scale = min((x2 - x1) / mask.shape[1], (y2 - y1) / mask.shape[0])
    width, height = int(mask.shape[1] * scale), int(mask.shape[0] * scale)
    left, top = int((x1 + x2 - width) / 2), int((y1 + y2 - height) / 2)
    if width >= 2 and height >= 3:
        region = image[top : top + height, left : left + width]
        lay_ink(region, shrunk(mask, (width, height)), ink)
    return left, top, left + width, top + height
