"""Many run-length encoded masks at once: pycocotools decodes one by one, and whole images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Strokes:
    """The runs of masks, cut where a column ends, in the order of masks, columns and rows.

    Attributes:
        mask: (n,) index of the mask.
        x: (n,) column in pixels.
        top: (n,) first row.
        bottom: (n,) the row after the last.
    """

    mask: Ints
    x: Ints
    top: Ints
    bottom: Ints


def strokes_of(segmentations: Sequence[Any]) -> Strokes:
    """The strokes of masks as pycocotools encodes them (`size` and compressed `counts`)."""
    values, mask = _numbers([segmentation["counts"] for segmentation in segmentations])
    place = _places(mask)
    # From the fourth on COCO notes by how much a run differs from the last but one.
    counts = values.copy()
    for parity in (0, 1):
        own = (place % 2 == parity) & (place > 0)
        counts[own] = _sums_within(np.where(own, values, 0), place)[own]
    # Runs of what is outside and of what is inside take turns, the former first.
    ends = _sums_within(counts, place)
    inside = (place % 2 == 1) & (counts > 0)
    mask, starts, ends = mask[inside], (ends - counts)[inside], ends[inside]
    height = np.array([s["size"][0] for s in segmentations], np.int64)[mask]
    first = starts // height
    num_columns = (ends - 1) // height - first + 1
    run = np.repeat(np.arange(len(mask)), num_columns)
    x = first[run] + _places(run)
    before = x * height[run]
    return Strokes(
        mask=mask[run],
        x=x,
        top=np.maximum(starts[run] - before, 0),
        bottom=np.minimum(ends[run] - before, height[run]),
    )


def _numbers(texts: Sequence[str | bytes]) -> tuple[Ints, Ints]:
    """The numbers in texts, and for each the text that it stands in.

    COCO writes a number as characters from 48 on: five bits each, the lowest first, and one that
    says whether more follow; in two's complement.
    """
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    codes = np.frombuffer(b"".join(encoded), np.uint8).astype(np.int64) - 48
    last = codes & 32 == 0
    lasts = np.flatnonzero(last)
    starts = np.concatenate(([0], lasts[:-1] + 1))[: len(lasts)]
    shifts = 5 * (np.arange(len(codes)) - np.repeat(starts, lasts - starts + 1))
    values = (codes & 31) << shifts
    values[last] -= (codes[last] & 16) << (shifts[last] + 1)
    texts_of_codes = np.repeat(np.arange(len(encoded)), [len(text) for text in encoded])
    if not len(lasts):
        return values, texts_of_codes
    return np.add.reduceat(values, starts), texts_of_codes[last]


def _places(owner: Ints) -> Ints:
    """For each entry its place among those of the same owner, which stand together."""
    firsts = np.flatnonzero(np.diff(owner, prepend=-1))
    lengths = np.diff(firsts, append=len(owner))
    places: Ints = np.arange(len(owner)) - np.repeat(firsts, lengths)
    return places


def _sums_within(values: Ints, place: Ints) -> Ints:
    """Running sums that begin anew wherever the place is 0."""
    sums = np.cumsum(values)
    sums -= (sums - values)[np.arange(len(values)) - place]
    return sums
