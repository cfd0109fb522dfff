"""The divided IoU: how alike two masks are in the outlines of their thirds, not only in their box.

The boundary points of a mask, sorted by y, are cut into three runs of equal count, and each run's
bounding box is compared by IoU with its counterpart; the same sorted by x; the six are averaged.

What the words leave open is settled here:
- A boundary point is a pixel of the mask with one of its four neighbours outside of the mask or
  of the array; so the edges of holes count, and a 6 differs from an 8.
- Points with equal y are ordered by x (and with equal x by y), so a cut inside a row of pixels
  falls at the same place for the same mask, wherever it lies.
- Of n points, run i (from 0) takes those from i * n // 3 up to (i + 1) * n // 3: what three does
  not divide goes to the later runs.
- A pixel is a square of side 1, so a run of a single point has a box of area 1.
- A run without points (masks of one or two pixels) equals a run without points (1) and nothing
  else (0). An empty mask equals nothing, not even another empty mask: 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def divided_iou(mask_a: NDArray[Any], mask_b: NDArray[Any]) -> float:
    """The divided IoU of two masks of one image, from 0 to 1.

    Args:
        mask_a: (height, width), true or non-zero inside.
        mask_b: The same shape.

    Raises:
        ValueError: The shapes differ.
    """
    if mask_a.shape != mask_b.shape:
        raise ValueError(f"masks of one image have one shape, not {mask_a.shape}, {mask_b.shape}")
    return float(divided_ious([divided_boxes(mask_a)], [divided_boxes(mask_b)])[0, 0])


def divided_boxes(mask: NDArray[Any]) -> Array:
    """The boxes of a mask's six runs.

    Args:
        mask: (height, width), true or non-zero inside.

    Returns:
        (6, 4): x1, y1, x2, y2 in pixels, the thirds from top to bottom, then from left to right;
        NaN where a run has no points.
    """
    ys, xs = _boundary(mask.astype(bool))
    boxes = np.full((6, 4), np.nan)
    for first, order in ((0, np.lexsort((xs, ys))), (3, np.lexsort((ys, xs)))):
        for run in range(3):
            points = order[run * len(order) // 3 : (run + 1) * len(order) // 3]
            if len(points):
                x, y = xs[points], ys[points]
                boxes[first + run] = x.min(), y.min(), x.max() + 1, y.max() + 1
    return boxes


def divided_ious(boxes_a: list[Array], boxes_b: list[Array]) -> Array:
    """The divided IoU of each of A masks with each of B, from what `divided_boxes` gave: (A, B)."""
    a = np.array(boxes_a).reshape(-1, 1, 6, 4)
    b = np.array(boxes_b).reshape(1, -1, 6, 4)
    sides = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (a, b)]
    ious = shared / (areas[0] + areas[1] - shared)
    empty_a, empty_b = np.isnan(areas[0]), np.isnan(areas[1])
    ious = np.where(empty_a | empty_b, (empty_a & empty_b).astype(float), ious)
    nothing = empty_a.all(axis=-1) | empty_b.all(axis=-1)
    means: Array = np.where(nothing, 0.0, ious.mean(axis=-1))
    return means


def _boundary(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The y and x of a mask's boundary points."""
    around = np.pad(mask, 1)
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    ys, xs = np.nonzero(mask & ~inner)
    return ys, xs
