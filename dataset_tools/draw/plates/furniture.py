"""What stands on a plate beside its characters: bands, borders, captions, bolts, holders.

A layout of a plate standard says by name how often each piece is drawn (`Layout.furniture`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from dataset_tools.draw.brushes import Colour, Image, fill
from dataset_tools.draw.chance import pick, varied
from dataset_tools.draw.plates import badges, grounds
from dataset_tools.draw.plates.blank import Blank, blend, rounded
from dataset_tools.draw.plates.words import CAPTIONS, COUNTRIES, COUNTRY_CODES, DEALERS, MONTHS
from sub_module.errors import ConfigError
from sub_module.plates import Layout, PlateStandard
from sub_module.plates.geometry import Corners, region_corners

Painter = Callable[[Blank, np.random.Generator], None]
_EU_BLUE = (10.0, 50.0, 150.0)
# Mercosur's.
_BLUE = (20.0, 60.0, 150.0)
_STAR_YELLOW = (250.0, 215.0, 30.0)
_BAND_COLOURS = (
    *((200.0, 25.0, 35.0), (20.0, 100.0, 60.0), (240.0, 240.0, 240.0), (25.0, 25.0, 28.0)),
    *((245.0, 200.0, 30.0), (60.0, 130.0, 210.0), (130.0, 30.0, 70.0)),
)
# Of a plate's height; the latter where it is wide and low.
_CAPTION_HEIGHT, _FINE_PRINT_HEIGHT = (0.09, 0.19), (0.06, 0.11)


def left_band(blank: Blank, rng: np.random.Generator) -> None:
    """A band at the left edge, mostly Europe's: blue, a ring of stars above a country's letters."""
    _band(blank, rng, at_left=True)


def right_band(blank: Blank, rng: np.random.Generator) -> None:
    """A band at the right edge: blue with a region's number, or yellow with a date."""
    _band(blank, rng, at_left=False)


def _band(blank: Blank, rng: np.random.Generator, at_left: bool) -> None:
    several = len(blank.rooms) > 1
    width = blank.width * (rng.uniform(0.1, 0.17) if several else rng.uniform(0.065, 0.115))
    bottom = float(blank.height)
    # On a square plate the band is often no more than a corner.
    rooms = blank.rooms
    if several and rng.random() < 0.6:
        rooms, bottom = blank.rooms[:1], blank.rooms[0][3]
    x1 = 0.0 if at_left else blank.width - width
    for room in rooms:
        if at_left:
            room[0] = max(room[0], width * rng.uniform(1.05, 1.3))
        else:
            room[2] = min(room[2], x1 - width * rng.uniform(0.05, 0.3))
    european = rng.random() < 0.82
    own = _EU_BLUE if european else pick(_BAND_COLOURS, rng)
    colour = varied(own, 18, rng)
    blank.fill((x1, 0, x1 + width, bottom), colour)
    light = sum(colour) > 380
    paint = varied((25, 25, 30) if light else (238, 238, 238), 12, rng)
    ring = rng.random() < (0.85 if at_left else 0.4)
    if ring:
        yellow = _STAR_YELLOW if rng.random() < 0.85 or light else (235.0, 235.0, 235.0)
        size = min(width * 0.4, bottom * 0.24) * rng.uniform(0.75, 1.0)
        badges.stars(blank, (x1 + width / 2, bottom * rng.uniform(0.27, 0.36)), size, yellow)
    elif rng.random() < 0.4:
        box = (x1 + width * 0.2, bottom * 0.12, x1 + width * 0.8, bottom * 0.4)
        badges.flag(blank, box, rng)
    if rng.random() < 0.93:
        text = pick(COUNTRY_CODES, rng)
        if not at_left and rng.random() < 0.7:
            text = f"{rng.integers(1, 99):02d}"
        size = bottom * rng.uniform(0.2, 0.32)
        middle = bottom * rng.uniform(0.68, 0.82)
        box = (x1 + width * 0.12, middle - size / 2, x1 + width * 0.88, middle + size / 2)
        blank.write(text, blank.font(rng), box, paint)


