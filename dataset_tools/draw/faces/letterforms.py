"""How the 36 characters of a plate are built from strokes, in the variants that plates know."""

from __future__ import annotations

from collections.abc import Callable
from math import hypot

from dataset_tools.draw.faces.pen import Pen, Point, Stroke
from dataset_tools.draw.faces.traits import Traits


class Box:
    """The box of one character, with the lines on which the middle of the pen runs.

    Attributes:
        traits: Of the face.
        pen: What the strokes are drawn with.
        width: Of the box; its height is 1.
        left, right, top, bottom: Where the pen touches the box's edge.
        middle: Where middle bars lie.
    """

    def __init__(self, traits: Traits, pen: Pen, width: float) -> None:
        self.traits, self.pen, self.width = traits, pen, width
        self.left, self.right = pen.across, width - pen.across
        self.top, self.bottom = pen.along, 1 - pen.along
        self.middle = traits.middle

    def at(self, share: float) -> float:
        """The x at a share of the way from the left to the right."""
        return self.left + share * (self.right - self.left)

    def bowl(
        self, *points: Point, sharp: tuple[int, ...] = (), closed: bool = False, more: float = 1.0
    ) -> Stroke:
        """A line with corners as round as the face's; `more` makes them rounder."""
        across = max(x for x, _ in points) - min(x for x, _ in points)
        reach = min(self.traits.roundness * more, 1.0) * across / 2
        return Stroke(points, (reach, reach * self.traits.stretch), sharp, closed)

    def ring(self, left: float, top: float, right: float, bottom: float, more: float = 1) -> Stroke:
        """A closed bowl."""
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        return self.bowl(*corners, closed=True, more=more)

    def line(self, *points: Point, weight: float = 1.0) -> Stroke:
        """Straight strokes; ends and tips at the box's top or bottom meet it."""
        moved = list(points)
        for i, (x, y) in enumerate(points):
            if y not in (0.0, 1.0):
                continue
            inward = 1.0 if y == 0.0 else -1.0
            if 0 < i < len(points) - 1:
                tip = 1.0 if self.pen.softness >= 0.5 else self.traits.tip
                moved[i] = (x, y + inward * tip * self.pen.along)
                continue
            nx, ny = points[1] if i == 0 else points[-2]
            length = hypot(nx - x, ny - y)
            # The box cuts square ends; round ends touch it.
            step = 0.0 if self.pen.softness >= 0.5 else -2 * self.pen.along
            moved[i] = (x + step * (nx - x) / length, y + step * (ny - y) / length)
        return Stroke(tuple(moved), weight=weight)

    def stem(self, x: float) -> Stroke:
        """An upright stroke as high as the box."""
        return Stroke(((x, 0.0), (x, 1.0)))

    def bar(self, y: float, start: float, end: float) -> Stroke:
        """A level stroke."""
        return Stroke(((start, y), (end, y)))


Form = Callable[[Box], list[Stroke]]


def _a(b: Box) -> list[Stroke]:
    y, centre, inset = b.traits.a_bar, b.width / 2, b.pen.across * 0.9
    half = (centre - b.left) * y
    legs = b.line((b.left, 1.0), (centre, 0.0), (b.right, 1.0))
    return [legs, b.bar(y, centre - half + inset * 0.3, centre + half - inset * 0.3)]


def _b(b: Box) -> list[Stroke]:
    upper = b.right - b.traits.waist * b.width
    top = b.bowl((b.left, b.top), (upper, b.top), (upper, b.middle), (b.left, b.middle))
    low = b.bowl((b.left, b.middle), (b.right, b.middle), (b.right, b.bottom), (b.left, b.bottom))
    return [b.stem(b.left), top, low]


def _c(b: Box) -> list[Stroke]:
    mouth = b.traits.mouth
    corners = ((b.right, b.top), (b.left, b.top), (b.left, b.bottom), (b.right, b.bottom))
    return [b.bowl((b.right, mouth), *corners, (b.right, 1 - mouth))]


def _d(b: Box) -> list[Stroke]:
    corners = ((b.right, b.top), (b.right, b.bottom))
    return [b.stem(b.left), b.bowl((b.left, b.top), *corners, (b.left, b.bottom), more=1.15)]


