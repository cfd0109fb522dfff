"""What a plate says and where its characters stand, for plates that are drawn as real ones are set:
text need not fill the plate, and stands in groups with something between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sub_module.plates import Grammar, Layout, PlateStandard, Slot

# Characters that a reader takes for each other, and how often one of them is chosen on purpose.
_LOOK_ALIKES = frozenset("O0Q1I7B8D5S2Z6GC4AWMNHVYUT")
_LOOK_ALIKE_SHARE = 0.3
# How often a text follows a grammar where the standard has some.
_GRAMMAR_SHARE = 0.5
# From a letter to a letter, or a digit to a digit, in texts that follow none.
_KEEP_KIND = 0.68
# How often texts have 5, 6, 7 and 8 characters.
_LENGTHS = {5: 0.12, 6: 0.28, 7: 0.42, 8: 0.18}
# Gaps: at a change from letters to digits, elsewhere, and how many a row has at most.
_GAP_AT_CHANGE, _GAP_ELSEWHERE, _MAX_GAPS = 0.72, 0.1, 3
# Characters are narrowed and widened within these factors.
_NARROWEST, _WIDEST = 0.66, 1.25


# Height of the characters, as a share of that of their group's box.
_TEXT_HEIGHT = (0.65, 1.0)
# Above (or below) the rows of a plate of several, where it has a caption there.
_CAPTION_HEIGHT = (0.13, 0.19)


@dataclass(frozen=True)
class Line:
    """Where the characters of a row stand, in pixels.

    Attributes:
        boxes: (x1, y1, x2, y2) of the ink of each character.
        gaps: (x1, y1, x2, y2) of each gap between groups of characters.
    """

    boxes: list[tuple[float, float, float, float]]
    gaps: list[tuple[float, float, float, float]]


def random_aspect(layout: Layout, rng: np.random.Generator) -> float:
    """Half of the time near the layout's own proportions, else anywhere in its range."""
    low, high = layout.aspects
    anywhere = low * (high / low) ** rng.random()
    if low <= layout.aspect <= high and rng.random() < 0.5:
        return float(layout.aspect + (anywhere - layout.aspect) * 0.3 * rng.random())
    return float(anywhere)


def row_rooms(
    layout: Layout, drawn: set[str], size: tuple[int, int], rng: np.random.Generator
) -> list[list[float]]:
    """Where each row's characters stand on a plate of (width, height) pixels: (x1, y1, x2, y2)."""
    width, height = size
    top, bottom = 0.0, 1.0
    if len(layout.rows) > 1:
        if drawn & {"caption_above", "top_band"}:
            top = rng.uniform(*_CAPTION_HEIGHT)
        if "caption_below" in drawn:
            bottom = 1 - rng.uniform(*_CAPTION_HEIGHT) * 0.8
    low, high = _TEXT_HEIGHT
    share = low + (high - low) * rng.random() ** 0.8
    rooms = []
    for row in layout.rows:
        x1, x2 = min(g.box[0] for g in row.groups), max(g.box[2] for g in row.groups)
        y1, y2 = (
            top + y * (bottom - top)
            for y in (min(g.box[1] for g in row.groups), max(g.box[3] for g in row.groups))
        )
        own = share * (y2 - y1) * (rng.uniform(0.85, 1.0) if len(layout.rows) > 1 else 1.0)
        y1 += (y2 - y1 - own) * min(max(rng.normal(0.5, 0.18), 0.0), 1.0)
        rooms.append([x1 * width, y1 * height, x2 * width, (y1 + own) * height])
    return rooms


def plate_text(standard: PlateStandard, layout: Layout, rng: np.random.Generator) -> list[str]:
    """A text for a plate: one entry a slot, empty where it is left out.

    Half of the texts follow a grammar, where the standard has one that fits the layout.
    """
    slots = layout.slots
    kinds = None
    if standard.grammars and rng.random() < _GRAMMAR_SHARE:
        kinds = _grammar_alphabets(standard.grammars, slots, rng)
    filled = _filled_slots(slots, None if kinds is None else len(kinds), rng)
    alphabets = [slots[i].alphabet for i in filled]
    if kinds is not None:
        common = [_common(a, b) for a, b in zip(alphabets, kinds, strict=True)]
        # In the slots that were left out there may be no place for this pattern.
        alphabets = common if all(common) else alphabets
    else:
        alphabets = _of_a_kind(alphabets, rng)
    text = [""] * len(slots)
    for i, alphabet in zip(filled, alphabets, strict=True):
        text[i] = _choose(alphabet, rng)
    return text


def _grammar_alphabets(
    grammars: Sequence[Grammar], slots: Sequence[Slot], rng: np.random.Generator
) -> tuple[str, ...] | None:
    """The alphabets of a pattern of some grammar; None when its texts are too long or too short."""
    grammar = grammars[int(rng.integers(len(grammars)))]
    least = sum(not slot.optional for slot in slots)
    patterns = [p for p in grammar.patterns if least <= len(p) <= len(slots)]
    if not patterns:
        return None
    return grammar.alphabets(patterns[int(rng.integers(len(patterns)))])


