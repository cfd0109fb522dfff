"""What platenet's detector and reader should say of what they see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sub_module.models.platenet.inputs import STRIDE


def detector_targets(
    quads: Sequence[NDArray[np.floating]], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """What a detector should say of an image.

    Args:
        quads: (4, 2) corners of each plate in pixels of the detector's input.
        size: (width, height) of that input.

    Returns:
        Heat (1, h, w): 1 in the cell of a plate's centre, falling off as a Gaussian of the plate's
        size; corner offsets (8, h, w) from cell centres, in strides; and weights (1, h, w) of
        those: a Gaussian's values where it is above one half, over the plate's height in strides,
        so that near plates do not drown far ones.
    """
    columns, rows = size[0] // STRIDE, size[1] // STRIDE
    heat = np.zeros((1, rows, columns), np.float32)
    corners = np.zeros((8, rows, columns), np.float32)
    weights = np.zeros((1, rows, columns), np.float32)
    xs, ys = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    for quad in quads:
        scaled = np.asarray(quad, np.float32) / STRIDE
        centre = scaled.mean(0)
        if not (0 <= centre[0] < columns and 0 <= centre[1] < rows):
            continue
        spread = np.maximum((scaled.max(0) - scaled.min(0)) * 0.15, 0.6)
        peak = np.floor(centre) + 0.5
        gaussian = np.exp(
            -(((xs - peak[0]) / spread[0]) ** 2 + ((ys - peak[1]) / spread[1]) ** 2) / 2
        )
        nearest = gaussian > heat[0]
        heat[0] = np.where(nearest, gaussian, heat[0])
        positive = nearest & (gaussian > 0.5)
        offsets = scaled.reshape(8, 1, 1) - np.stack([xs, ys] * 4)
        corners = np.where(positive, offsets, corners).astype(np.float32)
        height = np.linalg.norm(scaled[3] - scaled[0] + scaled[2] - scaled[1]) / 2
        weights[0] = np.where(positive, gaussian / max(float(height), 1.0), weights[0])
    return heat, corners, weights


def column_labels(
    characters: Sequence[tuple[int, NDArray[np.float32]]], num_columns: int
) -> NDArray[np.int64]:
    """The class of each column of a strip: 0 for blank, 1 + index of the character there.

    A character claims the middle seven tenths of its ink, so that neighbours stay apart, and at
    least the column of its middle and half a column to each side.

    Args:
        characters: (index in the alphabet, (n, 2) outline in shares of the strip).
        num_columns: Columns of a strip.
    """
    labels = np.zeros(num_columns, np.int64)
    centres = np.arange(num_columns) + 0.5
    for index, outline in characters:
        left, right = outline[:, 0].min() * num_columns, outline[:, 0].max() * num_columns
        half = max(0.35 * (right - left), 0.75)
        labels[np.abs(centres - (left + right) / 2) <= half] = 1 + index
    return labels
