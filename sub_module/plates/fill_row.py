"""Which of the characters found along a row stand in its slots: the cheapest way through both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.standard import PlateBox, Row, Slot

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

# How far a character's middle may lie from its slot's place: of the slot's width, of its height.
_REACH = np.array([0.75, 0.5])
# From one character to the next a text may step up or down by this much of the lower one's height.
_MAX_STEP = 0.5
# Costs are negative log likelihoods. A character at a distance d from its slot's place, in slots,
# costs _PLACE_COST * d^2: a standard deviation of 0.35 slots.
_PLACE_COST = 4.0
# Scores are held away from 0 and 1 by this, so that no character is beyond all doubt.
_DOUBT = 0.001
_NOBODY = np.zeros(0, bool), np.zeros(0, bool)


@dataclass(frozen=True, eq=False)
class FoundCharacters:
    """Characters along one row, in plate coordinates, from left to right.

    Attributes:
        characters: (n,) indices into the standard's alphabet.
        scores: (n,) from 0 to 1.
        boxes: (n, 4) upright boxes.
    """

    characters: NDArray[np.intp]
    scores: Floats
    boxes: Floats


@dataclass(frozen=True, eq=False)
class FilledRow:
    """A row's slots with characters in them.

    Attributes:
        chosen: For each slot the index of a found character, or None where it is left out.
        spent: (n,) whether a found character was chosen, or stands where a chosen one does.
        left_out: (n,) whether one stands at the height of the row and is not spent.
    """

    chosen: tuple[int | None, ...]
    spent: Flags
    left_out: Flags


@dataclass(frozen=True, eq=False)
class _Plan:
    """What a row asks of its characters.

    Attributes:
        accepts: (slots, A) whether a slot's alphabet has a character.
        labels: Of each slot's group.
        boxes: (slots, 4) of each slot's group.
        reaches: (slots, 2) the leftmost and rightmost middle that a slot can have, as parts of
            its group's width: where slots are left out, the rest spread evenly over the group.
        required: (slots,) whether each has to hold a character.
        sizes: (slots, 2) width and height of a slot.
        heights: Of each slot's middle.
        predecessors: For each slot, and after them for the row's end, the slots that may be the
            last one before it; -1 is the row's beginning.
    """

    accepts: Flags
    labels: tuple[str, ...]
    boxes: Floats
    reaches: Floats
    required: Flags
    sizes: Floats
    heights: tuple[float, ...]
    predecessors: tuple[tuple[int, ...], ...]


def fill_row(
    row: Row,
    alphabet: str,
    found: FoundCharacters,
    groups: Mapping[str, PlateBox],
    overlap: float,
) -> FilledRow | None:
    """Choose characters for a row's slots; None when no choice fits.

    The choice is the likeliest one: a character is worth taking by its score, and the less so the
    farther it stands from its slot's place. An optional slot is left out rather than filled with a
    character of a score below a half. Of those that stand on the same spot at most one is chosen,
    whatever their classes.

    Args:
        row: Of a layout.
        alphabet: The standard's.
        found: What was found along the row.
        groups: Boxes of groups that were found on the plate, in plate coordinates, by label; their
            characters may stand where these say, as well as where the layout says.
        overlap: Two characters stand on the same spot when they share more than this part of the
            smaller one's box.
    """
    plan = _plan(row, alphabet)
    if not len(found.scores):
        return None if plan.required.any() else FilledRow((None,) * len(row.slots), *_NOBODY)
    costs = _slot_costs(plan, found, groups)
    # Nothing near fits: soon told, and the usual case where a plate is held the wrong way round.
    if not np.isfinite(costs[plan.required]).any(axis=1).all():
        return None
    scores = np.clip(found.scores, _DOUBT, 1 - _DOUBT)
    # What it costs to believe in a character, less what it costs to take it for a false one.
    costs += np.log(1 - scores) - np.log(scores)
    same = _same_spot(found.boxes, overlap)
    chosen = _cheapest(plan, costs, ~same, found.boxes)
    if chosen is None:
        return None
    taken = [index for index in chosen if index is not None]
    spent = np.asarray(same[taken].any(axis=0))
    middles = (found.boxes[:, 1] + found.boxes[:, 3]) / 2
    away = np.abs(middles - np.array(plan.heights)[:, None])
    at_height = (away <= _REACH[1] * plan.sizes[:, 1:]).any(axis=0)
    return FilledRow(chosen, spent, at_height & ~spent)


def _same_spot(boxes: Floats, overlap: float) -> Flags:
    """(n, n) whether two characters stand on the same spot; each does with itself."""
    shared = np.minimum(boxes[:, None, 2:], boxes[:, 2:]) - np.maximum(
        boxes[:, None, :2], boxes[:, :2]
    )
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    smaller = np.minimum(areas[:, None], areas)
    same = np.maximum(shared, 0).prod(axis=2) > overlap * smaller
    np.fill_diagonal(same, True)
    return np.asarray(same)


def _slot_costs(plan: _Plan, found: FoundCharacters, groups: Mapping[str, PlateBox]) -> Floats:
    """(slots, n) what it costs to take each character for each slot, its score aside."""
    middles = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    spans = _spans(plan, plan.boxes)
    if groups:
        pairs = zip(plan.labels, plan.boxes, strict=True)
        seen_spans = _spans(plan, np.array([groups.get(label, box) for label, box in pairs]))
        spans[:, :2] = np.minimum(spans[:, :2], seen_spans[:, :2])
        spans[:, 2:] = np.maximum(spans[:, 2:], seen_spans[:, 2:])
    outside = np.maximum(spans[:, None, :2] - middles, middles - spans[:, None, 2:])
    away = np.maximum(outside, 0) / plan.sizes[:, None]
    costs = np.asarray(_PLACE_COST * (away**2).sum(axis=2))
    costs[(away > _REACH).any(axis=2) | ~plan.accepts[:, found.characters]] = np.inf
    return costs


def _spans(plan: _Plan, boxes: Floats) -> Floats:
    """(slots, 4) the boxes that the middles of the slots' characters lie in.

    Args:
        plan: Of the row.
        boxes: (slots, 4) of each slot's group.
    """
    spans = boxes.copy()
    spans[:, [0, 2]] = boxes[:, :1] + plan.reaches * (boxes[:, 2:3] - boxes[:, :1])
    spans[:, 1] = spans[:, 3] = (boxes[:, 1] + boxes[:, 3]) / 2
    return spans


def _cheapest(
    plan: _Plan, costs: Floats, apart: Flags, boxes: Floats
) -> tuple[int | None, ...] | None:
    """The character of each slot on the cheapest way through the row, by dynamic programming.

    Args:
        plan: Of the row.
        costs: (slots, n) of each character in each slot.
        apart: (n, n) whether two characters stand on different spots.
        boxes: (n, 4) of the characters, from left to right.
    """
    num_slots, n = costs.shape
    onwards = np.triu(apart, 1)
    heights = boxes[:, 3] - boxes[:, 1]
    max_steps = _MAX_STEP * np.minimum(heights[:, None], heights)
    middles = (boxes[:, 1] + boxes[:, 3]) / 2
    climbs = middles - middles[:, None]
    # The cheapest way up to each character in each slot, and (slot, character) before it on that.
    best = np.full((num_slots, n), np.inf)
    came_from = np.full((num_slots, n, 2), -1)
    for slot in range(num_slots):
        for previous in plan.predecessors[slot]:
            if previous < 0:
                best[slot] = 0.0
                continue
            steps = np.abs(climbs - (plan.heights[slot] - plan.heights[previous]))
            ways = np.where(onwards & (steps <= max_steps), best[previous][:, None], np.inf)
            starts = ways.argmin(axis=0)
            totals = ways[starts, np.arange(n)]
            better = totals < best[slot]
            best[slot][better] = totals[better]
            came_from[slot][better] = np.stack([np.full(n, previous), starts], axis=1)[better]
        best[slot] += costs[slot]
    lasts = plan.predecessors[-1]
    slot = min(lasts, key=lambda last: float(best[last].min()) if last >= 0 else 0.0)
    chosen: list[int | None] = [None] * num_slots
    index = int(best[slot].argmin())
    if slot >= 0 and not np.isfinite(best[slot, index]):
        return None
    while slot >= 0:
        chosen[slot] = index
        slot, index = came_from[slot, index].tolist()
    return tuple(chosen)


@lru_cache(maxsize=256)
def _plan(row: Row, alphabet: str) -> _Plan:
    slots = row.slots
    places = [(group, place) for group in row.groups for place in _places(group.slots)]
    boxes = np.array([group.box for group, _ in places])
    counts = np.array([len(group.slots) for group, _ in places])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    required = [not slot.optional for slot in slots]
    return _Plan(
        accepts=np.array([[c in slot.alphabet for c in alphabet] for slot in slots]),
        labels=tuple(group.label for group, _ in places),
        boxes=boxes,
        reaches=np.array([place for _, place in places]),
        required=np.array(required),
        sizes=np.stack([widths / counts, heights], axis=1),
        heights=tuple((group.box[1] + group.box[3]) / 2 for group, _ in places),
        predecessors=tuple(
            tuple(p for p in range(-1, slot) if not any(required[p + 1 : slot]))
            for slot in range(len(slots) + 1)
        ),
    )


def _places(slots: tuple[Slot, ...]) -> list[tuple[float, float]]:
    """For each slot of a group the leftmost and the rightmost place, as parts of its width."""
    required = [int(not slot.optional) for slot in slots]

    def place(before: int, after: int) -> float:
        return (before + 0.5) / (before + 1 + after)

    return [
        (
            place(sum(required[:i]), len(slots) - 1 - i),
            place(i, sum(required[i + 1 :])),
        )
        for i in range(len(slots))
    ]
