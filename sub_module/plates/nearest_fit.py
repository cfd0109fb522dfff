"""Characters that do not fit a layout, put into its slots as well as can be: what is left over."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from sub_module.plates.on_board import (
    Character,
    ImageShapes,
    Placed,
    Slots,
    climbs,
    is_in_place,
    same_place,
    slot_places,
)
from sub_module.plates.standard import Layout

# What explains a plate with the least cost is taken for what happened to it. A character of the
# wrong kind is likelier than one too many and one too few.
_MISFIT = 1.0
_LEFT_OVER = 1.2
_EMPTY = 1.2
# Where a shape without a place may be the one that is missing.
_EMPTY_WITH_SPARE = 0.5
# A group's polygon in another's place, and a row that runs down instead of on: the plate is
# held the wrong way round.
_MISPLACED = 1.0
# For each slot's width that a character stands too far away from its slot's place, one at the most;
# up to the half of one it may: where slots are left out, the others spread.
_AWAY = 0.5
_FREE_AWAY = 0.5
# Decides where nothing else does.
_TIE = 0.001


class EmptySlot(NamedTuple):
    """A slot that has to hold a character and holds none.

    Attributes:
        group: Label of its group.
        number: In the group, from 1.
        alphabet: What may stand there.
    """

    group: str
    number: int
    alphabet: str


@dataclass(frozen=True)
class NearestFit:
    """The likeliest way in which the shapes of a board are wrong, held one way round.

    Attributes:
        cost: Of all that is wrong; the less the likelier.
        placed: The shapes.
        slots: The character in each slot, also one of the wrong kind.
        faults: (shape number, reason) of each character that is wrong.
        empty: Slots for which there is no character.
    """

    cost: float
    placed: Placed
    slots: Slots
    faults: list[tuple[int, str]]
    empty: list[EmptySlot]


# Characters in one place, the one to believe in first.
_Spot = list[Character]


def nearest_fit(shapes: ImageShapes, layout: Layout, placed: Placed, has_spare: bool) -> NearestFit:
    """Put characters into a layout's slots, in their order, with the fewest faults.

    Args:
        shapes: Of the image.
        layout: Of the board.
        placed: Shapes of the board that may stand on it, held one way round; those that cannot be
            made out pass for any character, or for none.
        has_spare: Whether a shape of the image has no place, which may be missing on this board.
    """
    cost = _MISPLACED * sum(not is_in_place(group, layout) for group in placed.groups)
    slots: Slots = []
    faults: list[tuple[int, str]] = []
    empty: list[EmptySlot] = []
    for number, every in enumerate(placed.rows):
        row = [character for character in every if character.text]
        cost += _MISPLACED * sum(climbs(a, b, layout) for a, b in pairwise(row))
        spots = _spots(every)
        row_cost, chosen = _aligned(layout, number, spots, has_spare)
        cost += row_cost
        filled = [
            None if i is None else _member(layout, number, slot, spots[i])
            for slot, i in enumerate(chosen)
        ]
        slots += filled
        faults += _row_faults(shapes, layout, number, spots, filled) or _off_row(
            shapes, layout, number, row
        )
        empty += _empty_slots(layout, number, filled)
    return NearestFit(cost, placed, slots, faults, empty)


def _spots(row: Sequence[Character]) -> list[_Spot]:
    """A row's characters, those in one place together."""
    spots: list[_Spot] = []
    for character in row:
        is_same = (bool(c.text) and same_place(character, c) for c in (spots[-1:] or [[]])[0])
        if character.text and any(is_same):
            spots[-1].append(character)
        else:
            spots.append([character])
    for spot in spots:
        spot.sort(key=lambda character: character.shape)
    return spots


def _member(layout: Layout, number: int, slot: int, spot: _Spot) -> Character:
    """The character of a spot that fits a slot best: the first that its alphabet has."""
    alphabet = layout.rows[number].slots[slot].alphabet
    return next((character for character in spot if character.text in alphabet), spot[0])


