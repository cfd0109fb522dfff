"""Cars as crude shaded shapes round a plate: enough for a detector to learn where plates are.

Sizes are in metres, of a car in its own plane about the middle of its plate.
"""

from __future__ import annotations

import numpy as np

from dataset_tools.draw.brushes import Image, Polygon
from dataset_tools.draw.scenes.car_body import Body, grey, motorcycle_paint, random_body, sheen
from dataset_tools.draw.scenes.plane import Plane, blob
from sub_module.plates.geometry import side_lengths

# Width over height below which a plate is taken for a motorcycle's, half of the time.
_MOTORCYCLE_ASPECT = 1.8


def draw_car(image: Image, corners: Polygon, rng: np.random.Generator) -> None:
    """Draw a car's front or rear into an image, in place, with an empty place for its plate.

    Args:
        image: (H, W, 3) RGB, changed.
        corners: (4, 2) of the plate, clockwise from its own top left; may lie partly outside.
        rng: Where chance comes from.
    """
    width_px, height_px = side_lengths(corners)
    aspect = width_px / max(height_px, 1.0)
    if aspect < _MOTORCYCLE_ASPECT and rng.random() < 0.5:
        width = rng.uniform(0.18, 0.26)
        plane = Plane.through(image, corners, width, width / aspect)
        _motorcycle(plane, width / 2, width / aspect / 2, rng)
        return
    width = rng.uniform(0.46, 0.58) if aspect > 3.3 else rng.uniform(0.27, 0.36)
    plane = Plane.through(image, corners, width, width / aspect)
    body = random_body(width / 2, width / aspect / 2, rng)
    is_van, is_front = rng.random() < 0.15, rng.random() < 0.5
    _stand(plane, body, rng)
    _cabin(plane, body, is_van, rng)
    outline = blob(
        body.x, (body.belt + body.bottom) / 2, body.half, (body.bottom - body.belt) / 2,
        body.squareness, rng.uniform(-0.02, 0.06),
    )  # fmt: skip
    plane.fill(outline, body.paint)
    plane.light(outline, sheen(image, rng))
    _seams(plane, body, rng)
    _bumper(plane, body, rng)
    if is_front:
        _front(plane, body, rng)
    else:
        _rear(plane, body, is_van, rng)
    _recess(plane, body, rng)


def _box(x: float, y: float, half_width: float, half_height: float) -> Polygon:
    return np.array([x, y]) + np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (
        half_width,
        half_height,
    )


