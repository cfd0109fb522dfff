"""Readings to look at: a drawing of the plate for a terminal, a picture with its plates marked."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import cv2
import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from sub_module.plates.instances import Instances
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import FIELDS, Layout, PlateStandard, Slot

# RGB, one a layout in turn; all dark enough for white text.
_LAYOUT_COLOURS = ((200, 30, 60), (20, 95, 200), (130, 40, 170), (0, 115, 90))
# RGB of the outlines of instances.
_CHARACTER_COLOUR, _GROUP_COLOUR = (0, 190, 220), (255, 190, 0)
_GROUP_GAP = "   "
_MARGIN = 2


def terminal_plate(reading: PlateReading, standard: PlateStandard) -> str:
    """A small drawing of the plate in its layout: rows as rows, groups set apart.

    ```
    ╭───────────╮
    │   1 2 A   │
    │  3 4 5 6  │
    ╰───────────╯
    ```

    A text that does not fit the layout's slots, or that its rows may share in several ways (of a
    reading only the whole text is known), is drawn as one row.

    Returns:
        Lines of equal width without a trailing newline.

    Raises:
        ConfigError: The standard has no such layout.
    """
    rows = _rows(reading, standard.layout(reading.layout))
    inner = max(_width(row) for row in rows) + 2 * _MARGIN
    lines = [f"│{_centred(row, inner)}│" for row in rows]
    return "\n".join([f"╭{'─' * inner}╮", *lines, f"╰{'─' * inner}╯"])


def text_of(reading: PlateReading) -> str:
    """The text with the grammar that it follows, and as the characters say it if that differs.

    `AB123CD`, `AB123CD (IT)`, or `AB123CD (IT; raw A8123CD)`.
    """
    notes = [reading.grammar] if reading.grammar else []
    if reading.raw != reading.text:
        notes.append(f"raw {reading.raw}")
    return f"{reading.text} ({'; '.join(notes)})" if notes else reading.text


def annotate(
    image: npt.NDArray[np.uint8], readings: Sequence[PlateReading], standard: PlateStandard
) -> npt.NDArray[np.uint8]:
    """A copy of the picture with each plate's outline and, beside it, `text_of` it and its score.

    Ground truth (score 1) is shown without a score.
    Line width and letters grow with the picture. A dot marks the plate's own top left corner.

    Args:
        image: (H, W, 3) uint8 RGB; left as it is.
        readings: In pixels of that image.
        standard: Chooses the colour of each layout.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ConfigError: The standard has no such layout.
    """
    picture = image.copy()
    thickness_px = max(2, round(max(image.shape[:2]) / 320))
    colours = [_colour(reading, standard) for reading in readings]
    for reading, colour in zip(readings, colours, strict=True):
        corners = np.rint(reading.corners).astype(np.int32)
        cv2.polylines(picture, [corners], True, colour, thickness_px, cv2.LINE_AA)
        cv2.circle(picture, corners[0].tolist(), 2 * thickness_px, colour, -1, cv2.LINE_AA)
    canvas = Image.fromarray(picture)
    draw = ImageDraw.Draw(canvas)
    for reading, colour in zip(readings, colours, strict=True):
        _label(draw, reading, colour, gap_px=2 * thickness_px)
    return np.array(canvas)


def outlined(
    image: npt.NDArray[np.uint8], instances: Instances | None, standard: PlateStandard
) -> npt.NDArray[np.uint8]:
    """A copy of the picture with the outlines of groups and characters; `annotate` marks boards.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: In pixels of that image; None: there are none.
        standard: Theirs.
    """
    picture = image.copy()
    thickness_px = max(1, round(max(image.shape[:2]) / 640))
    if instances is not None:
        for label, polygon in zip(instances.labels, instances.polygons, strict=True):
            if label not in standard.board_labels:
                colour = _CHARACTER_COLOUR if standard.character_of(label) else _GROUP_COLOUR
                outline = np.rint(polygon).astype(np.int32)
                cv2.polylines(picture, [outline], True, colour, thickness_px, cv2.LINE_AA)
    return picture


def _rows(reading: PlateReading, layout: Layout) -> list[str]:
    ways = {_set_in_rows(filling, layout) for filling in _fillings_of(reading, layout)}
    return list(ways.pop()) if len(ways) == 1 else [" ".join(reading.text)]


def _set_in_rows(characters: Sequence[str | None], layout: Layout) -> tuple[str, ...]:
    """The lines of a plate whose slots hold these characters."""
    rest, rows = iter(characters), []
    for row in layout.rows:
        groups = [" ".join(filter(None, (next(rest) for _ in group.slots))) for group in row.groups]
        rows.append(_GROUP_GAP.join(filter(None, groups)))
    return tuple(rows)


def _fillings_of(reading: PlateReading, layout: Layout) -> Iterator[list[str | None]]:
    """Whatever gives the reading: one entry a slot each (None: left out)."""
    fields = {name: getattr(reading, name) for name in FIELDS}
    for filling in _fillings(layout.slots, reading.text):
        if layout.fields_of(filling) == fields:
            yield filling


def _fillings(slots: Sequence[Slot], text: str) -> Iterator[list[str | None]]:
    if not slots:
        if not text:
            yield []
        return
    slot, *others = slots
    if text and text[0] in slot.alphabet:
        yield from ([text[0], *filling] for filling in _fillings(others, text[1:]))
    if slot.optional:
        yield from ([None, *filling] for filling in _fillings(others, text))


def _width(text: str) -> int:
    """Columns of a terminal: wide characters (Hangul, Kanji) take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _centred(text: str, width: int) -> str:
    space = width - _width(text)
    return " " * (space // 2) + text + " " * (space - space // 2)


def _colour(reading: PlateReading, standard: PlateStandard) -> tuple[int, int, int]:
    number = standard.layouts.index(standard.layout(reading.layout))
    return _LAYOUT_COLOURS[number % len(_LAYOUT_COLOURS)]


def _label(
    draw: ImageDraw.ImageDraw, reading: PlateReading, colour: tuple[int, int, int], gap_px: int
) -> None:
    """Text on a filled box: above the plate if there is room, else below, always in the picture."""
    width_px, height_px = draw.im.size
    text = text_of(reading)
    if reading.score != 1:
        text = f"{text} {reading.score:.2f}"
    font = _font(max(14, max(width_px, height_px) / 32))
    room = (width_px - 2 * gap_px) / font.getlength(text)
    if room < 1:
        font = _font(max(1, font.size * room))
    ascent, descent = font.getmetrics()
    box_width, box_height = round(font.getlength(text)) + 2 * gap_px, ascent + descent
    xs, ys = zip(*reading.corners, strict=True)
    above, below = min(ys) - gap_px - box_height, max(ys) + gap_px
    x = max(0, min(round(min(xs)), width_px - box_width))
    y = max(0, min(round(above if above >= 0 else below), height_px - box_height))
    draw.rectangle((x, y, x + box_width, y + box_height), fill=colour)
    draw.text((x + gap_px, y), text, fill=(255, 255, 255), font=font)


def _font(size_px: float) -> ImageFont.FreeTypeFont:
    """DejaVu: matplotlib's wheel carries it to every machine, and it knows most alphabets."""
    path = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans-Bold.ttf"
    return ImageFont.truetype(path, size_px)
