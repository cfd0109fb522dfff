"""From network outputs to plates and texts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sub_module.plates import Slot

Floats = NDArray[np.float32]
# The score of a path that is not open.
_CLOSED = -1e6


def decode_peaks(
    heat: Floats, corners: Floats, stride: int, min_heat: float, max_plates: int
) -> tuple[Floats, Floats]:
    """The highest peaks of one heat map and the quadrangles seen from them.

    Args:
        heat: (h, w), 0 where a cell is no local maximum, else a probability.
        corners: (8, h, w) offsets of four corners from the cell's centre, in strides.
        stride: Input pixels a cell.
        min_heat: Lower peaks are left out.
        max_plates: At most this many.

    Returns:
        Quadrangles (n, 4, 2) in pixels of the network's input, best first, and their heat (n,).
    """
    rows, columns = np.nonzero(heat >= min_heat)
    order = np.argsort(-heat[rows, columns], kind="stable")[:max_plates]
    rows, columns = rows[order], columns[order]
    centres = np.stack([columns, rows], 1).astype(np.float32) + 0.5
    offsets = corners[:, rows, columns].T.reshape(-1, 4, 2)
    quads = (centres[:, None] + offsets) * stride
    return quads.astype(np.float32), heat[rows, columns]


@dataclass(frozen=True)
class RowText:
    """The text of one row.

    Attributes:
        characters: One a slot; None where an optional slot is empty.
        confidence: Probability that every character is right, 0 to 1.
    """

    characters: tuple[str | None, ...]
    confidence: float


@dataclass(frozen=True)
class _Grammar:
    """The slots of a row as states of a path: blank, slot 0, blank, slot 1, ..., blank.

    State 0 is the start, before the first column; the first blank is state 1.

    Attributes:
        alphabets: (slots, A), 1 where a slot's alphabet has a character.
        slot_states: (slots,) the state of each slot.
        predecessors: For each state after the start, the states that a path may come from: those
            between are passed over, which no slot may be that is not optional.
        ends: The states in which a path may end.
    """

    alphabets: Floats
    slot_states: NDArray[np.int64]
    predecessors: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]


@lru_cache(maxsize=256)
def _grammar(slots: tuple[Slot, ...], alphabet: str) -> _Grammar:
    num_states = 2 * len(slots) + 2
    must_stop = [s % 2 == 0 and s > 0 and not slots[s // 2 - 1].optional for s in range(num_states)]
    predecessors = tuple(
        tuple(p for p in range(state) if not any(must_stop[p + 1 : state]))
        for state in range(1, num_states + 1)
    )
    masks = np.array([[c in slot.alphabet for c in alphabet] for slot in slots], np.float32)
    slot_states = 2 * np.arange(len(slots)) + 2
    return _Grammar(masks, slot_states, predecessors[:-1], predecessors[-1])


def decode_row(probabilities: Floats, slots: tuple[Slot, ...], alphabet: str) -> RowText:
    """Read a row from column probabilities: the best division of the columns among its slots.

    Each slot takes one run of columns, blanks stand between and around them where they fit better,
    optional slots may take none. A slot's score in a column is the summed probability of its
    alphabet, and its character the one with the largest sum over its run, so a text outside the
    slots' alphabets cannot come out.

    Args:
        probabilities: (T, 1 + A), index 0 blank.
        slots: From left to right.
        alphabet: The A characters in index order.
    """
    grammar = _grammar(slots, alphabet)
    scores = np.empty((2 * len(slots) + 1, len(probabilities)), np.float32)
    scores[0::2] = probabilities[:, 0]
    scores[1::2] = grammar.alphabets @ probabilities[:, 1:].T
    path = _best_path(np.log(scores + 1e-6), grammar)
    # All slots at once: each call of numpy costs more than its sums.
    ink = probabilities[:, 1:]
    runs = (path == grammar.slot_states[:, None]).astype(np.float32)
    weights = runs @ ink
    lengths = runs.sum(1).tolist()
    best = (weights * grammar.alphabets).argmax(1).tolist()
    totals = weights.sum(1).tolist()
    darkest = (runs * ink.sum(1)).max(1).tolist()
    characters: list[str | None] = []
    confidence = 1.0
    for index, slot in enumerate(slots):
        if not lengths[index]:
            characters.append(None)
            confidence *= 1.0 if slot.optional else 0.0
            continue
        characters.append(alphabet[best[index]])
        share = float(weights[index, best[index]]) / (totals[index] + 1e-6)
        confidence *= share * darkest[index]
    return RowText(tuple(characters), confidence)


def _best_path(scores: Floats, grammar: _Grammar) -> NDArray[np.int64]:
    """The best path (T,) through the states, by Viterbi's algorithm.

    It goes state by state over all columns at once: a path that enters a state at column e and is
    still there at column t scores what it had before e, less the state's scores up to e, plus
    those up to t; so the best e is a running maximum.

    Args:
        scores: (S, T) of being in each state after the start, at each column.
        grammar: The states.
    """
    num_states, num_columns = scores.shape
    totals = np.zeros((num_states, num_columns + 1))
    np.cumsum(scores, axis=1, out=totals[:, 1:])
    # best[s, t]: of paths that are in state s when t columns are done.
    best = np.full((num_states + 1, num_columns + 1), _CLOSED)
    best[0, 0] = 0.0
    entered = np.empty((num_states, num_columns))
    for s, predecessors in enumerate(grammar.predecessors):
        before = best[predecessors[0], :-1]
        for predecessor in predecessors[1:]:
            before = np.maximum(before, best[predecessor, :-1])
        np.subtract(before, totals[s, :-1], out=entered[s])
        np.add(np.maximum.accumulate(entered[s]), totals[s, 1:], out=best[s + 1, 1:])
    path = np.zeros(num_columns, np.int64)
    end, choices = num_columns, grammar.ends
    while end > 0:
        column = best[:, end].tolist()
        state = max(choices, key=column.__getitem__)
        # The start is the best choice only where no path is open.
        if state == 0:
            break
        start = int(entered[state - 1, :end].argmax())
        path[start:end] = state
        end, choices = start, grammar.predecessors[state - 1]
    return path