def _stand(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """The shadow on the road, the wheels, and the car's side as far as it is seen."""
    shade = blob(
        body.x + rng.normal(0, 0.1), body.ground, body.half * rng.uniform(1.0, 1.3),
        rng.uniform(0.1, 0.25), 3.0,
    )  # fmt: skip
    plane.light(shade, np.full((2, 2), rng.uniform(0.2, 0.6)))
    tyre = grey(12, 45, rng)
    wheel = rng.uniform(0.09, 0.13)
    for side in (-1, 1):
        x = body.x + side * (body.half - wheel - 0.03)
        high = (body.ground - body.bottom) / 2 + 0.1
        plane.fill(blob(x, body.ground - high, wheel, high, 6.0), tyre)
    middle = (body.bottom + body.ground) / 2 - 0.04
    plane.fill(_box(body.x, middle, body.half - 0.1, (body.ground - body.bottom) / 3), tyre * 0.7)
    if rng.random() < 0.4:
        _side(plane, body, rng)


def _side(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """The side, behind the front to the left or the right."""
    side = rng.choice((-1, 1))
    depth = rng.uniform(0.3, 1.6)
    near, far = body.x + side * body.half * 0.9, body.x + side * (body.half + depth)
    smaller = rng.uniform(0.75, 0.95)
    flank = np.array([(near, body.belt), (far, body.belt * smaller),
                      (far, body.bottom * smaller), (near, body.bottom)])  # fmt: skip
    plane.fill(flank, body.paint * rng.uniform(0.45, 0.85))
    glass = np.array([(near, body.roof * 0.97), (far, body.roof * smaller * 0.92),
                      (far, body.belt * smaller), (near, body.belt)])  # fmt: skip
    plane.fill(glass, grey(20, 110, rng))


def _cabin(plane: Plane, body: Body, is_van: bool, rng: np.random.Generator) -> None:
    """The roof, its pillars and the window, with what is seen in and through it."""
    middle, high = (body.roof + body.belt) / 2 + 0.06, (body.belt - body.roof) / 2 + 0.1
    wide = body.half * (rng.uniform(0.92, 1.0) if is_van else rng.uniform(0.76, 0.9))
    taper = 0.0 if is_van else body.taper
    plane.fill(blob(body.x, middle, wide, high, rng.uniform(4, 8), taper), body.paint * 0.92)
    if is_van and rng.random() < 0.4:
        return
    frame = rng.uniform(0.05, 0.12)
    windows = [(body.x, wide - frame)]
    if is_van:
        half = (wide - frame) / 2
        windows = [(body.x - half, half * 0.85), (body.x + half, half * 0.85)]
    for x, half in windows:
        glass = blob(x, middle - 0.01, half, high - frame, rng.uniform(4, 9), taper)
        plane.fill(glass, grey(15, 70, rng) + rng.uniform(0, 25) * np.array([0.0, 0.5, 1.0]))
        if rng.random() < 0.5:
            _seen_through(plane, (x, middle, half, high - frame), rng)
        plane.light(glass, 1 + rng.uniform(0, 0.9) * rng.random((4, 5)))
    if rng.random() < 0.35:
        _reflection(plane, (body.x, middle, wide - frame, high - frame), rng)
    if rng.random() < 0.5:
        start = np.array([body.x + rng.uniform(-0.5, 0.2), middle + high - frame])
        reach = np.array([rng.uniform(0.2, 0.6), -rng.uniform(0.02, 0.15)])
        plane.line(np.stack([start, start + reach]), grey(8, 40, rng), 0.015)


def _seen_through(
    plane: Plane, window: tuple[float, float, float, float], rng: np.random.Generator
) -> None:
    """Daylight through the car: a bright gap with headrests in it, as long as a plate is."""
    x, y, half_width, half_height = window
    wide, high = half_width * rng.uniform(0.4, 0.9), half_height * rng.uniform(0.25, 0.6)
    bright = grey(120, 250, rng)
    plane.fill(blob(x, y, wide, high, rng.uniform(4, 10), rng.uniform(-0.1, 0.1)), bright)
    dark = grey(10, 60, rng)
    for _ in range(int(rng.integers(1, 5))):
        spot = x + rng.uniform(-0.8, 0.8) * wide
        plane.fill(blob(spot, y + high * rng.uniform(0, 0.8), rng.uniform(0.05, 0.12),
                        high * rng.uniform(0.4, 0.9), 3.0), dark)  # fmt: skip


def _reflection(
    plane: Plane, window: tuple[float, float, float, float], rng: np.random.Generator
) -> None:
    """A streak of sky on the glass."""
    x, y, half_width, half_height = window
    left = x + rng.uniform(-0.8, 0.5) * half_width
    wide, lean = rng.uniform(0.1, 0.6) * half_width, rng.uniform(-0.2, 0.2)
    top, low = y - half_height * rng.uniform(0.3, 0.9), y + half_height * rng.uniform(0.2, 0.9)
    streak = np.array([(left + lean, top), (left + wide + lean, top),
                       (left + wide, low), (left, low)])  # fmt: skip
    plane.fill(np.clip(streak, (x - half_width, -9), (x + half_width, 9)), grey(100, 235, rng))


def _seams(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """Edges of hood, lid and panels: dark lines, some with a bright one below."""
    for _ in range(int(rng.integers(1, 5))):
        y = rng.uniform(body.belt, body.bottom)
        wide, sag = body.half * rng.uniform(0.5, 0.98), rng.uniform(-0.06, 0.08)
        across = np.linspace(-1, 1, 9)
        curve = np.stack([body.x + wide * across, y + sag * across**2], axis=1)
        plane.line(curve, body.paint * rng.uniform(0.3, 0.75), rng.uniform(0.006, 0.02))
        if rng.random() < 0.5:
            bright = np.clip(body.paint * 1.2 + 20, 0, 255)
            plane.line(curve + np.array([0, 0.018]), bright, rng.uniform(0.006, 0.02))


def _bumper(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """A bumper, in paint or in plastic, with an intake or vents in it."""
    top = rng.uniform(-0.12, body.bottom - 0.05)
    high = (body.bottom - top) / 2
    colour = body.paint * rng.uniform(0.8, 1.1) if rng.random() < 0.55 else body.trim
    colour = np.clip(colour, 0, 255)
    plane.fill(
        blob(body.x, top + high, body.half * rng.uniform(0.94, 1.02), high, rng.uniform(4, 10)),
        colour,
    )
    low = body.bottom - rng.uniform(0.03, 0.09)
    if low > body.plate[1] + 0.05 and rng.random() < 0.6:
        wide = rng.uniform(0.35, 0.85) * body.half
        plane.fill(blob(body.x, low, wide, rng.uniform(0.025, 0.06), 5.0), body.trim * 0.7)
    for side in (-1, 1) if rng.random() < 0.5 else ():
        x = body.x + side * body.half * rng.uniform(0.7, 0.8)
        y = rng.uniform(min(0.05, low - 0.01), low)
        lamp = grey(60, 230, rng) if rng.random() < 0.5 else np.array([170.0, 25, 30])
        plane.fill(blob(x, y, rng.uniform(0.05, 0.14), rng.uniform(0.02, 0.06), 4.0), lamp)


def _front(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """Headlamps, grille and badge."""
    y = -body.plate[1] - rng.uniform(0.04, 0.22)
    if rng.random() < 0.8:
        _grille(plane, body, y, rng)
    is_round = rng.random() < 0.25
    wide = rng.uniform(0.08, 0.12) if is_round else rng.uniform(0.12, 0.24)
    high = wide if is_round else rng.uniform(0.05, 0.12)
    up, lean = rng.uniform(-0.1, 0.12), rng.uniform(-0.08, 0.08)
    glass, bulb = grey(90, 225, rng), grey(200, 255, rng)
    is_lit = rng.random() < 0.25
    for side in (-1, 1):
        x = body.x + side * (body.half - wide - rng.uniform(0.02, 0.04))
        square = 2.0 if is_round else 3.5
        plane.fill(blob(x, y - up, wide + 0.015, high + 0.015, square, 0, side * lean), body.trim)
        plane.fill(blob(x, y - up, wide, high, square, 0, side * lean), glass)
        for spot in (-0.4, 0.45):
            radius = high * 0.6
            plane.fill(
                blob(x + spot * wide, y - up, radius, radius, 2.0),
                np.full(3, 255.0) if is_lit else bulb * rng.uniform(0.4, 1.0),
            )


def _grille(plane: Plane, body: Body, y: float, rng: np.random.Generator) -> None:
    wide, high = rng.uniform(0.22, 0.65), rng.uniform(0.05, 0.18)
    square, taper = rng.uniform(3, 9), rng.uniform(-0.25, 0.15)
    chrome = grey(130, 235, rng)
    if rng.random() < 0.6:
        plane.fill(blob(body.x, y, wide + 0.02, high + 0.02, square, taper), chrome)
    plane.fill(blob(body.x, y, wide, high, square, taper), grey(8, 50, rng))
    bar = chrome if rng.random() < 0.5 else grey(50, 110, rng)
    middle = np.array([body.x, y])
    if rng.random() < 0.7:
        for across in np.linspace(-0.8, 0.8, int(rng.integers(2, 8))):
            ends = np.array([(-0.93, across * high), (0.93, across * high)]) * (wide, 1)
            plane.line(ends + middle, bar, rng.uniform(0.008, 0.018))
    if rng.random() < 0.4:
        for across in np.linspace(-0.9, 0.9, int(rng.integers(6, 20))):
            ends = np.array([(across, -0.85), (across, 0.85)]) * (wide, high)
            plane.line(ends + middle, bar, rng.uniform(0.006, 0.014))
    if rng.random() < 0.7:
        radius = rng.uniform(0.035, 0.075)
        plane.fill(blob(body.x, y, radius, radius, rng.uniform(1.5, 4)), chrome)
        plane.fill(blob(body.x, y, radius * 0.7, radius * 0.7, 2.0), grey(20, 200, rng))


def _rear(plane: Plane, body: Body, is_van: bool, rng: np.random.Generator) -> None:
    """Tail lamps, the nook of the plate with its lamp strip, badges, an exhaust."""
    if is_van:
        seam = np.array([(body.x, body.roof), (body.x, body.bottom)])
        plane.line(seam, body.paint * 0.4, 0.02)
    if rng.random() < 0.7:
        wide = body.plate[0] + rng.uniform(0.03, 0.2)
        high = body.plate[1] + rng.uniform(0.02, 0.1)
        nook = blob(0.0, -0.01, wide, high, rng.uniform(4, 9), rng.uniform(-0.1, 0.1))
        plane.fill(nook, np.clip(body.paint * rng.uniform(0.5, 0.95), 0, 255))
        plane.light(nook, np.linspace(rng.uniform(0.4, 0.9), 1.1, 4)[:, None] * np.ones((1, 2)))
    if rng.random() < 0.6:
        strip = -body.plate[1] - rng.uniform(0.03, 0.07)
        colour = grey(120, 240, rng) if rng.random() < 0.5 else body.trim
        plane.fill(blob(0.0, strip, rng.uniform(0.15, 0.5), rng.uniform(0.012, 0.03), 6.0), colour)
    is_tall = is_van or rng.random() < 0.35
    wide = rng.uniform(0.06, 0.1) if is_tall else rng.uniform(0.12, 0.26)
    high = rng.uniform(0.15, 0.3) if is_tall else rng.uniform(0.05, 0.12)
    y = rng.uniform(-0.3, 0.02) - high / 2
    red = np.array([rng.uniform(110, 225), rng.uniform(5, 40), rng.uniform(10, 45)])
    inner = np.array([(240.0, 235, 230), (235.0, 130, 20), (255.0, 60, 50)])[rng.integers(3)]
    for side in (-1, 1):
        x = body.x + side * (body.half - wide - 0.02)
        plane.fill(blob(x, y, wide, high, 4.5, 0, side * rng.uniform(0, 0.04)), red)
        plane.fill(blob(x, y + high * 0.3, wide * 0.8, high * 0.25, 5.0), inner)
    _badges(plane, body, rng)
    if rng.random() < 0.3:
        side = rng.choice((-1, 1))
        pipe = blob(body.x + side * 0.5, body.bottom, 0.05, 0.035, 2.0)
        plane.fill(pipe, grey(90, 200, rng))


def _badges(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """A maker's disc and rows of small bright strokes that stand for letters of chrome."""
    chrome = grey(150, 240, rng)
    height = -body.plate[1] - rng.uniform(0.08, 0.2)
    if rng.random() < 0.6:
        radius = rng.uniform(0.03, 0.06)
        plane.fill(blob(body.x, height, radius, radius, 2.0), chrome)
    for side in (-1, 1):
        if rng.random() < 0.5:
            continue
        x, high = body.x + side * body.half * rng.uniform(0.4, 0.7), rng.uniform(0.02, 0.04)
        for _ in range(int(rng.integers(2, 8))):
            ends = rng.uniform(-1, 1, (3, 2)) * (high * 0.5, high) + (x, height)
            plane.line(ends, chrome, 0.008)
            x += high * 1.4


def _recess(plane: Plane, body: Body, rng: np.random.Generator) -> None:
    """A frame or a hollow round the plate, or none."""
    wide, high = body.plate
    if rng.random() < 0.55:
        edge = rng.uniform(0.008, 0.05)
        tone = body.trim if rng.random() < 0.7 else np.clip(body.paint * 0.6, 0, 255)
        plane.fill(blob(0.0, 0.0, wide + edge, high + edge, 12.0), tone)
    if rng.random() < 0.5:
        # What the plate casts on what is below it.
        below = _box(0.0, high, wide, rng.uniform(0.02, 0.06))
        plane.light(below, np.full((2, 2), rng.uniform(0.4, 0.8)))


def _motorcycle(plane: Plane, wide: float, high: float, rng: np.random.Generator) -> None:
    """A motorcycle from behind: tyre, mudguard, seat, lamps."""
    ground = high + rng.uniform(0.15, 0.45)
    plane.light(blob(0, ground, 0.4, 0.1, 2.0), np.full((2, 2), rng.uniform(0.3, 0.6)))
    tyre = rng.uniform(0.06, 0.11)
    plane.fill(blob(0, ground - 0.3, tyre, 0.3, 4.0), grey(12, 45, rng))
    paint = motorcycle_paint(rng)
    tail = blob(0, -high - 0.2, rng.uniform(0.1, 0.22), 0.22, rng.uniform(2, 5), -0.2)
    plane.fill(tail, paint)
    plane.light(tail, sheen(plane.image, rng))
    seat = blob(0, -high - 0.4, rng.uniform(0.12, 0.2), 0.1, 3.0)
    plane.fill(seat, grey(12, 50, rng))
    red = np.array([rng.uniform(120, 230), 20.0, 25.0])
    plane.fill(blob(0, -high - 0.06, rng.uniform(0.05, 0.12), 0.04, 3.0), red)
    for side in (-1, 1):
        stalk = np.array([(0, -high - 0.08), (side * rng.uniform(0.14, 0.24), -high - 0.06)])
        plane.line(stalk, grey(15, 60, rng), 0.02)
        amber = np.array([rng.uniform(190, 250), 120.0, 20.0])
        plane.fill(blob(stalk[1, 0], stalk[1, 1], 0.04, 0.035, 2.0), amber)
    plane.fill(blob(0, 0, wide + 0.02, high + 0.03, 6.0), grey(10, 60, rng))