def _e(b: Box) -> list[Stroke]:
    middle = b.bar(b.middle, b.left, b.width - b.traits.waist * b.width - b.pen.across * 0.5)
    return [b.stem(b.left), b.bar(b.top, b.left, b.width), middle, b.bar(b.bottom, b.left, b.width)]


def _f(b: Box) -> list[Stroke]:
    end = b.width - b.traits.waist * b.width - b.pen.across * 0.7
    return [b.stem(b.left), b.bar(b.top, b.left, b.width), b.bar(b.middle + 0.02, b.left, end)]


def _g(b: Box) -> list[Stroke]:
    y = b.middle + 0.06
    corners = ((b.right, b.top), (b.left, b.top), (b.left, b.bottom), (b.right, b.bottom))
    inner = (b.at(0.45), y)
    strokes = [b.bowl((b.right, b.traits.mouth), *corners, (b.right, y), inner, sharp=(5,))]
    if b.traits.g == "spur":
        strokes.append(Stroke(((b.right, y - b.pen.along), (b.right, 1.0))))
    return strokes


def _h(b: Box) -> list[Stroke]:
    return [b.stem(b.left), b.stem(b.right), b.bar(b.middle, b.left, b.right)]


def _i(b: Box) -> list[Stroke]:
    stem = b.stem(b.width / 2)
    if not b.traits.i_bars:
        return [stem]
    return [stem, b.bar(b.top, 0.0, b.width), b.bar(b.bottom, 0.0, b.width)]


def _j(b: Box) -> list[Stroke]:
    low = 1 - b.traits.mouth
    if b.traits.j == "cap":
        x = b.at(0.72)
        hook = b.bowl((x, 0.0), (x, b.bottom), (b.left, b.bottom), (b.left, low + 0.04))
        return [hook, b.bar(b.top, b.at(0.3), b.width)]
    hook = b.bowl((b.right, 0.0), (b.right, b.bottom), (b.left, b.bottom), (b.left, low))
    if b.traits.j == "bar":
        return [hook, b.bar(b.top, b.at(0.25), b.right)]
    return [hook]


def _k(b: Box) -> list[Stroke]:
    y = b.middle + 0.02
    if b.traits.k == "stem":
        return [b.stem(b.left), b.line((b.right, 0.0), (b.left + b.pen.across, y), (b.right, 1.0))]
    fork = (b.left, b.middle + 0.14)
    arm = b.line((b.right, 0.0), fork)
    share = 0.36
    start = (fork[0] + share * (b.right - fork[0]), fork[1] * (1 - share))
    return [b.stem(b.left), arm, b.line(start, (b.right, 1.0))]


def _l(b: Box) -> list[Stroke]:
    return [b.stem(b.left), b.bar(b.bottom, b.left, b.width)]


def _m(b: Box) -> list[Stroke]:
    inset = b.traits.m_splay * b.width
    shoulder = (b.left + inset, 0.0), (b.right - inset, 0.0)
    depth = b.traits.m_depth
    middle = (b.width / 2, depth if depth < 0.9 else 1.0)
    return [b.line((b.left, 1.0), shoulder[0], middle, shoulder[1], (b.right, 1.0))]


def _n(b: Box) -> list[Stroke]:
    return [b.line((b.left, 1.0), (b.left, 0.0), (b.right, 1.0), (b.right, 0.0))]


def _o(b: Box) -> list[Stroke]:
    return [b.ring(b.left, b.top, b.right, b.bottom, more=b.traits.o_more)]


def _p(b: Box) -> list[Stroke]:
    y = b.traits.p_bowl
    corners = ((b.left, b.top), (b.right, b.top), (b.right, y), (b.left, y))
    return [b.stem(b.left), b.bowl(*corners)]


def _q(b: Box) -> list[Stroke]:
    start, end = {
        "cross": ((0.55, 0.66), (1.08, 1.0)),
        "out": ((0.5, 0.66), (1.12, 1.0)),
        "in": ((0.38, 0.54), (0.9, 0.93)),
    }[b.traits.q]
    tail = Stroke(((b.at(start[0]), start[1]), (b.at(end[0]), end[1])), weight=0.9)
    return [*_o(b), tail]


