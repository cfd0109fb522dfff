"""How far the scores of a run's test readings can be trusted."""

from __future__ import annotations

from components.report.run_files import RunFiles
from sub_module.metrics.calibration import Reliability, calibrated, reliability
from sub_module.metrics.readings import ReadingScores

SCORES, CORRECTED = "scores", "corrected"


def trust(run: RunFiles, scores: ReadingScores) -> dict[str, Reliability]:
    """The reliability of the test's scores, and of what `evaluate.calibrate` made of them.

    The correction was fitted on the validation images, so the test's judge it fairly.

    Args:
        run: Its test images and calibration.
        scores: Of the same images.

    Returns:
        By `SCORES` and `CORRECTED`; without entries where there are no readings.
    """
    judged = [
        (run.images[match.image].readings[match.reading].score, match.outcome == "right")
        for match in scores.matches
        if match.reading is not None
    ]
    values, right = [score for score, _ in judged], [is_right for _, is_right in judged]
    curves = {SCORES: reliability(values, right)}
    calibration = run.evaluation.calibration
    if calibration is not None:
        corrected = calibrated(values, calibration.slope, calibration.offset)
        curves[CORRECTED] = reliability(corrected, right)
    return {name: curve for name, curve in curves.items() if curve is not None}
