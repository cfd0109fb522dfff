"""From network outputs to plates and to the characters of a row's slots."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sub_module.plates import Slot

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
# The score of a path that is not open.
_CLOSED = -1e6
# What it costs to begin a character right after another one, in log units: so much, and more where
# the columns before and after look alike. Characters leave a blank column between them, so that
# columns without one are a single character unless a slot would go empty.
_TOUCHING_COST = 1.0
_ALIKE_COST = 12.0


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


@dataclass(frozen=True, eq=False)
class RowTexts:
    """The characters of some strips of rows with the same slots.

    Attributes:
        probabilities: (R, slots, A) that each slot holds each character; all 0 where it is empty.
        filled: (R, slots) whether it holds one.
        complete: (R,) the probability that no character is left that no slot took.
    """

    probabilities: Floats
    filled: Flags
    complete: Floats


@dataclass(frozen=True)
class _States:
    """The slots of a row as states of a path: blank, slot 0, blank, slot 1, ..., blank.

    State 0 is the start, before the first column; the first blank is state 1.

    Attributes:
        accepts: (slots, A), 1 where a slot's alphabet has a character.
        predecessors: For each state after the start, the states that a path may come from: those
            between are passed over, which no slot may be that is not optional.
        ends: The states in which a path may end.
        counts: Whether the number of characters is the columns' to say.
    """

    accepts: Floats
    predecessors: tuple[tuple[int, ...], ...]
    ends: tuple[int, ...]
    counts: bool

    @property
    def slots(self) -> NDArray[np.int64]:
        """(slots,) the state of each slot."""
        return 2 * np.arange(len(self.accepts)) + 2


@lru_cache(maxsize=256)
def _states(slots: tuple[Slot, ...], alphabet: str) -> _States:
    num_states = 2 * len(slots) + 2
    must_stop = [s % 2 == 0 and s > 0 and not slots[s // 2 - 1].optional for s in range(num_states)]
    predecessors = tuple(
        tuple(p for p in range(state) if not any(must_stop[p + 1 : state]))
        for state in range(1, num_states + 1)
    )
    accepts = np.array([[c in slot.alphabet for c in alphabet] for slot in slots], np.float32)
    counts = any(slot.optional for slot in slots)
    return _States(accepts, predecessors[:-1], predecessors[-1], counts)


def decode_rows(columns: Floats, slots: tuple[Slot, ...], alphabet: str) -> RowTexts:
    """Read rows from column probabilities: the best division of the columns among their slots.

    Each slot takes one run of columns, blanks stand between and around them where they fit better,
    optional slots may take none. A slot's score in a column is the summed probability of its
    alphabet, and its characters are weighed by their sums over its run, so a text outside the
    slots' alphabets cannot come out.

    Args:
        columns: (R, T, 1 + A) of each strip, index 0 blank.
        slots: From left to right, the same for all.
        alphabet: The A characters in index order.
    """
    states = _states(slots, alphabet)
    # Contiguous, or each matrix product copies it anew.
    ink = np.ascontiguousarray(columns[:, :, 1:])
    scores = np.empty((2 * len(slots) + 1, *columns.shape[:2]), np.float32)
    scores[0::2] = columns[:, :, 0]
    scores[1::2] = (ink @ states.accepts.T).transpose(2, 0, 1)
    np.log(scores + 1e-6, out=scores)
    paths = _best_paths(scores, states, _touching_costs(ink) if states.counts else None)
    # All slots at once: each call of numpy costs more than its sums.
    runs = (paths[:, None] == states.slots[:, None]).astype(np.float32)
    weights = runs @ ink
    darkest = (runs * ink.sum(2)[:, None]).max(2)
    shares = darkest / (weights.sum(2) + 1e-6)
    probabilities = weights * states.accepts * shares[:, :, None]
    return RowTexts(probabilities, runs.any(2), _complete(ink.sum(2), runs.any(1)))


def _complete(ink: Floats, taken: Flags) -> Floats:
    """(R,) the probability that no column has a character but those that slots took.

    Args:
        ink: (R, T) the probability of any character.
        taken: (R, T) whether a slot took the column; their neighbours do not count, as characters
            are wider than what is labelled of them.
    """
    padded = np.pad(taken, ((0, 0), (1, 1)))
    near = padded[:, :-2] | taken | padded[:, 2:]
    return np.asarray(1 - np.where(near, 0.0, ink).max(1), np.float32)


def _touching_costs(ink: Floats) -> Floats:
    """(R, T) what it costs to begin a character at a column and end another right before it.

    Args:
        ink: (R, T, A) probabilities of the characters.
    """
    # Two columns on either side: one alone is often torn between neighbours.
    padded = np.pad(ink, ((0, 0), (2, 1), (0, 0)))
    pairs = padded[:, 1:] + padded[:, :-1]
    pairs /= np.sqrt(np.einsum("rta,rta->rt", pairs, pairs) + 1e-12)[:, :, None]
    alike = np.einsum("rta,rta->rt", pairs[:, :-2], pairs[:, 2:])
    return np.asarray(_TOUCHING_COST + _ALIKE_COST * alike, np.float32)


def _best_paths(scores: Floats, states: _States, touching: Floats | None) -> NDArray[np.int64]:
    """The best path (R, T) through the states for each strip, by Viterbi's algorithm.

    It goes state by state over all columns at once: a path that enters a state at column e and is
    still there at column t scores what it had before e, less the state's scores up to e, plus
    those up to t; so the best e is a running maximum.

    Args:
        scores: (S, R, T) of being in each state after the start, at each column.
        states: What may follow what.
        touching: (R, T) costs of going from slot to slot at each column; None: nothing.
    """
    num_states, num_rows, num_columns = scores.shape
    totals = np.zeros((num_states, num_rows, num_columns + 1))
    np.cumsum(scores, axis=2, out=totals[:, :, 1:])
    # best[s, r, t]: of paths that are in state s when t columns are done.
    best = np.full((num_states + 1, num_rows, num_columns + 1), _CLOSED)
    best[0, :, 0] = 0.0
    # The same, less the costs of a slot next.
    onwards = best if touching is None else best.copy()
    entered = np.empty((num_states, num_rows, num_columns))
    for s, predecessors in enumerate(states.predecessors):
        source = onwards if s % 2 else best
        before = source[predecessors[0], :, :-1]
        for predecessor in predecessors[1:]:
            before = np.maximum(before, source[predecessor, :, :-1])
        np.subtract(before, totals[s, :, :-1], out=entered[s])
        np.add(np.maximum.accumulate(entered[s], axis=1), totals[s, :, 1:], out=best[s + 1, :, 1:])
        if touching is not None:
            onwards[s + 1] = best[s + 1]
            if s % 2:
                onwards[s + 1, :, :-1] -= touching
    paths = np.zeros((num_rows, num_columns), np.int64)
    for row in range(num_rows):
        end, choices, source = num_columns, states.ends, best
        while end > 0:
            column = source[:, row, end].tolist()
            state = max(choices, key=column.__getitem__)
            # The start is the best choice only where no path is open.
            if state == 0:
                break
            start = int(entered[state - 1, row, :end].argmax())
            paths[row, start:end] = state
            end, choices = start, states.predecessors[state - 1]
            source = best if state % 2 else onwards
    return paths