def _r(b: Box) -> list[Stroke]:
    y = b.traits.p_bowl - 0.02
    corners = ((b.left, b.top), (b.right, b.top), (b.right, y), (b.left, y))
    start = {"slant": b.at(0.48), "stem": b.at(0.08), "upright": b.at(0.9)}[b.traits.r]
    foot = b.right + b.pen.across * (0.0 if b.traits.r == "upright" else 0.15)
    return [b.stem(b.left), b.bowl(*corners), b.line((start, y), (foot, 1.0))]


def _s(b: Box) -> list[Stroke]:
    fall = b.traits.s_slope / 2
    return [
        b.bowl(
            (b.right, b.traits.mouth),
            (b.right, b.top),
            (b.left, b.top),
            (b.left, b.middle - fall),
            (b.right, b.middle + fall),
            (b.right, b.bottom),
            (b.left, b.bottom),
            (b.left, 1 - b.traits.mouth),
            more=1.1,
        )
    ]


def _t(b: Box) -> list[Stroke]:
    return [b.bar(b.top, 0.0, b.width), b.stem(b.width / 2)]


def _u(b: Box) -> list[Stroke]:
    corners = ((b.left, b.bottom), (b.right, b.bottom))
    return [b.bowl((b.left, 0.0), *corners, (b.right, 0.0))]


def _v(b: Box) -> list[Stroke]:
    return [b.line((b.left, 0.0), (b.width / 2, 1.0), (b.right, 0.0))]


def _w(b: Box) -> list[Stroke]:
    inset = b.traits.w_splay * b.width
    rise = b.traits.w_rise
    middle = (b.width / 2, rise if rise > 0.1 else 0.0)
    feet = (b.left + inset, 1.0), (b.right - inset, 1.0)
    return [b.line((b.left, 0.0), feet[0], middle, feet[1], (b.right, 0.0))]


def _x(b: Box) -> list[Stroke]:
    return [b.line((b.left, 0.0), (b.right, 1.0)), b.line((b.right, 0.0), (b.left, 1.0))]


def _y(b: Box) -> list[Stroke]:
    centre, fork = b.width / 2, b.traits.y_fork
    arms = b.line((b.left, 0.0), (centre, fork), (b.right, 0.0))
    return [arms, Stroke(((centre, fork), (centre, 1.0)))]


def _z(b: Box) -> list[Stroke]:
    far, near = b.right - b.pen.across * 0.2, b.left + b.pen.across * 0.2
    strokes = [Stroke(((0.0, b.top), (far, b.top), (near, b.bottom), (b.width, b.bottom)))]
    if b.traits.z_bar:
        strokes.append(b.bar(b.middle, b.at(0.15), b.at(0.85)))
    return strokes


def _0(b: Box) -> list[Stroke]:
    ring = b.ring(b.left, b.top, b.right, b.bottom)
    zero = b.traits.zero
    if zero == "slash":
        return [ring, Stroke(((b.at(0.1), 0.8), (b.at(0.9), 0.2)), weight=0.7)]
    if zero == "dot":
        centre, half = b.width / 2, b.pen.along
        return [ring, Stroke(((centre, 0.5 - half), (centre, 0.5 + half)), weight=0.8)]
    if zero == "cut":
        slit = Stroke(((b.at(0.55), 0.3), (b.width + 0.1, -0.02)), weight=0.45, erase=True)
        return [ring, slit]
    return [ring]


def _1(b: Box) -> list[Stroke]:
    style = b.traits.one
    if style == "stem":
        return [b.stem(b.width / 2)]
    x = b.right if style == "flag" else b.at(0.55)
    if b.traits.one_level:
        flag = b.bar(b.top, b.at(0.1), x)
    else:
        flag = Stroke(((b.pen.across * 0.2, b.traits.one_flag), (x, b.top * 0.8)), weight=0.95)
    strokes = [b.stem(x), flag]
    return [*strokes, b.bar(b.bottom, 0.0, b.width)] if style == "base" else strokes