def top_band(blank: Blank, rng: np.random.Generator) -> None:
    """A coloured band along the upper edge with a country's name, as Mercosur's plates have."""
    bottom = min(blank.height * rng.uniform(0.16, 0.26), blank.rooms[0][1] - 1)
    if bottom < 4:
        return
    blue = rng.random() < 0.65
    colour = varied(_BLUE if blue else pick(_BAND_COLOURS, rng), 20, rng)
    blank.fill((0, 0, blank.width, bottom), colour)
    paint = (30.0, 30.0, 35.0) if sum(colour) > 380 else (240.0, 240.0, 240.0)
    name = COUNTRIES[0] if rng.random() < 0.5 else pick(COUNTRIES, rng)
    edge = blank.width * rng.uniform(0.2, 0.34)
    box = (edge, bottom * 0.2, blank.width - edge, bottom * rng.uniform(0.72, 0.88))
    blank.write(name, blank.font(rng), box, paint)
    for x in (0.05, 0.83):
        if rng.random() < 0.7:
            side = (blank.width * x, bottom * 0.2, blank.width * (x + 0.12), bottom * 0.8)
            badges.flag(blank, side, rng)


def caption_above(blank: Blank, rng: np.random.Generator) -> None:
    """A line of small print above the text: a state, a town, a county."""
    if "top_band" not in blank.drawn:
        _caption(blank, blank.height * rng.uniform(0.02, 0.06), blank.rooms[0][1] - 1, rng)


def caption_below(blank: Blank, rng: np.random.Generator) -> None:
    """A line of small print below the text: a slogan, a dealer."""
    bottom = blank.height * rng.uniform(0.94, 0.98)
    _caption(blank, blank.rooms[-1][3] + 1, bottom, rng)


def _caption(blank: Blank, top: float, bottom: float, rng: np.random.Generator) -> None:
    low, high = _FINE_PRINT_HEIGHT if blank.is_wide else _CAPTION_HEIGHT
    size = min((bottom - top) * 0.95, blank.height * rng.uniform(low, high))
    if size < 4:
        return
    middle = top + size / 2 + (bottom - top - size) * rng.random()
    x1 = blank.width * rng.uniform(0.05, 0.3)
    x2 = blank.width - x1
    if rng.random() < 0.15:
        x1, x2 = (x1, x1 + (x2 - x1) * 0.6) if rng.random() < 0.5 else (x1 + (x2 - x1) * 0.4, x2)
    colour: Colour = blank.ink
    if rng.random() < 0.35:
        colour = varied((150, 40, 60) if rng.random() < 0.4 else (30, 60, 140), 40, rng)
    words = pick(CAPTIONS, rng)
    box = (x1, middle - size / 2, x2, middle + size / 2)
    blank.write(words, blank.font(rng), box, colour)


def border(blank: Blank, rng: np.random.Generator) -> None:
    """A line round the plate near its edge, corners rounded or not."""
    height = blank.height
    line = height * rng.uniform(0.012, 0.035)
    margin = height * rng.uniform(0.0, 0.04) + line / 2
    radius = height * rng.uniform(0.02, 0.14)
    colour: Colour = blank.ink
    if rng.random() < 0.12:
        colour = varied((120, 120, 120), 60, rng)
    box = (margin, margin, blank.width - 1 - margin, height - 1 - margin)
    blank.polygon(rounded(box, radius), colour, line)
    inside = margin + line * rng.uniform(0.7, 2.0)
    for room in blank.rooms:
        room[0], room[2] = max(room[0], inside), min(room[2], blank.width - inside)
        room[1], room[3] = max(room[1], inside), min(room[3], height - inside)


def stripes(blank: Blank, rng: np.random.Generator) -> None:
    """A thin line, or two, along the upper and the lower edge."""
    colour = varied(pick(_BAND_COLOURS, rng), 25, rng)
    height = blank.height
    size, offset = height * rng.uniform(0.02, 0.05), height * rng.uniform(0.0, 0.04)
    for _ in range(int(rng.integers(1, 3))):
        blank.fill((0, offset, blank.width, offset + size), colour)
        blank.fill((0, height - offset - size, blank.width, height - offset), colour)
        offset += size * 2


def side_emblem(blank: Blank, rng: np.random.Generator) -> None:
    """A coat of arms, a sticker or a picture beside the text."""
    room = pick(blank.rooms, rng)
    size = min((room[3] - room[1]) * rng.uniform(0.5, 0.95), (room[2] - room[0]) * 0.16)
    at_left = rng.random() < 0.65
    x = room[0] + size * 0.55 if at_left else room[2] - size * 0.55
    if at_left:
        room[0] += size * 1.2
    else:
        room[2] -= size * 1.2
    y = (room[1] + room[3]) / 2 + size * rng.uniform(-0.1, 0.1)
    badges.emblem(blank, (x, y), size / 2, rng)


