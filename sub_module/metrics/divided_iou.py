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

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle

from sub_module.metrics.run_lengths import Ints, Strokes, strokes_of

Array = NDArray[np.float64]
# Bounds the memory.
_NUM_AT_ONCE = 5000
# Masks are painted side by side, as many at a time as fit into so many bytes (or one that does not)
# and as 16 bits can tell rows of: numbers of 16 bits are sorted ten times as fast.
_CANVAS_BYTES = 4_000_000
_NUM_ROWS = 1 << 16


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
    return float(paired_divided_ious(divided_boxes(mask_a), divided_boxes(mask_b)))


def divided_boxes(mask: NDArray[Any]) -> Array:
    """The boxes of a mask's six runs.

    Args:
        mask: (height, width), true or non-zero inside.

    Returns:
        (6, 4): x1, y1, x2, y2 in pixels, the thirds from top to bottom, then from left to right;
        NaN where a run has no points.
    """
    encoded = rle.encode(np.asfortranarray(mask.astype(bool), dtype=np.uint8))
    boxes: Array = divided_boxes_of([encoded])[0]
    return boxes


def paired_divided_ious(boxes_a: Array, boxes_b: Array) -> Array:
    """The divided IoU of n masks with n others, from their divided boxes (..., 6, 4): (...)."""
    sides = np.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    sides -= np.maximum(boxes_a[..., :2], boxes_b[..., :2])
    shared = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (boxes_a, boxes_b)]
    ious = shared / (areas[0] + areas[1] - shared)
    empty_a, empty_b = np.isnan(areas[0]), np.isnan(areas[1])
    ious = np.where(empty_a | empty_b, (empty_a & empty_b).astype(float), ious)
    nothing = empty_a.all(axis=-1) | empty_b.all(axis=-1)
    means: Array = np.where(nothing, 0.0, ious.mean(axis=-1))
    return means


def divided_boxes_of(segmentations: Sequence[Any]) -> Array:
    """`divided_boxes` of n run-length encoded masks, of one image or of many: (n, 6, 4)."""
    parts = [
        _boxes_of(segmentations[start : start + _NUM_AT_ONCE])
        for start in range(0, len(segmentations), _NUM_AT_ONCE)
    ]
    return np.concatenate([np.empty((0, 6, 4)), *parts])


def _boxes_of(segmentations: Sequence[Any]) -> Array:
    boxes = np.full((len(segmentations), 6, 4), np.nan)
    strokes = strokes_of(segmentations)
    if not len(strokes.mask):
        return boxes
    starts = np.flatnonzero(np.diff(strokes.mask, prepend=-1))
    ends = np.append(starts[1:], len(strokes.mask))
    masks = strokes.mask[starts]
    tops = np.minimum.reduceat(strokes.top, starts)
    heights = np.maximum.reduceat(strokes.bottom, starts) - tops
    lefts = strokes.x[starts]
    widths = strokes.x[ends - 1] + 1 - lefts
    # Masks of like height share a canvas.
    order = np.argsort(heights, kind="stable")
    for own in _canvases(order, heights, widths):
        picked = _picked(starts[own], ends[own])
        part = Strokes(
            mask=np.repeat(np.arange(len(own)), ends[own] - starts[own]),
            x=strokes.x[picked] - np.repeat(lefts[own], ends[own] - starts[own]),
            top=strokes.top[picked] - np.repeat(tops[own], ends[own] - starts[own]),
            bottom=strokes.bottom[picked] - np.repeat(tops[own], ends[own] - starts[own]),
        )
        corner = np.stack([lefts, tops, lefts, tops], axis=-1)[own]
        boxes[masks[own]] = _boxes_on_canvas(part, widths[own]) + corner[:, None]
    return boxes


def _canvases(order: Ints, heights: Ints, widths: Ints) -> list[Ints]:
    """The masks of each canvas, given all in the order of their heights."""
    canvases: list[list[int]] = []
    num_columns = 0
    for mask in order.tolist():
        height = int(heights[mask]) + 1
        num_columns += int(widths[mask]) + 1
        fits = canvases and (
            num_columns * height <= _CANVAS_BYTES and len(canvases[-1]) < _NUM_ROWS // height
        )
        if fits:
            canvases[-1].append(mask)
        else:
            canvases.append([mask])
            num_columns = int(widths[mask]) + 2
    return [np.array(masks, np.int64) for masks in canvases]


def _picked(starts: Ints, ends: Ints) -> Ints:
    """The numbers of all ranges, one range after the other."""
    lengths = ends - starts
    offsets = np.cumsum(lengths) - lengths
    picked: Ints = np.arange(int(lengths.sum())) + np.repeat(starts - offsets, lengths)
    return picked


def _boxes_on_canvas(strokes: Strokes, widths: Ints) -> Array:
    """The (n, 6, 4) boxes of n masks that each begin at row and column 0.

    All are painted side by side, with an empty column between two and an empty row below, into one
    canvas that runs column by column; so the neighbours of a pixel are one and `pitch` away.
    """
    pitch = int(strokes.bottom.max()) + 1
    first_columns = np.cumsum(widths + 1) - widths
    num_columns = int(first_columns[-1] + widths[-1]) + 1
    columns = (first_columns[strokes.mask] + strokes.x) * pitch
    edges = np.zeros(num_columns * pitch + 1, np.int8)
    edges[columns + strokes.top] += 1
    edges[columns + strokes.bottom] -= 1
    inside = np.cumsum(edges, dtype=np.int8).view(bool)
    # The first and the last column are empty, so that no neighbour lies outside of the canvas.
    middle = slice(pitch, (num_columns - 1) * pitch)
    inner = inside[middle].copy()
    for step in (-1, 1, -pitch, pitch):
        inner &= inside[middle.start + step : middle.stop + step]
    points = np.flatnonzero(inside[middle] ^ inner) + pitch
    column, ys = np.divmod(points, pitch)
    masks = np.repeat(np.arange(len(widths)), widths + 1)[column - 1]
    xs = column - first_columns[masks]
    # They stand in the order of masks, x and y: what is left to do is that of masks, y and x.
    rows = (masks * pitch + ys).astype(np.min_scalar_type(len(widths) * pitch))
    by_y = np.argsort(rows, kind="stable")
    num_points = np.bincount(masks, minlength=len(widths))
    return np.concatenate(
        (_run_boxes(xs[by_y], ys[by_y], num_points), _run_boxes(xs, ys, num_points)), axis=1
    )


def _run_boxes(xs: Ints, ys: Ints, num_points: Ints) -> Array:
    """The (n, 3, 4) boxes of the thirds of n masks' points, which stand one mask after another."""
    first = np.cumsum(num_points) - num_points
    cuts = first[:, None] + np.arange(4) * num_points[:, None] // 3
    starts = cuts[:, :3].ravel()
    # Of an empty run it gives the next one's first point; the last of a mask is never empty.
    lows = [np.minimum.reduceat(values, starts) for values in (xs, ys)]
    highs = [np.maximum.reduceat(values, starts) + 1 for values in (xs, ys)]
    boxes = np.stack([*lows, *highs], axis=-1).astype(float)
    boxes[starts == cuts[:, 1:].ravel()] = np.nan
    return boxes.reshape(-1, 3, 4)