def _aligned(
    layout: Layout, number: int, spots: Sequence[_Spot], has_spare: bool
) -> tuple[float, list[int | None]]:
    """The cheapest way to put spots into a row's slots: its cost, and the spot in each slot."""
    slots = layout.rows[number].slots
    places = slot_places(layout, number)
    empty = _EMPTY_WITH_SPARE if has_spare else _EMPTY
    # Of the first i spots and the first j slots: the cost, and the spots in the slots.
    best: list[tuple[float, list[int | None]]] = [(0.0, [])]
    for slot in slots:
        cost, chosen = best[-1]
        best.append((cost + (0.0 if slot.optional else empty), [*chosen, None]))
    for i, spot in enumerate(spots):
        left_over = _LEFT_OVER if spot[0].text else 0.0
        now = [(best[0][0] + left_over, best[0][1])]
        for j, (slot, (_, middle, width)) in enumerate(zip(slots, places, strict=True)):
            slots_away = abs(spot[0].x - middle) / width
            away = _AWAY * min(1.0, max(0.0, slots_away - _FREE_AWAY)) + _TIE * slots_away
            fits = any(character.text in slot.alphabet for character in spot)
            match = best[j][0] + away + (0.0 if fits else _MISFIT)
            skip = now[j][0] + (0.0 if slot.optional else empty)
            spare = best[j + 1][0] + left_over
            if match <= min(skip, spare):
                now.append((match, [*best[j][1], i]))
            elif spare <= skip:
                now.append((spare, best[j + 1][1]))
            else:
                now.append((skip, [*now[j][1], None]))
        best = now
    return best[-1]


def _row_faults(
    shapes: ImageShapes, layout: Layout, number: int, spots: Sequence[_Spot], filled: Slots
) -> list[tuple[int, str]]:
    """What is wrong with the characters of a row."""
    faults = []
    slots = layout.rows[number].slots
    labels = [label for label, _, _ in slot_places(layout, number)]
    slot_of = {c.shape: slot for slot, c in enumerate(filled) if c is not None}
    heads = [next((c for c in spot if c.shape in slot_of), spot[0]) for spot in spots]
    # The group that each belongs to, or stands nearest to.
    groups = [
        labels[slot_of[head.shape]] if head.shape in slot_of else _nearest(layout, number, head)
        for head in heads
    ]
    for spot, head, group in zip(spots, heads, groups, strict=True):
        if not head.text:
            continue
        text = "".join(h.text for h, own in zip(heads, groups, strict=True) if own == group)
        misfit = f"the characters {text!r} do not fit {group!r}"
        slot = slot_of.get(head.shape)
        if slot is None:
            faults.append((head.shape, f"{misfit}, which has {labels.count(group)} places"))
        elif head.text not in slots[slot].alphabet:
            place = slot - labels.index(group) + 1
            takes = slots[slot].alphabet
            faults.append((head.shape, f"{misfit}, whose place {place} takes {takes}"))
        for other in spot:
            if other is not head:
                faults.append((other.shape, f"stands in the place of {shapes.name(head.shape)}"))
    return faults


def _off_row(
    shapes: ImageShapes, layout: Layout, number: int, row: Sequence[Character]
) -> list[tuple[int, str]]:
    """Characters above or below their neighbours, where they ought to stand beside them."""
    boxes = [group.box for group in layout.rows[number].groups]
    height = sum(y1 + y2 for _, y1, _, y2 in boxes) / 2 / len(boxes)
    faults = {}
    for pair in pairwise(row):
        if climbs(*pair, layout):
            near, far = sorted(pair, key=lambda character: abs(character.y - height))
            side = "above" if far.y < near.y else "below"
            faults[far.shape] = f"stands {side} {shapes.name(near.shape)}, not beside it"
    return list(faults.items())


def _nearest(layout: Layout, number: int, character: Character) -> str:
    """The label of a row's group that a character stands nearest to."""
    places = slot_places(layout, number)
    return min(places, key=lambda place: abs(place[1] - character.x))[0]


def _empty_slots(layout: Layout, number: int, filled: Slots) -> Iterator[EmptySlot]:
    labels = [label for label, _, _ in slot_places(layout, number)]
    for i, slot in enumerate(layout.rows[number].slots):
        if filled[i] is None and not slot.optional:
            yield EmptySlot(labels[i], i - labels.index(labels[i]) + 1, slot.alphabet)
