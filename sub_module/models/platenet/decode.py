"""From network outputs to plates and texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sub_module.plates import Slot

Floats = NDArray[np.float32]
# The score of a state or a move that is not open.
_CLOSED = np.float32(-1e9)


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


def decode_columns(
    probabilities: Floats, slots: Sequence[Sequence[Slot]], alphabet: str
) -> list[RowText]:
    """Read rows from column probabilities: the best division of the columns among the slots.

    Columns are divided by dynamic programming: each slot takes one run of columns, blanks stand
    between and around them, optional slots may take none. A slot's score in a column is the
    summed probability of its alphabet, and its character the one with the largest sum over its
    run, so a text outside the slots' alphabets cannot come out.

    Args:
        probabilities: (N, T, 1 + A), index 0 blank.
        slots: Those of each of the N rows.
        alphabet: The A characters in index order.
    """
    if not len(probabilities):
        return []
    masks = {
        slot.alphabet: _alphabet_mask(slot.alphabet, alphabet) for row in slots for slot in row
    }
    num_states = 2 * max(len(row) for row in slots) + 1
    num_rows, num_columns, _ = probabilities.shape
    # States alternate: blank, slot 0, blank, slot 1, ..., blank; those beyond a row's are closed.
    scores = np.full((num_rows, num_columns, num_states), _CLOSED, np.float32)
    must_stop = np.zeros((num_rows, num_states), bool)
    log_blank = np.log(probabilities[..., 0] + 1e-6)
    for n, row in enumerate(slots):
        scores[n, :, 0 : 2 * len(row) + 1 : 2] = log_blank[n, :, None]
        allowed = np.stack([masks[slot.alphabet] for slot in row], 1)
        scores[n, :, 1 : 2 * len(row) : 2] = np.log(probabilities[n, :, 1:] @ allowed + 1e-6)
        must_stop[n, 1 : 2 * len(row) : 2] = [not slot.optional for slot in row]
    return [
        _row_text(p, path, row, masks, alphabet)
        for p, path, row in zip(probabilities, _best_paths(scores, must_stop), slots, strict=True)
    ]


def _best_paths(scores: Floats, must_stop: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The best monotone path (N, T) through the states, by Viterbi's algorithm.

    A path may pass over any states but those where it must stop.

    Args:
        scores: (N, T, S) of being in a state at a column.
        must_stop: (N, S).
    """
    num_rows, num_columns, num_states = scores.shape
    # stops[n, i] counts the states before i where row n must stop.
    stops = np.concatenate([np.zeros((num_rows, 1), int), must_stop.cumsum(1)], 1)
    between = stops[:, None, :-1] - stops[:, 1:, None]
    forward = np.triu(np.ones((num_states, num_states), bool), 1)
    may_move = (forward & (between == 0)) | np.eye(num_states, dtype=bool)
    cost = np.where(may_move, 0.0, _CLOSED).astype(np.float32)
    best = scores[:, 0] + np.where(stops[:, :-1] == 0, 0.0, _CLOSED).astype(np.float32)
    steps = np.zeros((num_columns, num_rows, num_states), np.int64)
    for t in range(1, num_columns):
        options = best[:, :, None] + cost
        steps[t] = options.argmax(1)
        best = options.max(1) + scores[:, t]
    best = best + np.where(stops[:, 1:] == stops[:, -1:], 0.0, _CLOSED)
    paths = np.empty((num_rows, num_columns), np.int64)
    rows, state = np.arange(num_rows), best.argmax(1)
    for t in range(num_columns - 1, -1, -1):
        paths[:, t] = state
        state = steps[t, rows, state]
    return paths


def _row_text(
    probabilities: Floats,
    path: NDArray[np.int64],
    slots: Sequence[Slot],
    masks: dict[str, Floats],
    alphabet: str,
) -> RowText:
    characters: list[str | None] = []
    confidence = 1.0
    for index, slot in enumerate(slots):
        columns = probabilities[path == 2 * index + 1, 1:]
        if not len(columns):
            characters.append(None)
            confidence *= 1.0 if slot.optional else 0.0
            continue
        weights = columns.sum(0)
        best = int(np.argmax(weights * masks[slot.alphabet]))
        characters.append(alphabet[best])
        confidence *= float(weights[best] / (weights.sum() + 1e-6)) * float(columns.sum(1).max())
    return RowText(tuple(characters), confidence)


def _alphabet_mask(characters: str, alphabet: str) -> Floats:
    return np.array([c in characters for c in alphabet], np.float32)
