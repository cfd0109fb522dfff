"""How far a figure of few images can be trusted: bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NUM_RESAMPLES = 2000
_SEED = 0
_COVERAGE = 0.95
# Counted at a time, which bounds the memory: resamples times images.
_BLOCK = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """A figure with the bounds of its 95 % interval.

    Attributes:
        value: The figure.
        low: 2.5 % of the resamples lie below.
        high: 2.5 % of them lie above.
    """

    value: float
    low: float
    high: float


def ratios(
    parts: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> dict[str, Estimate | None]:
    """Sums of some counts over sums of others, each with its interval.

    Images, not plates, are drawn with replacement: the plates of one image are alike. All images
    right, or all wrong, gives an interval of no width: then the number of images says more.

    Args:
        parts: By the figure's name, (n,) such as the plates read exactly, and (n,) such as the
            plates, of each image.

    Returns:
        By name; None where there is nothing to divide by.
    """
    above = np.array([numerators for numerators, _ in parts.values()], np.float64)
    below = np.array([denominators for _, denominators in parts.values()], np.float64)
    defined = below.sum(axis=1) > 0
    if not defined.any():
        return dict.fromkeys(parts)
    sums = _resampled(np.concatenate([above[defined], below[defined]]).T)
    tops, bottoms = np.split(sums, 2, axis=1)
    tail = 100 * (1 - _COVERAGE) / 2
    found: dict[str, Estimate | None] = dict.fromkeys(parts)
    names = (name for name, is_defined in zip(parts, defined, strict=True) if is_defined)
    values = above[defined].sum(axis=1) / below[defined].sum(axis=1)
    for name, value, top, bottom in zip(names, values, tops.T, bottoms.T, strict=True):
        # Where few images hold something to divide by, some resamples hold none of them.
        held = bottom > 0
        low, high = np.percentile(top[held] / bottom[held], [tail, 100 - tail])
        found[name] = Estimate(float(value), float(low), float(high))
    return found


def _resampled(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sums of (n, k) columns in each of the resamples, (_NUM_RESAMPLES, k); always the same."""
    rng = np.random.default_rng(_SEED)
    num_images = len(columns)
    sums, rows = [], max(1, _BLOCK // num_images)
    for done in range(0, _NUM_RESAMPLES, rows):
        block = min(rows, _NUM_RESAMPLES - done)
        picks = rng.integers(0, num_images, (block, num_images))
        picks += num_images * np.arange(block)[:, None]
        times = np.bincount(picks.ravel(), minlength=block * num_images)
        sums.append(times.reshape(block, num_images).astype(np.float64) @ columns)
    return np.concatenate(sums)
