"""What carries text and is no plate: signs of streets and shops, and screens of telephones.

A detector's own training has signs too (`hard_negatives`); these have other words and another
look, so that a model is tried on what it has not learnt by heart.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dataset_tools.draw.brushes import Image as Picture
from dataset_tools.draw.chance import pick
from dataset_tools.draw.faces.glyphs import font_path

Colour = tuple[int, int, int]

# In matplotlib's wheel; what stands on signs has nothing to do with what plates are lettered in.
_FONTS = ("DejaVuSans-Bold.ttf", "DejaVuSans.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSansMono.ttf")
_SHOPS = (
    *("BAKERY", "Pharmacy", "KEBAB", "Books & Tea", "HOSTEL", "Nails", "PIZZERIA", "Optik", "BAR"),
    *("SUPERMARKET", "Fahrrad", "Boucherie", "GELATERIA", "Apteka", "Auto Repair", "24h KIOSK"),
)
_WORDS = (
    *("SORTIE", "NO ENTRY", "OUTLET", "REDUCED", "DANGER", "PRIVATE", "AMBULANCE", "LKW"),
    *("BARRIER", "Eingang", "PUSH", "VACANCY", "WELCOME", "POLIZEI", "SCHOOL BUS", "SPORT"),
    *(
        "LONG VEHICLE",
        "CAUTION",
        "KEEP RIGHT",
        "CENTRO",
        "P+R",
        "GATE B12",
        "PLATFORM 9",
        "ELECTRIC",
        "1.6 TDI",
    ),
)
_GREETINGS = (
    *("On my way", "Where did you park?", "Call me back"),
    *("See you at 18:30", "Thanks!", "Level -2"),
    *("Row C, place 41", "The blue one", "Received", "Order 20-4471", "Which street was it?"),
)
_BUTTONS = ("Send", "Cancel", "Done", "Forward", "Remove", "Next", "Log in", "Pay 12.90", "Retry")
_KEYS = ("1234567890", "QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")


def draw_sign(rng: np.random.Generator) -> Picture:
    """A sign seen from the front: (H, W, 3) RGB, 320 to 900 px wide."""
    return np.array(pick((_shop, _word, _phone_number, _number_board, _prices), rng)(rng))


def burn_timestamp(image: Picture, rng: np.random.Generator) -> None:
    """Write date, time and camera into a corner, in place, as recorders do."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    year, month, day = 2000 + rng.integers(30), 1 + rng.integers(12), 1 + rng.integers(28)
    hour, minute, second = rng.integers(24), rng.integers(60), rng.integers(60)
    clock = f"{hour:02d}:{minute:02d}:{second:02d}"
    texts = (
        f"{year}-{month:02d}-{day:02d} {clock}",
        f"{day:02d}.{month:02d}.{year} {clock}",
        f"CAM {1 + rng.integers(16):02d}  {clock}",
        f"{clock}  {rng.integers(10, 130)} km/h",
        f"{day:02d}/{month:02d}/{year}",
    )
    text = pick(texts, rng)
    font = _font(pick(_FONTS, rng), int(image.shape[0] * rng.uniform(0.035, 0.09)))
    x1, y1, x2, y2 = draw.textbbox((0, 0), text, font=font)
    margin = 8
    x = margin if rng.random() < 0.5 else image.shape[1] - margin - (x2 - x1)
    y = margin if rng.random() < 0.5 else image.shape[0] - margin - (y2 - y1)
    ink = pick(((255, 255, 255), (255, 160, 30), (15, 15, 15)), rng)
    if rng.random() < 0.5:
        ground = (250, 250, 250) if ink == (15, 15, 15) else (0, 0, 0)
        draw.rectangle((x - 5, y - 4, x + x2 - x1 + 5, y + y2 - y1 + 4), fill=ground)
    draw.text((x - x1, y - y1), text, fill=ink, font=font)
    image[:] = np.asarray(canvas)


def draw_screen(photo: Picture, rng: np.random.Generator) -> Picture:
    """A screenshot of a telephone.

    Args:
        photo: (H, W, 3) RGB, behind a lock screen or among messages.
        rng: Where chance comes from.

    Returns:
        (H, W, 3) RGB, upright, 480 px wide.
    """
    size = 480, pick((854, 960, 1040), rng)
    is_dark = rng.random() < 0.4
    paper, ink = ((18, 19, 22), (235, 236, 240)) if is_dark else ((248, 248, 250), (22, 23, 26))
    canvas = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(canvas)
    body: tuple[Callable[..., None], ...] = (_messages, _dial_pad, _keyboard, _list, _code)
    if rng.random() < 0.25:
        canvas.paste(Image.fromarray(photo).resize(size))
        ink, middle = (255, 255, 255), size[0] / 2
        clock = f"{rng.integers(24):02d}:{rng.integers(60):02d}"
        _centred(draw, clock, (middle, size[1] * 0.24), 110, ink, _FONTS[1])
        _centred(draw, pick(_GREETINGS, rng), (middle, size[1] * 0.36), 24, ink, _FONTS[1])
    else:
        if rng.random() < 0.4:
            height = int(size[1] * 0.3)
            piece = Image.fromarray(photo).resize((size[0] - 40, height))
            canvas.paste(piece, (20, 130))
        pick(body, rng)(draw, size, ink, rng)
    _status_bar(draw, size[0], ink, rng)
    _buttons(draw, size, rng)
    return np.array(canvas)