def season(blank: Blank, rng: np.random.Generator) -> None:
    """Two small numbers above each other at the right of the text: months, a year."""
    room = blank.rooms[0]
    height = room[3] - room[1]
    width = height * rng.uniform(0.32, 0.45)
    x1, x2 = room[2] - width, room[2]
    room[2] = x1 - height * rng.uniform(0.08, 0.2)
    font, numbers = blank.font(rng), rng.integers(1, 32, 2)
    half = height * rng.uniform(0.36, 0.44)
    blank.write(f"{numbers[0]:02d}", font, (x1, room[1], x2, room[1] + half), blank.ink)
    blank.write(f"{numbers[1]:02d}", font, (x1, room[3] - half, x2, room[3]), blank.ink)
    if rng.random() < 0.6:
        middle, line = (room[1] + room[3]) / 2, height * 0.02
        blank.fill((x1, middle - line, x2, middle + max(line, 1)), blank.ink)


def stickers(blank: Blank, rng: np.random.Generator) -> None:
    """Registration stickers in the corners: a month, a year."""
    below = rng.random() < 0.35
    width = blank.width * rng.uniform(0.09, 0.15)
    height = min(blank.height * rng.uniform(0.12, 0.19), width)
    for at_right in (False, True):
        if rng.random() < 0.3:
            continue
        x = blank.width * rng.uniform(0.02, 0.06)
        x = blank.width - x - width if at_right else x
        y = blank.height * rng.uniform(0.02, 0.06)
        y = blank.height - y - height if below else y
        colour = rng.uniform(20, 245, 3).tolist()
        blank.fill((x, y, x + width, y + height), colour)
        text = f"{rng.integers(10, 29)}" if at_right else pick(MONTHS, rng)
        paint = (20.0, 20.0, 20.0) if sum(colour) > 380 else (240.0, 240.0, 240.0)
        box = (x + width * 0.12, y + height * 0.15, x + width * 0.88, y + height * 0.85)
        blank.write(text, blank.font(rng), box, paint)


def bolts(blank: Blank, rng: np.random.Generator) -> None:
    """Two or four screws or their coloured caps, or empty holes."""
    radius = blank.height * rng.uniform(0.022, 0.055)
    y, x = blank.height * rng.uniform(0.06, 0.13), blank.width * rng.uniform(0.1, 0.3)
    if blank.is_wide and rng.random() < 0.3:
        # At half the height there is room beside the text only.
        y, x = blank.height * 0.5, blank.width * rng.uniform(0.012, 0.04)
    elif blank.is_wide and rng.random() < 0.4:
        y = blank.height - y
    heights = [y] if blank.is_wide or rng.random() < 0.3 else [y, blank.height - y]
    grey = (rng.uniform(70, 220),) * 3
    kind = rng.random()
    if kind < 0.55:
        colour = varied(grey, 7, rng)
    elif kind < 0.7:
        colour = varied((30, 28, 28), 12, rng)
    else:
        colour = varied(blank.background, 12, rng)
    dark = [value * 0.55 for value in colour]
    light = [min(value * 1.25 + 15, 255) for value in colour]
    for at in heights:
        for left in (x, blank.width - x + blank.width * rng.normal(0, 0.01)):
            blank.disc((left + radius * 0.2, at + radius * 0.25), radius * 1.15, dark)
            blank.disc((left, at), radius, colour)
            blank.disc((left - radius * 0.25, at - radius * 0.25), radius * 0.4, light)


def corners(blank: Blank, rng: np.random.Generator) -> None:
    """Rounded corners: behind them something dark is seen."""
    radius = blank.height * rng.uniform(0.04, 0.13)
    outside = np.full((blank.height, blank.width), 255, np.uint8)
    box = (0.0, 0.0, blank.width - 1.0, blank.height - 1.0)
    fill(outside, rounded(box, radius), (0,))
    size = int(np.ceil(radius)) + 1
    for rows in (slice(0, size), slice(-size, None)):
        for columns in (slice(0, size), slice(-size, None)):
            blend(blank.image[rows, columns], outside[rows, columns], blank.around)