def _2(b: Box) -> list[Stroke]:
    corners = ((b.left, b.traits.mouth), (b.left, b.top), (b.right, b.top), (b.right, 0.5))
    return [b.bowl(*corners, (b.left, b.bottom), (b.width, b.bottom), sharp=(4,))]


def _3(b: Box) -> list[Stroke]:
    low = ((b.right, b.bottom), (b.left, b.bottom), (b.left, 1 - b.traits.mouth))
    start = b.at(0.36)
    if b.traits.three == "flat":
        y = 0.39
        top = Stroke(((0.0, b.top), (b.right - b.pen.across * 0.2, b.top), (start, y)))
        return [top, b.bowl((start - b.pen.across * 0.5, y), (b.right, y), *low)]
    upper = b.right - b.traits.waist * b.width
    corners = ((b.left, b.top), (upper, b.top), (upper, b.middle), (start, b.middle))
    top = b.bowl((b.left, b.traits.mouth), *corners)
    return [top, b.bowl((start, b.middle), (b.right, b.middle), *low)]


def _4(b: Box) -> list[Stroke]:
    y, x = b.traits.four_bar, b.traits.four_stem * b.width
    if b.traits.four == "closed":
        return [b.line((x, 0.0), (b.left, y), (b.width, y), weight=0.88), b.stem(x)]
    arm = b.line((b.at(0.5), 0.0), (b.left, y), (b.width, y))
    return [arm, Stroke(((x, y - b.traits.four_reach), (x, 1.0)))]


def _5(b: Box) -> list[Stroke]:
    left = b.left + 0.03 * b.width
    start = ((b.width - 0.04 * b.width, b.top), (left, b.top), (left, 0.41), (b.right, 0.41))
    end = ((b.right, b.bottom), (b.left, b.bottom), (b.left, 1 - b.traits.mouth))
    return [b.bowl(*start, *end, sharp=(1, 2))]


def _6(b: Box) -> list[Stroke]:
    eye = b.ring(b.left, b.traits.six_eye, b.right, b.bottom)
    y = (b.traits.six_eye + b.bottom) / 2
    if b.traits.six == "straight":
        points = ((b.at(0.66), -0.1), (b.left, y - 0.12), (b.left, y))
        return [eye, Stroke(points, (b.right - b.left, 0.35))]
    if b.traits.six == "arm":
        return [eye, b.bowl((b.at(0.85), b.top), (b.left, b.top), (b.left, y), more=1.5)]
    corners = ((b.right, b.top), (b.left, b.top), (b.left, y))
    return [eye, b.bowl((b.right, b.traits.mouth - 0.03), *corners)]


def _7(b: Box) -> list[Stroke]:
    foot, corner = b.traits.seven_foot * b.width, b.right - b.pen.across * 0.2
    if b.traits.seven == "curved":
        points = ((0.0, b.top), (corner, b.top), (corner, 0.26), (foot, 0.72), (foot, 1.0))
        return [Stroke(points, (0.4, 0.3), sharp=(1,))]
    strokes = [b.line((0.0, b.top), (corner, b.top), (foot, 1.0))]
    if b.traits.seven == "barred":
        centre, half = (corner + foot) / 2, 0.36 * b.width
        strokes.append(b.bar(0.5, centre - half, centre + half))
    return strokes


def _8(b: Box) -> list[Stroke]:
    inset = b.traits.waist * b.width / 2
    upper = b.ring(b.left + inset, b.top, b.right - inset, b.middle)
    return [upper, b.ring(b.left, b.middle, b.right, b.bottom)]


def _9(b: Box) -> list[Stroke]:
    return [
        Stroke(
            tuple((b.width - x, 1 - y) for x, y in stroke.points),
            stroke.bend,
            stroke.sharp,
            stroke.closed,
        )
        for stroke in _6(b)
    ]


# fmt: off
_ALL = (
    _a, _b, _c, _d, _e, _f, _g, _h, _i, _j, _k, _l, _m, _n, _o, _p, _q, _r, _s, _t, _u, _v, _w, _x,
    _y, _z, _0, _1, _2, _3, _4, _5, _6, _7, _8, _9,
)
# fmt: on
FORMS: dict[str, Form] = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", _ALL, strict=True))
