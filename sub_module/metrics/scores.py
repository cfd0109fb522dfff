"""All figures of what a model found in one recorded set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pycocotools.coco import COCO

from sub_module.datasets.coco import PlateImage
from sub_module.metrics.average_precision import Precisions, precisions
from sub_module.metrics.detections import detections_of
from sub_module.metrics.readings import ReadingScores, score_readings
from sub_module.plates.instances import Findings
from sub_module.plates.standard import PlateStandard


@dataclass(frozen=True)
class Scores:
    """How well a model finds and reads.

    Attributes:
        readings: EIR, wrong readings, and which reading is of which plate.
        box: Precisions of the boxes.
        divided: Precisions with the divided IoU of the masks; None: the model has no masks.
    """

    readings: ReadingScores
    box: Precisions
    divided: Precisions | None

    @property
    def mAP(self) -> float:
        """COCO 0.50:0.95 over the boxes, from 0 to 1."""
        return self.box.mean

    @property
    def dv_mAP(self) -> float | None:
        """The same with the divided IoU of the masks; None: the model has no masks."""
        return None if self.divided is None else self.divided.mean


def score(
    coco: COCO,
    images: Sequence[PlateImage],
    findings: Sequence[Findings],
    standard: PlateStandard,
    categories: Sequence[str],
) -> Scores:
    """Score what was found in each image of a recorded set.

    Args:
        coco: The set (`load_coco`).
        images: The same set (`load_plate_images`).
        findings: Of each of the images.
        standard: The one that the set was recorded with.
        categories: The labels that the model declares to find.

    Raises:
        DataError: There is no ground truth of these categories.
        ValueError: There are more or fewer findings than images.
    """
    detections = [
        detection
        for image, found in zip(images, findings, strict=True)
        for detection in detections_of(image, found, standard)
    ]
    has_masks = any(found.instances is not None for found in findings)
    return Scores(
        readings=score_readings(
            [image.readings for image in images], [found.readings for found in findings]
        ),
        box=precisions(coco, detections, categories, "box"),
        divided=precisions(coco, detections, categories, "divided") if has_masks else None,
    )
