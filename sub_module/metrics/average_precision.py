"""COCO's mean average precision, with the box IoU or the divided IoU."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sub_module.errors import DataError
from sub_module.metrics.divided_iou import divided_boxes, divided_ious
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard


def load_coco(coco_file: Path) -> COCO:
    """A COCO file as pycocotools' index, which else tells its life on stdout.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError: It is no COCO file; `load_plate_images` says why in one line.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(coco_file))


def average_precision(
    coco: COCO,
    detections: Sequence[Mapping[str, Any]],
    category_names: Sequence[str],
    iou: Literal["box", "divided"],
) -> float:
    """Mean average precision over IoU 0.50:0.05:0.95 and the named categories, from 0 to 1.

    A category without ground truth does not count. Neither argument is changed.

    Args:
        coco: The ground truth.
        detections: COCO results: `image_id`, `category_id`, `score`, and `bbox` (x, y, width,
            height) for the box IoU or `segmentation` (run-length encoded) for the divided IoU.
        category_names: What the model declares to find; other ground truth is left out.
        iou: What overlap means.

    Raises:
        DataError: There is no ground truth of these categories, so no precision either.
    """
    ids = {c["id"] for c in coco.dataset["categories"] if c["name"] in category_names}
    truth = [a for a in coco.dataset["annotations"] if a["category_id"] in ids]
    found = [dict(d) for d in detections if d["category_id"] in ids]
    if not truth:
        raise DataError(f"no ground truth of {', '.join(category_names)}: mAP is undefined")
    if not found:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        # Copies: it also writes into what it is given. Ids from 1: it takes 0 for "no match".
        own = COCO()
        own.dataset = {
            **coco.dataset,
            "annotations": [{**a, "id": i} for i, a in enumerate(truth, start=1)],
        }
        own.createIndex()
        results = own.loadRes(found)
        evaluation = COCOeval(own, results, "bbox") if iou == "box" else _DividedEval(own, results)
        evaluation.params.catIds = sorted(ids)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU thresholds, recalls, categories, one area, one maximum); -1: no ground truth.
    precision: NDArray[np.float64] = evaluation.eval["precision"]
    return float(precision[precision > -1].mean())


def board_detections(
    image_id: int, readings: Sequence[PlateReading], standard: PlateStandard
) -> list[dict[str, Any]]:
    """An image's readings as COCO results of the board categories of a recorded set."""
    return [
        {
            "image_id": image_id,
            "category_id": 1 + standard.classes.index(standard.layout(reading.layout).label),
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "score": reading.score,
        }
        for reading in readings
        for x1, y1, x2, y2 in [reading.box]
    ]


class _DividedEval(COCOeval):
    """COCO's evaluation of masks with the divided IoU; crowds are no special case here."""

    # Annotations by (image id, category id); the stubs leave these two out.
    _gts: dict[tuple[int, int], list[dict[str, Any]]]
    _dts: dict[tuple[int, int], list[dict[str, Any]]]

    def __init__(self, truth: COCO, results: COCO) -> None:
        super().__init__(truth, results, "segm")

    # The name is pycocotools'; its stub says list[float], its code gives a matrix.
    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802
        """The divided IoU of every detection (rows, best score first) with every ground truth."""
        truth, found = self._gts[imgId, catId], self._dts[imgId, catId]
        if not truth or not found:
            return []
        # The order in which the matching will walk through the detections.
        order = np.argsort([-d["score"] for d in found], kind="mergesort")
        found = [found[i] for i in order[: self.params.maxDets[-1]]]
        return divided_ious(
            [_boxes_of(d["segmentation"]) for d in found],
            [_boxes_of(t["segmentation"]) for t in truth],
        )


def _boxes_of(segmentation: Any) -> NDArray[np.float64]:
    """`divided_boxes` of a run-length encoded mask, looking no further than its box."""
    x, y, width, height = (int(v) for v in rle.toBbox(segmentation))
    part = rle.decode(segmentation)[y : y + height, x : x + width]
    boxes: NDArray[np.float64] = divided_boxes(part) + np.array([x, y, x, y])
    return boxes