def holder(blank: Blank, rng: np.random.Generator) -> tuple[Image, Corners]:
    """Put a painted plate into a frame, with or without a dealer's advert.

    Returns:
        The picture (H, W, 3) of both, and the plate's corners (4, 2) as shares of it.
    """
    height, width = blank.height, blank.width
    side, top, bottom = height * rng.uniform(0.01, 0.07, 3)
    advert = rng.random()
    is_below = advert < 0.55
    is_above = 0.55 < advert < 0.65 or (advert < 0.25 and not blank.is_wide)
    if is_above:
        top = height * rng.uniform(0.1, 0.2)
    if is_below:
        bottom = height * rng.uniform(0.1, 0.24)
    sides, upper, lower = (max(1, round(value)) for value in (side, top, bottom))
    framed = _gripped(blank, sides, upper, lower, rng)
    frame = Blank(framed, blank.around, blank.ink, blank.fonts, [])
    dark = sum(blank.around) < 330
    light = [min(value * (1.5 if dark else 1.1) + 18, 255.0) for value in blank.around]
    frame.fill((0, 0, frame.width, max(1, round(height * 0.015))), light)
    paint = varied((235, 235, 235) if dark else (25, 25, 30), 20, rng)
    if rng.random() < 0.25:
        paint = varied((220, 60, 50) if rng.random() < 0.5 else (250, 200, 40), 30, rng)
    inset = frame.width * rng.uniform(0.05, 0.3)
    for is_there, y, size in ((is_above, 0, upper), (is_below, frame.height - lower, lower)):
        if is_there and rng.random() < 0.92:
            box = (inset, y + size * 0.15, frame.width - inset, y + size * rng.uniform(0.75, 0.92))
            frame.write(pick(DEALERS, rng), frame.font(rng), box, paint)
    left, right = sides / frame.width, (sides + width) / frame.width
    board = (left, upper / frame.height, right, (upper + height) / frame.height)
    return framed, region_corners(board)


def _gripped(blank: Blank, sides: int, upper: int, lower: int, rng: np.random.Generator) -> Image:
    """A plate in a plain frame that grips it by its edge and throws a shadow on it.

    Args:
        blank: The painted plate.
        sides: How far the frame goes beyond it to the left and to the right, in pixels.
        upper: And above.
        lower: And below.
        rng: Where chance comes from.
    """
    height, width = blank.height, blank.width
    framed = np.empty((height + upper + lower, width + 2 * sides, 3), np.uint8)
    framed[:] = np.array(blank.around, np.uint8)
    grip = round(height * rng.uniform(0.0, 0.025 if blank.is_wide else 0.06))
    edge = min(grip, round(height * 0.015))
    inner = blank.image[grip : height - grip, edge : width - edge]
    framed[upper + grip : upper + height - grip, sides + edge : sides + width - edge] = inner
    lip = framed[upper + grip : upper + grip + max(1, height // 40)]
    lip[:] = lip * rng.uniform(0.4, 1.0)
    return framed


@dataclass(frozen=True)
class Separator:
    """What stands in a gap between groups of characters.

    Attributes:
        width: Of the gap, as a share of the characters' height: lowest and highest.
        paint: Draws it into the (x1, y1, x2, y2) of a gap.
    """

    width: tuple[float, float]
    paint: Callable[[Blank, tuple[float, float, float, float], np.random.Generator], None]


# Painted in this order, before the text.
UNDER_TEXT: Mapping[str, Painter] = {
    "gradient": grounds.gradient,
    "picture": grounds.picture,
    "stripes": stripes,
    "border": border,
    "top_band": top_band,
    "left_band": left_band,
    "right_band": right_band,
    "side_emblem": side_emblem,
    "season": season,
    "caption_above": caption_above,
    "caption_below": caption_below,
    "stickers": stickers,
}
# One of them for each gap.
BETWEEN: Mapping[str, Separator] = {
    "seals": Separator((0.42, 0.6), badges.seals),
    "emblem": Separator((0.5, 0.85), badges.between),
    "hyphen": Separator((0.28, 0.5), badges.hyphen),
    "dot": Separator((0.2, 0.35), badges.dot),
}
# After the text, in this order.
OVER_TEXT: Mapping[str, Painter] = {
    "bolts": bolts,
    "shade": grounds.shade,
    "sheen": grounds.sheen,
    "corners": corners,
}
# Of the characters themselves, and round the plate.
OTHERS = ("relief", "wear", "holder")
FURNITURE = (*UNDER_TEXT, *BETWEEN, *OVER_TEXT, *OTHERS)


def check_furniture(standard: PlateStandard, layout: Layout) -> None:
    """Refuse a layout that names furniture that nobody can draw.

    Raises:
        ConfigError: It does.
    """
    for name, _ in layout.furniture:
        if name not in FURNITURE:
            raise ConfigError(
                f"plate standard {standard.name}: layout {layout.name}: no furniture {name!r}; "
                f"there are {', '.join(FURNITURE)}"
            )
