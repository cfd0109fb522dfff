"""Scores that say how likely a reading is right: fitted on the validation images, then exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.step import Step
from sub_module.errors import DataError
from sub_module.export.runtime import SETTINGS_FILE, read_settings
from sub_module.files import read_json, write_json
from sub_module.metrics.calibration import calibrated, fit_calibration, reliability

if TYPE_CHECKING:
    # The report reads calibrations and need not wait for onnxruntime.
    from sub_module.engine.evaluate import Evaluation

FILE = "evaluate/calibration.json"
_KEY = "calibration"


@dataclass(frozen=True)
class Calibration:
    """A correction of scores, and what it was fitted on.

    Attributes:
        slope: Of the log odds; above 0.
        offset: Added to them.
        num_readings: On the validation images.
        ece: Expected calibration error of their scores as they were.
        ece_after: The same of the corrected scores; what they were fitted on flatters it a little.
    """

    slope: float
    offset: float
    num_readings: int
    ece: float | None
    ece_after: float | None


def write_calibration(step: Step, found: Evaluation) -> None:
    """Write `calibration.json` into the step's folder if `evaluate.calibrate` asks for it."""
    file = step.run_dir / FILE
    # A version that was uploaded before the key came has none.
    if not step.config["evaluate"].get("calibrate", False):
        file.unlink(missing_ok=True)
        return
    write_json(file, asdict(calibration_of(found)))


def calibration_of(found: Evaluation) -> Calibration:
    """The correction that makes the scores of an evaluation fit how often they were right.

    A reading is right when layout and text are.
    """
    matches = [match for match in found.scores.matches if match.reading is not None]
    scores = [
        found.readings[match.image][match.reading].score
        for match in matches
        if match.reading is not None
    ]
    right = [match.outcome == "right" for match in matches]
    slope, offset = fit_calibration(scores, right)
    before = reliability(scores, right)
    after = reliability(calibrated(scores, slope, offset), right)
    return Calibration(
        slope=slope,
        offset=offset,
        num_readings=len(scores),
        ece=None if before is None else before.ece,
        ece_after=None if after is None else after.ece,
    )


def read_calibration(run_dir: Path) -> Calibration | None:
    """What the evaluate step of a run fitted; None: nothing.

    Raises:
        DataError: The file is damaged.
    """
    data = read_json(run_dir / FILE)
    try:
        return None if data is None else Calibration(**data)
    except TypeError as error:
        raise DataError(f"{run_dir / FILE}: damaged: {error}") from error


def calibrate_exported(exported: Path, calibration: Calibration) -> bool:
    """Write a correction into the settings of an exported model, after one that it has already.

    The score from which readings are given is corrected likewise, so it gives the same ones.

    Args:
        exported: The model's directory.
        calibration: Fitted on scores as the model gives them now.

    Returns:
        Whether the model takes one: its settings say `reading.calibration`, which may be null.

    Raises:
        ModelError: There is no exported model.
    """
    settings = read_settings(exported)
    model: Mapping[str, Any] = settings["model"]
    reading = model.get("reading", {})
    if _KEY not in reading:
        return False
    slope, offset = reading[_KEY] or (1.0, 0.0)
    both = [calibration.slope * slope, calibration.slope * offset + calibration.offset]
    least = reading["min_score"]
    if least > 0:  # 0 leaves none out; what becomes of a score of 0 might.
        (least,) = calibrated([least], calibration.slope, calibration.offset).tolist()
    model = {**model, "reading": {**reading, _KEY: both, "min_score": least}}
    write_json(exported / SETTINGS_FILE, {**settings, "model": model})
    return True