def _shop(rng: np.random.Generator) -> Image.Image:
    """A name on a coloured board, half of the time with a line of small print."""
    paper, ink = _two_colours(rng)
    canvas, draw = _board(rng, paper, ink, rng.uniform(2.5, 6.0))
    width, height = canvas.size
    small = rng.random() < 0.5
    name = pick(_SHOPS, rng)
    _fitted(draw, name, (width / 2, height * (0.4 if small else 0.5)), (0.86, 0.55), ink, rng)
    if small:
        _fitted(draw, _phone(rng), (width / 2, height * 0.82), (0.6, 0.18), ink, rng)
    return canvas


def _word(rng: np.random.Generator) -> Image.Image:
    """A word in large letters, in the proportions of a plate."""
    paper, ink = _two_colours(rng)
    canvas, draw = _board(rng, paper, ink, rng.uniform(2.0, 5.0))
    _fitted(draw, pick(_WORDS, rng), _middle(canvas), (0.9, 0.7), ink, rng)
    return canvas


def _phone_number(rng: np.random.Generator) -> Image.Image:
    paper, ink = _two_colours(rng)
    canvas, draw = _board(rng, paper, ink, rng.uniform(4.0, 9.0))
    _fitted(draw, _phone(rng), _middle(canvas), (0.92, 0.6), ink, rng)
    return canvas


def _number_board(rng: np.random.Generator) -> Image.Image:
    """A house, a bus line, a starter, a road: one to three characters."""
    paper, ink = _two_colours(rng)
    canvas, draw = _board(rng, paper, ink, rng.uniform(0.9, 2.2))
    number = str(rng.integers(1, 400))
    letter = pick("ABCEMN", rng)
    text = pick((number, f"{letter}{number[:2]}", f"{number[:2]}{letter.lower()}"), rng)
    _fitted(draw, text, _middle(canvas), (0.85, 0.7), ink, rng)
    return canvas


def _prices(rng: np.random.Generator) -> Image.Image:
    """Prices at a petrol station: lines of a word and digits."""
    canvas, draw = _board(rng, (12, 12, 14), (90, 90, 90), rng.uniform(0.8, 1.4))
    width, height = canvas.size
    ink = pick(((255, 60, 40), (255, 190, 40), (240, 240, 240)), rng)
    names = ("Super", "Diesel", "E10", "LPG")
    size = min(height * 0.17, width * 0.14)
    for i, name in enumerate(names):
        y = height * (i + 0.5) / len(names)
        _centred(draw, name, (width * 0.25, y), 0.6 * size, (230, 230, 230), _FONTS[0])
        price = f"{rng.integers(1, 3)}.{rng.integers(10, 100)}9"
        _centred(draw, price, (width * 0.68, y), size, ink, _FONTS[3])
    return canvas


def _status_bar(
    draw: ImageDraw.ImageDraw, width: int, ink: Colour, rng: np.random.Generator
) -> None:
    font = _font(_FONTS[0], 20)
    draw.text((18, 10), f"{rng.integers(24)}:{rng.integers(60):02d}", fill=ink, font=font)
    network = pick(("5G", "LTE", "4G", "WiFi"), rng)
    level = f"{rng.integers(3, 101)}%"
    draw.text((width - 150, 10), f"{network}  {level}", fill=ink, font=font)
    draw.rounded_rectangle((width - 42, 12, width - 14, 28), 4, outline=ink, width=2)
    draw.rectangle((width - 39, 15, width - 39 + int(rng.integers(4, 22)), 25), fill=ink)


def _buttons(draw: ImageDraw.ImageDraw, size: tuple[int, int], rng: np.random.Generator) -> None:
    """One to three buttons along the lower edge."""
    number = int(rng.integers(1, 4))
    width = (size[0] - 24) / number
    colour = _colour(20, 200, rng)
    for i, text in enumerate(rng.choice(_BUTTONS, number, replace=False)):
        x, y = 12 + i * width, size[1] - 84
        draw.rounded_rectangle((x + 6, y, x + width - 6, y + 58), 14, fill=colour)
        _centred(draw, str(text), (x + width / 2, y + 29), 24, (255, 255, 255), _FONTS[0])


def _messages(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], ink: Colour, rng: np.random.Generator
) -> None:
    y = 130
    while y < size[1] - 170:
        is_mine = rng.random() < 0.5
        text, font = pick(_GREETINGS, rng), _font(_FONTS[1], 22)
        width = draw.textlength(text, font=font) + 36
        left = size[0] - 20 - width if is_mine else 20
        colour = (40, 110, 240) if is_mine else (120, 124, 132)
        draw.rounded_rectangle((left, y, left + width, y + 48), 18, fill=colour)
        draw.text((left + 18, y + 10), text, fill=(255, 255, 255), font=font)
        y += int(rng.integers(60, 90))


