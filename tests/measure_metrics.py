"""The time of dv_mAP against that of the box mAP: `python -m tests.measure_metrics`.

Prints one Markdown row a figure.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pycocotools import mask as rle
from pycocotools.coco import COCO

from sub_module.metrics.average_precision import precisions
from tests.factories import affine, draw_plate, random_characters
from tests.standards import kr_standard

NUM_IMAGES = 1000
WIDTH, HEIGHT = 640, 480
REPEATS = 3

STANDARD = kr_standard()
Detections = list[dict[str, Any]]


def main() -> None:
    """Measure on one plate of ten instances an image, as large as drawn plates are."""
    coco, found = scene(NUM_IMAGES, seed=1)
    num_objects = len(coco.dataset["annotations"]) + len(found)
    box = best_seconds(lambda: precisions(coco, found, STANDARD.classes, "box").mean)
    divided = best_seconds(lambda: divided_precision(coco, found))
    print(f"| figure, {NUM_IMAGES} images, {num_objects} boxes or masks | measured |\n|---|---|")
    print(f"| mAP of the boxes | {box:.2f} s |")
    print(f"| dv_mAP | {divided:.2f} s |")
    print(f"| ratio | {divided / box:.2f} |")


def scene(num_images: int, seed: int) -> tuple[COCO, Detections]:
    """Ground truth in memory, and detections with polygons that lie a little off."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    found: Detections = []
    for image_id in range(1, num_images + 1):
        layout = STANDARD.layouts[image_id % len(STANDARD.layouts)]
        width = rng.uniform(0.125, 0.42) * WIDTH
        centre = rng.uniform((170, 130), (WIDTH - 170, HEIGHT - 130))
        matrix = affine(width, layout.aspect, tuple(centre), rng.uniform(-16, 16))
        for shape in draw_plate(STANDARD, layout, random_characters(layout, rng), matrix).shapes:
            ids = {"image_id": image_id, "category_id": 1 + STANDARD.classes.index(shape.label)}
            polygon = np.array(shape.points)
            annotations.append({"id": len(annotations) + 1, "iscrowd": 0} | ids | _place(polygon))
            off = polygon + rng.normal(0, 1, 2) + rng.normal(0, 0.5, polygon.shape)
            found.append({"score": float(rng.random())} | ids | _place(off))
    coco = COCO()
    coco.dataset = {
        "images": [{"id": i, "width": WIDTH, "height": HEIGHT} for i in range(1, num_images + 1)],
        "categories": [{"id": i, "name": n} for i, n in enumerate(STANDARD.classes, start=1)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco, found


def divided_precision(coco: COCO, found: Detections) -> float:
    """dv_mAP of detections with polygons, their encoding included."""
    encoded = [
        {**f, "segmentation": rle.frPyObjects(f["segmentation"], HEIGHT, WIDTH)[0]} for f in found
    ]
    return precisions(coco, encoded, STANDARD.classes, "divided").mean


def best_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The least of several runs, in seconds of this process's CPU: others may use it too."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _place(polygon: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    (x1, y1), (x2, y2) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    return {
        "bbox": [x1, y1, x2 - x1, y2 - y1],
        "area": (x2 - x1) * (y2 - y1),
        "segmentation": [polygon.round(2).ravel().tolist()],
    }


if __name__ == "__main__":
    main()
