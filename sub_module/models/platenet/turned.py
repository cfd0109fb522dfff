"""Plates that stand upside down or are mirrored: they read better once turned back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sub_module.models.platenet.decode import Flags, Floats

Strip = NDArray[np.uint8]


def turned_back(strip: Strip) -> list[Strip]:
    """A row of text (H, W) mirrored, and after a half turn."""
    return [strip[:, ::-1], strip[::-1, ::-1]]


def legibility(probabilities: Floats, filled: Flags) -> Floats:
    """The log of how well a text can be read.

    A character counts for it where it is likelier than not, else against it: so of two looks at
    one plate the one that shows more characters wins, unless it is much less sure of them.

    Args:
        probabilities: (..., slots, A) that each slot holds each character.
        filled: (..., slots) whether it holds one.
    """
    best = np.log(2 * probabilities.max(axis=-1) + 1e-6)
    return np.asarray(np.where(filled, best, 0.0).sum(axis=-1))