def _filled_slots(slots: Sequence[Slot], count: int | None, rng: np.random.Generator) -> list[int]:
    """The indices of the slots that get a character: `count` of them, or as many as is usual."""
    required = [i for i, slot in enumerate(slots) if not slot.optional]
    optional = [i for i, slot in enumerate(slots) if slot.optional]
    if count is None:
        weights = [_LENGTHS.get(len(required) + n, 0.002) for n in range(len(optional) + 1)]
        shares = np.cumsum(weights) / sum(weights)
        count = len(required) + int(np.searchsorted(shares, rng.random()))
    more = rng.permutation(len(optional))[: count - len(required)]
    return sorted([*required, *(optional[i] for i in more)])


def _of_a_kind(alphabets: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Alphabets reduced to letters or to digits, which follow each other in runs."""
    reduced = []
    is_letter = rng.random() < 0.6
    for alphabet in alphabets:
        kind = "".join(c for c in alphabet if c.isalpha() == is_letter)
        reduced.append(kind or alphabet)
        is_letter ^= rng.random() > _KEEP_KIND
    return reduced


def _common(alphabet: str, other: str) -> str:
    return "".join(c for c in alphabet if c in other)


def _choose(alphabet: str, rng: np.random.Generator) -> str:
    if rng.random() < _LOOK_ALIKE_SHARE:
        alphabet = "".join(c for c in alphabet if c in _LOOK_ALIKES) or alphabet
    return alphabet[int(rng.integers(len(alphabet)))]


def gaps_after(text: Sequence[str], rng: np.random.Generator) -> list[int]:
    """After which of a row's characters, by index, there is a gap: mostly where letters change to
    digits or back."""
    if rng.random() < 0.15:
        return []
    gaps = [
        i
        for i, (a, b) in enumerate(pairwise(text))
        if rng.random() < (_GAP_AT_CHANGE if a.isalpha() != b.isalpha() else _GAP_ELSEWHERE)
    ]
    while len(gaps) > _MAX_GAPS:
        gaps.pop(int(rng.integers(len(gaps))))
    return gaps


def set_row(
    widths: Sequence[float],
    gap_widths: Sequence[float],
    room: Sequence[float],
    height: float,
    rng: np.random.Generator,
) -> Line:
    """Set the characters of a row into a room, in the manner of one plate maker or another.

    Args:
        widths: Of each character, as a share of its height.
        gap_widths: After each character but the last, as a share of the height: 0 where there is
            no gap.
        room: (x1, y1, x2, y2) in pixels.
        height: Of the characters, in pixels, at most that of the room.
        rng: Where chance comes from.
    """
    x1, y1, x2, y2 = room
    count = len(widths)
    # Some makers give every character the room of a wide one, a narrow 1 or I too.
    least = 0.95 * float(np.median(widths)) if rng.random() < 0.35 else 0.0
    cells = [max(width, least) for width in widths]
    space = rng.uniform(0.06, 0.26)
    available = (x2 - x1) / height
    needed = sum(cells) + space * (count - 1) + sum(gap_widths)
    wide = 1.0
    if needed > available:
        wide = min(1.0, available / needed)
        if wide < _NARROWEST:
            height, wide = height * wide / _NARROWEST, _NARROWEST
    elif rng.random() < 0.5:
        wide = rng.uniform(1.0, min(_WIDEST, available / needed))
    slack = max((x2 - x1) / height - needed * wide, 0.0)
    spread = _spread(slack, needed, rng)
    # What is to spare goes between the characters, and twice as much into each gap.
    parts = count - 1 + 2 * sum(gap > 0 for gap in gap_widths)
    share = spread / parts if parts else 0.0
    x = x1 + (slack - share * parts) * height * _alignment(rng)
    top = y1 + (y2 - y1 - height) * rng.uniform(0.3, 0.7)
    boxes, gaps = [], []
    for width, cell, gap in zip(widths, cells, [*gap_widths, 0.0], strict=True):
        left = x + (cell - width) / 2 * wide * height
        boxes.append((left, top, left + width * wide * height, top + height))
        x += cell * wide * height
        step = ((gap + space) * wide + share * (3 if gap > 0 else 1)) * height
        if gap > 0:
            gaps.append((x, top, x + step, top + height))
        x += step
    return Line(boxes, gaps)


def _spread(slack: float, needed: float, rng: np.random.Generator) -> float:
    """How much of the width to spare goes between the characters."""
    choice = rng.random()
    if choice < 0.4:
        return 0.0
    most = min(slack, needed * 0.6)
    return most if choice < 0.65 else most * rng.random()


def _alignment(rng: np.random.Generator) -> float:
    """How much of the width that stays to spare stands left of the text."""
    choice = rng.random()
    if choice < 0.55:
        return 0.5
    return 0.0 if choice < 0.68 else 1.0 if choice < 0.76 else rng.random()
