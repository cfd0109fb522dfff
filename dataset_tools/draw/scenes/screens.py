"""What devices show: the bars of a telephone, codes, keys, lists of numbers and prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dataset_tools.draw.brushes import Image
from dataset_tools.draw.chance import pick
from dataset_tools.draw.faces.strokes import CHARACTERS
from dataset_tools.draw.scenes.lettering import lettered, made_up_word, phone_number, plotted, write
from sub_module.plates.geometry import Box

_BUTTONS = ("OK", "Share", "Edit", "Delete", "Back", "12", "Reply", "Save")
_TITLES = (
    "PIN",
    "Ticket",
    "Ref.",
    "Booking",
    "Track",
    "No.",
    "Total",
    "km",
    "kWh",
    "Locker",
    "Flug",
)
_WIDTH = 240
_KEYS = (
    "QWERTZUIOP",
    "QSDFGHJKLM",
    "YXCVBNM",
    "AZERTYUIOP",
    "0123456789",
    "789",
    "456",
    "123",
    "*0#",
)

Ink = NDArray[np.float64]


def phone_bar(
    fonts: Sequence[str], image_size: tuple[int, int], is_top: bool, rng: np.random.Generator
) -> Image:
    """A bar of a telephone's screen: the clock and signs above, buttons and a field below.

    Args:
        fonts: Font files to choose from.
        image_size: (width, height) of the image that it is for, in pixels.
        is_top: Whether it is the upper one.
        rng: Where chance comes from.

    Returns:
        (h, width, 3) RGB.
    """
    width = image_size[0]
    height = round(image_size[1] * (rng.uniform(0.04, 0.1) if is_top else rng.uniform(0.07, 0.16)))
    bar, ink = _ground((width, height), rng)
    high = (0.25 * height, 0.75 * height)
    if is_top:
        clock = f"{int(rng.integers(24))}:{int(rng.integers(60)):02d}"
        write(bar, plotted(clock, rng), (0.04 * width, high[0], 0.2 * width, high[1]), ink)
        left, top = int(0.9 * width), int(high[0])
        cv2.rectangle(bar, (left, top), (left + int(0.05 * width), int(high[1])), ink.tolist(), 1)
        text = f"{int(rng.integers(5, 100))}%"
        write(bar, plotted(text, rng), (0.78 * width, high[0], 0.88 * width, high[1]), ink)
        return bar
    for x in np.linspace(0.12, 0.88, int(rng.integers(2, 5))):
        half, colour = rng.uniform(0.04, 0.1) * width, rng.integers(40, 230, 3).tolist()
        box = (x * width - half, high[0], x * width + half, high[1])
        x1, y1, x2, y2 = (round(value) for value in box)
        cv2.rectangle(bar, (x1, y1), (x2, y2), colour, -1)
        text = pick(_BUTTONS, rng)
        write(bar, lettered(text, fonts, rng), (x1 + 3, y1 + 3, x2 - 3, y2 - 3), ink)
    return bar


def paint_screen(fonts: Sequence[str], rng: np.random.Generator) -> tuple[Image, list[Box]]:
    """A part of a screen: a code to be typed elsewhere, keys, or a list with numbers.

    Args:
        fonts: Font files to choose from.
        rng: Where chance comes from.

    Returns:
        (H, 240, 3) RGB, and boxes (x1, y1, x2, y2) in pixels of the lines that look like a plate's.
    """
    kind = pick((_code, _code, _keys, _list), rng)
    # A device has few faces: one for all keys, names or numbers.
    return kind([pick(fonts, rng)], rng)


def _code(fonts: Sequence[str], rng: np.random.Generator) -> tuple[Image, list[Box]]:
    """One line of digits or letters, half of the time in a frame, often with a title."""
    has_title = rng.random() < 0.6
    screen, ink = _ground((_WIDTH, int(rng.uniform(40, 130))), rng)
    height = screen.shape[0]
    top = height * rng.uniform(0.3, 0.5) if has_title else height * rng.uniform(0.05, 0.2)
    if has_title:
        title = lettered(f"{pick(_TITLES, rng)} {made_up_word(rng)}", fonts, rng)
        write(screen, title, (20, 0.1 * top, _WIDTH - 20, 0.8 * top), ink)
    edge = rng.uniform(4, 50)
    box = (edge, top, _WIDTH - edge, height * rng.uniform(0.85, 0.97))
    if rng.random() < 0.5:
        _frame(screen, box, ink, rng)
    room = (box[2] - box[0]) * rng.uniform(0.02, 0.12), (box[3] - box[1]) * rng.uniform(0.05, 0.25)
    inside = (box[0] + room[0], box[1] + room[1], box[2] - room[0], box[3] - room[1])
    return screen, [write(screen, _any_face(_code_text(rng), fonts, rng), inside, ink)]


def _keys(fonts: Sequence[str], rng: np.random.Generator) -> tuple[Image, list[Box]]:
    """Rows of keys with a character each."""
    rows = [pick(_KEYS, rng) for _ in range(int(rng.integers(1, 5)))]
    pitch = _WIDTH / (max(map(len, rows)) + rng.uniform(0.2, 2))
    across = pitch * rng.uniform(0.9, 1.6)
    screen, _ = _ground((_WIDTH, int(across * (len(rows) + 0.2))), rng)
    key, ink = rng.uniform(0, 255, 3), rng.uniform(0, 80, 3)
    if key.mean() < 128:
        ink = 255 - ink
    has_key, fill = rng.random() < 0.75, rng.uniform(0.7, 0.95)
    boxes = []
    for number, row in enumerate(rows):
        left = (_WIDTH - pitch * len(row)) / 2
        top = across * (number + 0.1)
        for column, character in enumerate(row):
            x1, y1 = left + pitch * (column + (1 - fill) / 2), top + across * (1 - fill) / 2
            x2, y2 = x1 + pitch * fill, y1 + across * fill
            if has_key:
                corners = (round(x1), round(y1)), (round(x2), round(y2))
                cv2.rectangle(screen, *corners, key.tolist(), -1, cv2.LINE_AA)
            dx, dy = (x2 - x1) * 0.2, (y2 - y1) * 0.2
            write(
                screen, lettered(character, fonts, rng), (x1 + dx, y1 + dy, x2 - dx, y2 - dy), ink
            )
        # As many as a plate has.
        count = min(len(row), int(rng.integers(4, 9)))
        first = left + pitch * int(rng.integers(0, len(row) - count + 1))
        boxes.append((first, top, first + pitch * count, top + across))
    return screen, boxes


def _list(fonts: Sequence[str], rng: np.random.Generator) -> tuple[Image, list[Box]]:
    """Lines of names with a number each, or of numbers alone."""
    count = int(rng.integers(2, 7))
    line = rng.uniform(16, 40)
    screen, ink = _ground((_WIDTH, int(line * count)), rng)
    second = rng.uniform(0, 255, 3) if rng.random() < 0.4 else ink
    is_named = rng.random() < 0.6
    middle = _WIDTH * rng.uniform(0.3, 0.6) if is_named else 6
    forms: tuple[Callable[[np.random.Generator], str], ...] = (phone_number, _price, _code_text)
    number = pick(forms, rng)
    boxes = []
    for i in range(count):
        top, bottom = line * (i + 0.15), line * (i + rng.uniform(0.75, 0.9))
        if is_named:
            name = lettered(made_up_word(rng), fonts, rng)
            write(screen, name, (6, top, middle - 4, bottom), ink)
        mask = _any_face(number(rng), fonts, rng)
        boxes.append(write(screen, mask, (middle, top, _WIDTH - 6, bottom), second))
    return screen, boxes


def _price(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(1, 200))}{pick('.,', rng)}{int(rng.integers(100)):02d}"


def _code_text(rng: np.random.Generator) -> str:
    """Four to eight digits, now and then letters among them, together or in groups."""
    count = int(rng.integers(4, 9))
    alphabet = "0123456789" if rng.random() < 0.92 else CHARACTERS
    text = "".join(pick(alphabet, rng) for _ in range(count))
    at = int(rng.integers(1, count))
    return pick((text, f"{text[:at]} {text[at:]}", f"{text[:at]}-{text[at:]}", " ".join(text)), rng)


def _any_face(text: str, fonts: Sequence[str], rng: np.random.Generator) -> Image:
    return lettered(text, fonts, rng) if rng.random() < 0.6 else plotted(text, rng)


def _ground(size: tuple[int, int], rng: np.random.Generator) -> tuple[Image, Ink]:
    """An empty screen, light or dark, seldom coloured, and what is written in on it."""
    width, height = size
    screen = np.empty((height, width, 3), np.uint8)
    if rng.random() < 0.2:
        screen[:] = rng.integers(0, 256, 3)
    else:
        screen[:] = 250 if rng.random() < 0.45 else rng.integers(0, 50)
    ink = np.full(3, 20.0 if screen[0, 0].mean() > 128 else 245.0)
    return screen, ink


def _frame(screen: Image, box: Box, ink: Ink, rng: np.random.Generator) -> None:
    x1, y1, x2, y2 = (round(value) for value in box)
    thickness = int(rng.integers(1, 4))
    cv2.rectangle(screen, (x1, y1), (x2, y2), ink.tolist(), thickness, cv2.LINE_AA)
