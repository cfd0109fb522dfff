"""Scoring on photographs with text files, without a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sub_module.datasets.coco import load_image
from sub_module.datasets.photographs import (
    LabelledPlate,
    Photograph,
    load_photographs,
    plain_text,
)
from sub_module.engine.evaluate import Evaluation
from sub_module.engine.infer import Detector
from sub_module.metrics.calibration import Reliability, reliability
from sub_module.metrics.photographs import PhotographScores, score_photographs
from sub_module.plates import PlateReading
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class PhotographEvaluation:
    """How well a model reads photographs.

    Attributes:
        photographs: The ground truth.
        readings: What the model read, photograph by photograph.
        scores: Figures, and which reading is of which plate.
        reliability: Scores of the readings against how often they are exactly right; readings of
            plates whose text is not known are left out. None: there are no readings.
        reliability_o0: The same with O and 0 taken as one character.
    """

    photographs: tuple[Photograph, ...]
    readings: tuple[tuple[PlateReading, ...], ...]
    scores: PhotographScores
    reliability: Reliability | None
    reliability_o0: Reliability | None

    @property
    def figures(self) -> dict[str, Any]:
        """Plain data: `value`, `low` and `high` of each estimate (or null), then plain numbers."""
        found = {"ece": self.reliability, "ece_o0": self.reliability_o0}
        return {
            **{k: None if v is None else asdict(v) for k, v in self.scores.estimates.items()},
            **{name: None if curve is None else curve.ece for name, curve in found.items()},
            **self.scores.counts,
        }


def evaluate_photographs(
    detector: Detector, directory: Path, progress: Progress = silent
) -> PhotographEvaluation:
    """A detector's figures on every photograph of a directory (see `load_photographs`).

    Raises:
        DataError: A photograph or its text file cannot be used.
    """
    photographs = load_photographs(directory)
    readings: list[list[PlateReading]] = []
    seconds = []
    for done, photograph in enumerate(photographs, start=1):
        image = load_image(photograph.path)
        if done == 1:
            # The first one also pays for what is set up once.
            detector.predict([image])
        began = time.perf_counter()
        readings += detector.predict([image])
        seconds.append(time.perf_counter() - began)
        progress(done, len(photographs), "")
    return _scored(photographs, readings, seconds)


def as_photographs(evaluation: Evaluation) -> PhotographEvaluation:
    """The same figures of the images of an annotation set that have been read."""
    photographs = [
        Photograph(
            image.path,
            tuple(LabelledPlate(plate.box, plain_text(plate.text)) for plate in image.readings),
        )
        for image in evaluation.images
    ]
    return _scored(photographs, evaluation.readings)


def _scored(
    photographs: Sequence[Photograph],
    readings: Sequence[Sequence[PlateReading]],
    seconds: Sequence[float] | None = None,
) -> PhotographEvaluation:
    """Score what was read on each photograph; `seconds` is how long each took, if measured."""
    scores = score_photographs(photographs, readings, seconds)
    judged = [
        (readings[match.image][match.reading].score, match.exact, match.exact_o0)
        for match in scores.matches
        if match.reading is not None and match.exact is not None and match.exact_o0 is not None
    ]
    values = [score for score, _, _ in judged]
    return PhotographEvaluation(
        tuple(photographs),
        tuple(map(tuple, readings)),
        scores,
        reliability(values, [exact for _, exact, _ in judged]),
        reliability(values, [exact_o0 for _, _, exact_o0 in judged]),
    )


def rows_of(evaluation: PhotographEvaluation) -> list[list[str]]:
    """The figures to print: name, value, and the bounds of the 95 % interval."""
    rows = []
    for name, estimate in evaluation.scores.estimates.items():
        if estimate is None:
            rows.append([name, "none", ""])
            continue
        value, low, high = estimate.value, estimate.low, estimate.high
        if name == "ms_per_photo":
            rows.append([name, f"{value:.1f}", f"{low:.1f} to {high:.1f}"])
        else:
            rows.append([name, f"{100 * value:.1f} %", f"{100 * low:.1f} to {100 * high:.1f} %"])
    for name, curve in (("ece", evaluation.reliability), ("ece_o0", evaluation.reliability_o0)):
        rows.append([name, "none" if curve is None else f"{curve.ece:.3f}", ""])
    return rows + [[name, str(count), ""] for name, count in evaluation.scores.counts.items()]
