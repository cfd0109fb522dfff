"""Labelled images as a COCO dict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_tools.annotations import LabelledImage
from sub_module.plates.geometry import area_of
from sub_module.plates.standard import PlateStandard


def coco_dict(
    images: Iterable[tuple[str, LabelledImage]], standard: PlateStandard
) -> dict[str, Any]:
    """The COCO dict of (file_name, image) pairs, with ids from 1.

    Categories stand in the standard's order. Every annotation has the `plate_id` of its plate, the
    annotations of a plate follow each other (board, groups, characters in reading order), and a
    board's annotation also has the plate's `reading`.
    """
    category_ids = {label: i for i, label in enumerate(standard.classes, start=1)}
    coco_images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, image) in enumerate(images, start=1):
        size = {"width": image.annotation.width, "height": image.annotation.height}
        coco_images.append({"id": image_id, "file_name": file_name, **size})
        for plate in image.plates:
            plate_id = len(annotations) + 1
            in_text = [index for index, _ in plate.characters]
            groups = [index for index in plate.members if index not in in_text]
            for index in (plate.board, *groups, *in_text):
                shape = image.annotation.shapes[index]
                annotation = {
                    "id": len(annotations) + 1,
                    "image_id": image_id,
                    "category_id": category_ids[shape.label],
                    **_place(shape.polygon),
                    "area": round(area_of(shape.polygon), 2),
                    "iscrowd": 0,
                    "plate_id": plate_id,
                }
                if index == plate.board:
                    annotation["reading"] = plate.reading.to_dict()
                annotations.append(annotation)
    return {
        "info": {"description": "Plateflow training data set", "standard": standard.to_config()},
        "images": coco_images,
        "annotations": annotations,
        "categories": [{"id": i, "name": label} for label, i in category_ids.items()],
    }


def _place(polygon: NDArray[np.float64]) -> dict[str, Any]:
    """Box (x, y, width, height) and outline, in pixels."""
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    return {
        "bbox": np.concatenate((low, high - low)).round(2).tolist(),
        "segmentation": [polygon.round(2).ravel().tolist()],
    }
