"""What a model found, as COCO results of a recorded set's categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pycocotools import mask as rle

from sub_module.datasets.coco import PlateImage
from sub_module.plates.instances import Findings, Instances
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard

Detections = list[dict[str, Any]]


def category_id(label: str, standard: PlateStandard) -> int:
    """The category of a label in every recorded set of the standard."""
    return 1 + standard.classes.index(label)


def detections_of(image: PlateImage, findings: Findings, standard: PlateStandard) -> Detections:
    """The instances with their masks; the boards of the readings where there are no instances."""
    if findings.instances is None:
        return board_detections(image.image_id, findings.readings, standard)
    return instance_detections(image, findings.instances, standard)


def board_detections(
    image_id: int, readings: Sequence[PlateReading], standard: PlateStandard
) -> Detections:
    """An image's readings as results of the board categories: boxes alone."""
    return [
        {
            "image_id": image_id,
            "category_id": category_id(standard.layout(reading.layout).label, standard),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": reading.score,
        }
        for reading in readings
        for x1, y1, x2, y2 in [reading.box]
    ]


def instance_detections(
    image: PlateImage, instances: Instances, standard: PlateStandard
) -> Detections:
    """An image's instances as results with boxes and run-length encoded masks."""
    if not len(instances):
        return []
    outlines = [polygon.astype(float).ravel().tolist() for polygon in instances.polygons]
    masks = rle.frPyObjects(outlines, image.height, image.width)
    return [
        {
            "image_id": image.image_id,
            "category_id": category_id(label, standard),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "segmentation": mask,
            "score": score,
        }
        for label, score, (x1, y1, x2, y2), mask in zip(
            instances.labels,
            instances.scores.tolist(),
            instances.boxes_xyxy.tolist(),
            masks,
            strict=True,
        )
    ]
