"""All figures of a model's readings of one recorded set."""

from __future__ import annotations

from collections.abc import Sequence

from pycocotools.coco import COCO

from sub_module.datasets.coco import PlateImage
from sub_module.metrics.average_precision import average_precision, board_detections
from sub_module.metrics.readings import ReadingScores, score_readings
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard


def score(
    coco: COCO,
    images: Sequence[PlateImage],
    readings: Sequence[Sequence[PlateReading]],
    standard: PlateStandard,
    categories: Sequence[str],
) -> tuple[float, ReadingScores]:
    """Score what was read on each image of a recorded set.

    Args:
        coco: The set (`load_coco`).
        images: The same set (`load_plate_images`).
        readings: What was read on each of the images.
        standard: The one that the set was recorded with.
        categories: The board labels that the model declares to find.

    Returns:
        mAP of the plates' boxes from 0 to 1, and how exactly the plates were read.

    Raises:
        DataError: There is no ground truth of these categories.
        ValueError: There are more or fewer readings than images.
    """
    detections = [
        detection
        for image, found in zip(images, readings, strict=True)
        for detection in board_detections(image.image_id, found, standard)
    ]
    precision = average_precision(coco, detections, categories, iou="box")
    return precision, score_readings([image.readings for image in images], readings)
