"""How far a figure of few images can be trusted: bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NUM_RESAMPLES = 2000
_SEED = 0
_COVERAGE = 0.95
# Of the resamples, this share may hold nothing to divide by before there is no interval to give.
_MAX_UNDEFINED = 0.5


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


def ratio(numerators: ArrayLike, denominators: ArrayLike) -> Estimate | None:
    """The sum of some counts over the sum of others, with its interval.

    Images, not plates, are drawn with replacement: the plates of one image are alike. All images
    right, or all wrong, gives an interval of no width: then the number of images says more.

    Args:
        numerators: (n,), such as the plates read exactly, of each image.
        denominators: (n,), such as the plates, of each image.

    Returns:
        None when there is nothing to divide by.
    """
    above: NDArray[np.float64] = np.asarray(numerators, np.float64)
    below: NDArray[np.float64] = np.asarray(denominators, np.float64)
    if not len(below) or below.sum() == 0:
        return None
    value = float(above.sum() / below.sum())
    # How often each image is in each resample. The same seed: figures share their resamples.
    rng = np.random.default_rng(_SEED)
    times = rng.multinomial(len(below), np.full(len(below), 1 / len(below)), _NUM_RESAMPLES)
    sums = times @ np.stack([above, below], axis=1)
    sums = sums[sums[:, 1] > 0]
    if len(sums) < _MAX_UNDEFINED * _NUM_RESAMPLES:
        return Estimate(value, value, value)
    tail = 100 * (1 - _COVERAGE) / 2
    low, high = np.percentile(sums[:, 0] / sums[:, 1], [tail, 100 - tail])
    return Estimate(value, float(low), float(high))
