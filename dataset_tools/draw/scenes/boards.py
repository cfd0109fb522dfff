"""Flat pictures with text that are no plates: signs, boards, captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image, as_image, shrunk
from dataset_tools.draw.chance import pick, varied
from dataset_tools.draw.faces.glyphs import Glyph
from dataset_tools.draw.faces.strokes import CHARACTERS, random_letters
from dataset_tools.draw.scenes.lettering import (
    lettered,
    made_up_word,
    phone_number,
    plotted,
    write,
)
from sub_module.plates import PlateStandard

_HEADLINES = (
    *("PARKING", "HOTEL", "Bäckerei", "SALE", "GARAGE", "Café", "PIZZA", "AUTOHAUS", "Taxi"),
    *("FOR SALE", "Privat", "TAXI", "POLICE", "SCHOOL", "Ausfahrt", "freihalten!", "STOP", "EXIT"),
    *("FARMACIA", "Tabac", "VENDO", "SE VENDE", "ALUGA-SE", "Zu verkaufen", "OPEN", "CLOSED"),
    *("Werkstatt", "Service", "TURBO", "diesel", "HYBRID", "quattro", "4x4", "ECO", "Express"),
    *("BABY ON BOARD", "Fahrschule", "L", "TIR", "24h", "KEEP CLEAR", "No Parking", "Rent a Car"),
)
_LINES = (
    *("since 1987", "best prices", "Inh. K. Weber"),
    *("open Mon-Sat 9-18", "& Söhne", "GmbH & Co. KG"),
    *("www.example.com", "info@example.org", "2nd floor", "100 m", "left at the lights", "tel/fax"),
)
_DEVICES = ("CAM", "CAMERA", "CH", "DVR", "Cam")


def paint_sign(fonts: Sequence[str], rng: np.random.Generator) -> Image:
    """A shop's sign, an advert or a sticker: words and a telephone number, on one to three lines.

    Args:
        fonts: Font files to choose from.
        rng: Where chance comes from.

    Returns:
        (H, W, 3) RGB, about 200 px wide.
    """
    width, height = 200, int(200 / rng.uniform(1.0, 6.0))
    image = _ground((width, height), rng)
    ink = _ink_on(image, rng)
    count = int(rng.integers(1, 4)) if height > 60 else 1
    for line in range(count):
        top = height * (0.08 + 0.84 * line / count)
        box = (10, top, width - 10, top + 0.84 * height / count * rng.uniform(0.7, 1.0))
        write(image, _sign_line(line == 0, fonts, rng), box, ink)
    return image


def _sign_line(is_first: bool, fonts: Sequence[str], rng: np.random.Generator) -> Image:
    choice = rng.random()
    if choice < (0.1 if is_first else 0.45):
        return plotted(phone_number(rng), rng)
    if choice < 0.45:
        # Known words alone would be learnt by heart.
        text = made_up_word(rng)
        if rng.random() < 0.3:
            text += f" {pick(('', *'ABCDEGT'), rng)}{int(rng.integers(1, 100))}"
        return lettered(text, fonts, rng)
    return lettered(pick(_HEADLINES if is_first or choice > 0.8 else _LINES, rng), fonts, rng)


def paint_board(
    standard: PlateStandard, settings: Mapping[str, Any], rng: np.random.Generator
) -> Image:
    """A board in a plate's colours and lettering that is none: empty, a house number, a long code.

    Args:
        standard: Whose colours and characters are used.
        settings: `dataset.draw`: `strokes`, `fonts`.
        rng: Where chance comes from.

    Returns:
        (H, W, 3) RGB, about 200 px wide.
    """
    width, height = 200, int(200 / rng.uniform(1.3, 5.5))
    colours = pick(standard.colours, rng)
    image = np.empty((height, width, 3), np.uint8)
    image[:] = np.array(varied(colours.background, 12, rng), np.uint8)
    ink = np.array(colours.text, np.float64)
    if rng.random() < 0.6:
        inset, thickness = int(rng.integers(0, 5)), int(rng.integers(1, 5))
        corner = (width - 1 - inset, height - 1 - inset)
        cv2.rectangle(image, (inset, inset), corner, ink.tolist(), thickness)
    choice = rng.random()
    if choice < 0.15:
        return image
    count = int(rng.integers(1, 4)) if choice < 0.55 else int(rng.integers(9, 15))
    alphabet = "".join(c for c in standard.alphabet if c in CHARACTERS) or standard.alphabet
    letters = random_letters(alphabet, settings, rng)
    if rng.random() < 0.5:
        alphabet = "".join(c for c in alphabet if c.isdigit()) or alphabet
    glyphs = [letters(pick(alphabet, rng)) for _ in range(count)]
    rows = 2 if count > 8 and rng.random() < 0.4 else 1
    for row in range(rows):
        top = height * (0.1 + 0.8 * row / rows)
        line = _set_line(glyphs[row::rows], rng)
        write(image, line, (12, top, width - 12, top + 0.8 * height / rows), ink)
    return image


def timestamp(image_size: tuple[int, int], rng: np.random.Generator) -> Image:
    """Date and time as recorders burn them in.

    Args:
        image_size: (width, height) of the image that it is for, in pixels.
        rng: Where chance comes from.

    Returns:
        (h, w) the text's ink, 0 to 255, in the size that it has in the image.
    """
    year, month, day = (int(rng.integers(*span)) for span in ((2003, 2031), (1, 13), (1, 29)))
    hour, minute, second = (int(rng.integers(top)) for top in (24, 60, 60))
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    texts = (
        f"{year}-{month:02d}-{day:02d} {clock}",
        f"{day:02d}/{month:02d}/{year} {clock}",
        f"{day}.{month}.{year}",
        f"{pick(_DEVICES, rng)} {int(rng.integers(1, 33)):02d}",
        f"{clock} {int(rng.integers(5, 140))} km/h",
        f"{year}/{month:02d}/{day:02d}",
    )
    mask = plotted(pick(texts, rng), rng)
    height = max(8, round(image_size[1] * rng.uniform(0.025, 0.07)))
    width = min(round(mask.shape[1] * height / mask.shape[0]), round(image_size[0] * 0.8))
    return shrunk(mask, (width, height))


def _set_line(glyphs: Sequence[Glyph], rng: np.random.Generator) -> Image:
    """Characters side by side, at one height."""
    height, gap = 64, int(rng.integers(4, 22))
    masks = [cv2.resize(g.mask, (max(4, round(g.relative_width * height)), height)) for g in glyphs]
    spaced = [cv2.copyMakeBorder(m, 0, 0, 0, gap, cv2.BORDER_CONSTANT, value=0) for m in masks]
    return as_image(np.concatenate(spaced, axis=1)[:, :-gap])


def _ground(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A board of one or two colours."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    colour = rng.uniform(200, 255, 3) if rng.random() < 0.4 else rng.uniform(0, 255, 3)
    image[:] = colour
    if rng.random() < 0.3:
        image[: int(height * rng.uniform(0.2, 0.6))] = rng.uniform(0, 255, 3)
    if rng.random() < 0.4:
        thickness = int(rng.integers(1, 7))
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), rng.uniform(0, 255, 3).tolist(),
                      thickness)  # fmt: skip
    return image


def _ink_on(image: Image, rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that can be told from a board's."""
    mean = float(image.mean())
    return rng.uniform(0, 90, 3) if mean > 128 else rng.uniform(170, 255, 3)
