"""Calibration error and Platt's correction, against cases worked by hand and another optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit

from sub_module.metrics.calibration import calibrated, fit_calibration, log_odds, reliability


def test_calibration_error_by_hand() -> None:
    scores = [0.9] * 5 + [0.5] * 5
    right = [True] * 4 + [False] + [True] + [False] * 4
    curve = reliability(scores, right, num_bins=2)
    assert curve is not None
    assert curve.scores == pytest.approx((0.5, 0.9))
    assert curve.right == pytest.approx((0.2, 0.8))
    assert curve.counts == (5, 5)
    assert curve.ece == pytest.approx(0.5 * 0.3 + 0.5 * 0.1)


def test_bins_hold_equally_many_and_not_too_few() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(103) ** 0.2
    curve = reliability(scores, rng.random(103) < scores)
    assert curve is not None
    assert sorted(curve.counts) == [10] * 7 + [11] * 3
    assert list(curve.scores) == sorted(curve.scores)
    few = reliability(scores[:14], [True] * 14)
    assert few is not None
    assert few.counts == (7, 7), "not ten bins of one or two"


def test_the_order_of_equal_scores_does_not_count() -> None:
    right = np.arange(30) % 3 > 0
    curves = {reliability([0.7] * 30, order) for order in (right, np.sort(right), ~np.sort(~right))}
    assert len(curves) == 1
    (curve,) = curves
    assert curve is not None
    assert curve.ece == pytest.approx(0.7 - 2 / 3)


def test_without_readings_there_is_no_error() -> None:
    assert reliability([], []) is None


def test_scores_that_say_the_truth_have_little_error() -> None:
    rng = np.random.default_rng(1)
    scores = rng.random(20_000)
    honest = reliability(scores, rng.random(20_000) < scores)
    boastful = reliability(scores**0.5, rng.random(20_000) < scores)
    assert honest is not None
    assert boastful is not None
    assert honest.ece < 0.02
    assert boastful.ece == pytest.approx(1 / 6, abs=0.02), "the mean of sqrt(x) - x"


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.4, -1.0), (2.5, 0.7)])
def test_it_finds_the_correction_that_is_needed(slope: float, offset: float) -> None:
    rng = np.random.default_rng(2)
    scores = rng.beta(5, 1.5, 20_000)
    right = rng.random(20_000) < expit(slope * logit(scores) + offset)
    found = fit_calibration(scores.tolist(), right.tolist())
    assert found == pytest.approx((slope, offset), abs=0.12)
    curve = reliability(calibrated(scores, *found), right)
    assert curve is not None
    assert curve.ece < 0.01


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_optimum_that_another_optimiser_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 60))
    scores, right = rng.random(count), rng.random(count) < rng.random()
    x, num_right = logit(scores), right.sum()
    targets = np.where(right, (num_right + 1) / (num_right + 2), 1 / (count - num_right + 2))

    def loss(weights: np.ndarray) -> float:
        odds = weights[0] * x + weights[1]
        return float(-(targets * np.log(expit(odds)) + (1 - targets) * np.log(expit(-odds))).sum())

    bounds = [(0.05, 5), (None, None)]
    best = minimize(loss, [1.0, 0.0], bounds=bounds, method="L-BFGS-B", tol=1e-14)
    own = fit_calibration(scores.tolist(), right.tolist())
    assert loss(np.array(own)) <= best.fun + 1e-6
    assert own == pytest.approx(tuple(best.x), abs=1e-2)


@pytest.mark.parametrize(
    ("scores", "right", "reason"),
    [
        ([0.99, 0.95, 0.9], [True, True, True], "all right"),
        ([0.99, 0.95, 0.9], [False, False, False], "all wrong"),
        ([0.9, 0.8, 0.2, 0.1], [True, True, False, False], "parted perfectly"),
        ([0.9, 0.8, 0.2, 0.1], [False, False, True, True], "the wrong way round"),
        ([0.901, 0.9] * 20, [True, False] * 20, "parted by little"),
        ([0.8] * 4, [True, False, True, True], "all equal"),
        ([1.0, 0.0, 1.0], [True, False, False], "at the ends"),
        ([0.5], [True], "one"),
    ],
)
def test_hard_cases_stay_finite_and_in_order(
    scores: list[float], right: list[bool], reason: str
) -> None:
    slope, offset = fit_calibration(scores, right)
    assert 0 < slope <= 5, reason
    assert np.isfinite([slope, offset]).all(), reason
    levels = np.linspace(0, 1, 11)
    corrected = calibrated(levels, slope, offset)
    assert ((corrected >= 0) & (corrected <= 1)).all(), reason
    assert (np.diff(corrected) >= 0).all(), reason


def test_equal_scores_become_the_share_that_is_right() -> None:
    found = fit_calibration([0.8] * 400, [True] * 100 + [False] * 300)
    assert calibrated([0.8], *found)[0] == pytest.approx(0.25, abs=0.005)


def test_without_readings_nothing_changes() -> None:
    assert fit_calibration([], []) == (1.0, 0.0)
    assert calibrated([0.1, 0.7], 1.0, 0.0) == pytest.approx([0.1, 0.7])
    with pytest.raises(ValueError, match="2 scores of 1 readings"):
        fit_calibration([0.1, 0.2], [True])


def test_log_odds() -> None:
    assert log_odds([0.5, 0.75]) == pytest.approx([0, np.log(3)])
    assert np.isfinite(log_odds([0, 1])).all()
