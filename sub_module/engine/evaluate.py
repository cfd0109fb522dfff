"""Scoring a model on a recorded data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sub_module.datasets.coco import PlateImage, load_image, load_plate_images
from sub_module.engine.infer import Detector
from sub_module.metrics.average_precision import Precisions, load_coco
from sub_module.metrics.readings import ReadingScores
from sub_module.metrics.scores import score
from sub_module.plates import PlateReading
from sub_module.plates.instances import Findings
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class Evaluation:
    """How well a model reads a data set.

    Attributes:
        mAP: COCO 0.50:0.95 over the boxes of the categories that the model declares.
        dv_mAP: The same with the divided IoU of masks; None: the model has no masks.
        scores: EIR, wrong readings, and which reading is of which plate.
        images: The ground truth.
        findings: What the model found, image by image.
        precisions: The curves behind the two means: `box`, and `divided` where there are masks.
    """

    mAP: float
    dv_mAP: float | None
    scores: ReadingScores
    images: tuple[PlateImage, ...]
    findings: tuple[Findings, ...]
    precisions: Mapping[str, Precisions] = field(default_factory=dict)

    @property
    def readings(self) -> tuple[tuple[PlateReading, ...], ...]:
        """What the model read, image by image."""
        return tuple(found.readings for found in self.findings)

    @property
    def EIR(self) -> float:
        """Plates read exactly over all plates."""
        return self.scores.EIR

    @property
    def wrong_share(self) -> float:
        """Readings that are wrong or of no plate over all readings."""
        return self.scores.wrong_share

    @property
    def num_images(self) -> int:
        """Images read."""
        return len(self.images)

    @property
    def num_plates(self) -> int:
        """Plates in the ground truth."""
        return self.scores.num_plates

    @property
    def results(self) -> list[dict[str, Any]]:
        """For each image its `file`, the `truth` and the `readings`, as plain data."""
        return [
            {
                "file": str(image.path),
                "truth": [reading.to_dict() for reading in image.readings],
                "readings": [reading.to_dict() for reading in found],
            }
            for image, found in zip(self.images, self.readings, strict=True)
        ]


def evaluate(detector: Detector, coco_file: Path, progress: Progress = silent) -> Evaluation:
    """Read every image of a recorded set and score the readings.

    Args:
        detector: The model.
        coco_file: As `record` wrote it; image names may be absolute.
        progress: Told of images.

    Raises:
        DataError: The set or an image cannot be used, or the set is of another plate standard.
    """
    images = load_plate_images(coco_file, detector.standard)
    findings = []
    for done, image in enumerate(images, start=1):
        findings += detector.find([load_image(image.path)])
        progress(done, len(images), "")
    scores = score(load_coco(coco_file), images, findings, detector.standard, detector.categories)
    curves = {"box": scores.box, "divided": scores.divided}
    return Evaluation(
        mAP=scores.mAP,
        dv_mAP=scores.dv_mAP,
        scores=scores.readings,
        images=tuple(images),
        findings=tuple(findings),
        precisions={name: curve for name, curve in curves.items() if curve is not None},
    )
