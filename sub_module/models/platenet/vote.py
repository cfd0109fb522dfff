"""What several looks at one plate say together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sub_module.models.platenet.decode import Flags, Floats, RowTexts


@dataclass(frozen=True, eq=False)
class Vote:
    """The characters of a plate's slots.

    Attributes:
        probabilities: (slots, A) that each slot holds each character; all 0 where it is empty.
        filled: (slots,) whether it holds one.
        agreeing: How many looks alone would read the same.
        complete: The probability that no character is left that no slot took.
    """

    probabilities: Floats
    filled: Flags
    agreeing: int
    complete: float


def vote(rows: list[RowTexts]) -> Vote:
    """Take the mean of those looks that most agree on which slots are filled.

    Where as many agree on something else, those win that are surer.

    Args:
        rows: For each of a layout's rows what the same M looks say, M at least 1.
    """
    probabilities = np.concatenate([row.probabilities for row in rows], axis=1)
    filled = np.concatenate([row.filled for row in rows], axis=1)
    alike = (filled[:, None] == filled).all(axis=2)
    best = probabilities.max(axis=2)
    sureness = np.where(filled, best, 1.0).prod(axis=1)
    members = alike[int((alike.sum(axis=1) + alike @ sureness / (len(alike) + 1)).argmax())]
    mean = probabilities[members].mean(axis=0)
    same = (probabilities[members].argmax(axis=2) == mean.argmax(axis=1)).all(axis=1)
    complete = np.prod([row.complete[members] for row in rows], axis=0).mean()
    return Vote(mean, filled[members][0], int(same.sum()), float(complete))
