"""How far scores can be trusted: calibration error, reliability, and Platt's correction.

A score is calibrated when, of the readings with a score of 0.9, nine in ten are right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
# Scores are kept as far from 0 and 1, whose log odds are infinite.
EPSILON = 1e-6
_NUM_BINS = 10
# A bin of fewer readings says nothing: there are fewer bins then.
_MIN_IN_BIN = 5
# A correction that turned the order of the scores over would be none; nor would one that few
# readings happen to ask for, which makes 0 and 1 of all.
_SLOPES = (0.05, 5.0)
_MAX_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Reliability:
    """Scores against how often they are right, in bins of equally many readings.

    Attributes:
        scores: The mean score of each bin, ascending.
        right: The share of its readings that are right.
        counts: Its readings.
        ece: The expected calibration error: the mean distance of the two, weighted by the counts.
            Of few readings it is above 0 even for perfect scores.
    """

    scores: tuple[float, ...]
    right: tuple[float, ...]
    counts: tuple[int, ...]
    ece: float


def reliability(
    scores: ArrayLike, right: ArrayLike, num_bins: int = _NUM_BINS
) -> Reliability | None:
    """Scores and outcomes in bins of equal mass, which crowded scores fill as well as spread ones.

    Readings of equal score share their outcome, so that their order does not count.

    Args:
        scores: (n,) from 0 to 1.
        right: (n,) whether each reading is right.
        num_bins: At most so many; fewer where a bin would hold less than five readings.

    Returns:
        None when there are no readings.
    """
    p, y = np.asarray(scores, np.float64), np.asarray(right, np.float64)
    if not len(p):
        return None
    levels, level_of, times = np.unique(p, return_inverse=True, return_counts=True)
    shares = np.bincount(level_of, weights=y, minlength=len(levels)) / times
    bins = np.array_split(np.sort(level_of), max(1, min(num_bins, len(p) // _MIN_IN_BIN)))
    means = [float(levels[own].mean()) for own in bins]
    rights = [float(shares[own].mean()) for own in bins]
    counts = [len(own) for own in bins]
    gaps = np.abs(np.subtract(means, rights))
    return Reliability(
        tuple(means), tuple(rights), tuple(counts), float(np.average(gaps, weights=counts))
    )


def log_odds(scores: ArrayLike) -> Array:
    """log(p / (1 - p)) of scores from 0 to 1, those at the ends moved in by `EPSILON`."""
    p = np.clip(np.asarray(scores, np.float64), EPSILON, 1 - EPSILON)
    odds: Array = np.log(p) - np.log1p(-p)
    return odds


def calibrated(scores: ArrayLike, slope: float, offset: float) -> Array:
    """Scores whose log odds x became slope * x + offset."""
    return _probability(slope * log_odds(scores) + offset)


def fit_calibration(scores: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Platt's correction of scores: the logistic regression of outcomes on log odds.

    Instead of 1 and 0 it aims a little inside (Platt 1999), so that readings that are all right, or
    that a score parts perfectly, do not drive it to infinity.

    Args:
        scores: From 0 to 1.
        right: Whether each reading is right.

    Returns:
        (slope, offset) for `calibrated`; the slope is above 0, so the order of scores stays.
        Without readings (1, 0), which changes nothing.

    Raises:
        ValueError: The numbers differ.
    """
    if len(scores) != len(right):
        raise ValueError(f"{len(scores)} scores of {len(right)} readings")
    if not len(scores):
        return 1.0, 0.0
    y = np.asarray(right, np.bool_)
    num_right = int(y.sum())
    targets = np.where(y, (num_right + 1) / (num_right + 2), 1 / (len(y) - num_right + 2))
    x = log_odds(scores)
    slope, offset = _fit(np.stack([x, np.ones_like(x)], axis=1), targets)
    bounded = float(np.clip(slope, *_SLOPES))
    if bounded != slope:
        # The loss is convex: with the slope bounded, the best one lies on the bound.
        (offset,) = _fit(np.ones((len(x), 1)), targets, bounded * x)
    return bounded, offset


def _fit(features: Array, targets: Array, base: Array | float = 0.0) -> tuple[float, ...]:
    """The weights of a logistic regression by Newton's method, its steps halved where they fail."""
    weights = np.zeros(features.shape[1])
    loss = _loss(features @ weights + base, targets)
    for _ in range(_MAX_STEPS):
        p = _probability(features @ weights + base)
        gradient = features.T @ (p - targets)
        curvature = features.T @ (features * (p * (1 - p))[:, None])
        # Scores that are all equal leave a direction undetermined.
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        length = 1.0
        while (new := _loss(features @ (weights - length * step) + base, targets)) > loss:
            length /= 2
            if length < _TOLERANCE:
                return tuple(weights.tolist())
        weights = weights - length * step
        if loss - new < _TOLERANCE * max(1.0, loss):
            break
        loss = new
    return tuple(weights.tolist())


def _loss(odds: Array, targets: Array) -> float:
    return float((np.logaddexp(0, odds) - targets * odds).sum())


def _probability(odds: Array) -> Array:
    p: Array = 0.5 * (1 + np.tanh(odds / 2))
    return p