def _dial_pad(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], ink: Colour, rng: np.random.Generator
) -> None:
    _centred(draw, _phone(rng), (size[0] / 2, 190), 40, ink, _FONTS[1])
    for i, digit in enumerate("123456789*0#"):
        x, y = 100 + i % 3 * 140, 300 + i // 3 * 110
        draw.ellipse((x - 44, y - 44, x + 44, y + 44), fill=(128, 132, 140))
        _centred(draw, digit, (x, y), 42, (255, 255, 255), _FONTS[1])


def _keyboard(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], ink: Colour, rng: np.random.Generator
) -> None:
    _centred(draw, pick(_GREETINGS, rng), (size[0] / 2, 170), 28, ink, _FONTS[1])
    for row, keys in enumerate(_KEYS):
        for column, key in enumerate(keys):
            x = size[0] / 2 + (column - (len(keys) - 1) / 2) * 46
            y = size[1] - 360 + row * 64
            draw.rounded_rectangle((x - 20, y - 27, x + 20, y + 27), 6, fill=(205, 208, 214))
            _centred(draw, key, (x, y), 26, (20, 20, 24), _FONTS[1])


def _list(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], ink: Colour, rng: np.random.Generator
) -> None:
    for y in range(120, size[1] - 150, 88):
        colour = _colour(40, 220, rng)
        draw.ellipse((20, y, 76, y + 56), fill=colour)
        draw.text((94, y), pick(_SHOPS, rng), fill=ink, font=_font(_FONTS[0], 22))
        draw.text((94, y + 30), _phone(rng), fill=(128, 128, 132), font=_font(_FONTS[1], 18))
        draw.line((94, y + 72, size[0], y + 72), fill=(128, 128, 132))


def _code(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], ink: Colour, rng: np.random.Generator
) -> None:
    """A number to be typed elsewhere, in a box of its own."""
    middle = size[0] / 2
    _centred(draw, "Your code", (middle, 220), 30, ink, _FONTS[1])
    draw.rounded_rectangle((60, 270, size[0] - 60, 370), 16, outline=ink, width=3)
    number = f"{rng.integers(1000):03d} {rng.integers(1000):03d}"
    _centred(draw, number, (middle, 320), 62, ink, _FONTS[3])
    _centred(draw, "valid for 10 minutes", (middle, 420), 22, (128, 128, 132), _FONTS[1])


def _board(
    rng: np.random.Generator, paper: Colour, ink: Colour, aspect: float
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """An empty sign, half of the time with a border line."""
    width = int(rng.integers(320, 900))
    canvas = Image.new("RGB", (width, max(60, int(width / aspect))), paper)
    draw = ImageDraw.Draw(canvas)
    if rng.random() < 0.5:
        edge = max(2, canvas.height // 30)
        outline = (edge, edge, width - 1 - edge, canvas.height - 1 - edge)
        draw.rounded_rectangle(outline, canvas.height // 10, outline=ink, width=edge)
    return canvas, draw


def _middle(canvas: Image.Image) -> tuple[float, float]:
    return canvas.width / 2, canvas.height / 2


def _two_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Of a sign and its letters, one of them light and the other dark."""
    light, dark = _colour(190, 256, rng), _colour(0, 110, rng)
    return (light, dark) if rng.random() < 0.6 else (dark, light)


def _colour(low: int, high: int, rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(low, high, 3).tolist()
    return red, green, blue


def _phone(rng: np.random.Generator) -> str:
    """A number that nobody has been given."""
    last = f"{rng.integers(10000):04d}"
    forms = (
        f"0{rng.integers(20, 99)} 555 {last}",
        f"+{rng.integers(30, 50)} {rng.integers(100, 999)} 555 {last}",
        f"({rng.integers(200, 999)}) 555-{last}",
        f"0{rng.integers(100, 999)}/5550{last}",
    )
    return pick(forms, rng)


def _centred(
    draw: ImageDraw.ImageDraw,
    text: str,
    middle: tuple[float, float],
    size_px: float,
    ink: Colour,
    font: str,
) -> None:
    draw.text(middle, text, fill=ink, font=_font(font, max(6, int(size_px))), anchor="mm")


def _fitted(
    draw: ImageDraw.ImageDraw,
    text: str,
    middle: tuple[float, float],
    room: tuple[float, float],
    ink: Colour,
    rng: np.random.Generator,
) -> None:
    """A line of text as large as goes into a part of the sign's width and height."""
    font = pick(_FONTS, rng)
    width, height = draw.im.size
    master = 100
    length = draw.textlength(text, font=_font(font, master))
    size = min(room[0] * width / length * master, room[1] * height / 0.75)
    _centred(draw, text, middle, size, ink, font)


@lru_cache(maxsize=512)
def _font(name: str, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font_path(name)), size_px)
