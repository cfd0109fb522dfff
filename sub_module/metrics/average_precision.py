"""COCO's mean average precision, with the box IoU or the divided IoU."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sub_module.errors import DataError
from sub_module.metrics.divided_iou import divided_boxes_of, paired_divided_ious

# What COCO averages over, and where on the recall axis it looks.
IOUS: NDArray[np.float64] = np.linspace(0.5, 0.95, 10)
RECALLS: NDArray[np.float64] = np.linspace(0, 1, 101)


@dataclass(frozen=True, eq=False)
class Precisions:
    """The precision-recall curves of one model over one set.

    Attributes:
        categories: k labels with ground truth.
        values: (10, 101, k) precision by IoU (`IOUS`), recall (`RECALLS`) and category.
    """

    categories: tuple[str, ...]
    values: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean average precision over IoU 0.50:0.05:0.95 and the categories, from 0 to 1."""
        return float(self.values.mean())

    def curve(self, labels: Sequence[str], iou: float | None = None) -> NDArray[np.float64] | None:
        """(101,) mean precision of some categories at an IoU of `IOUS`; None: the mean over all.

        Returns:
            None when none of these categories has ground truth.
        """
        own = [number for number, label in enumerate(self.categories) if label in labels]
        if not own:
            return None
        at = slice(None) if iou is None else [int(np.abs(IOUS - iou).argmin())]
        curve: NDArray[np.float64] = self.values[at][:, :, own].mean(axis=(0, 2))
        return curve


def load_coco(coco_file: Path) -> COCO:
    """A COCO file as pycocotools' index, which otherwise prints to stdout.

    Raises:
        OSError: It cannot be read.
        ValueError, KeyError: It is no COCO file; `load_plate_images` says why in one line.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(coco_file))


def precisions(
    coco: COCO,
    detections: Sequence[Mapping[str, Any]],
    category_names: Sequence[str],
    iou: Literal["box", "divided"],
) -> Precisions:
    """How precise detections are at each recall, by IoU and category.

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
    names = {c["id"]: c["name"] for c in coco.dataset["categories"] if c["name"] in category_names}
    truth = [a for a in coco.dataset["annotations"] if a["category_id"] in names]
    found = [dict(d) for d in detections if d["category_id"] in names]
    ids = sorted({a["category_id"] for a in truth if not a.get("iscrowd")})
    if not ids:
        raise DataError(f"no ground truth of {', '.join(category_names)}: mAP is undefined")
    labels = tuple(names[i] for i in ids)
    if not any(d["category_id"] in ids for d in found):
        return Precisions(labels, np.zeros((len(IOUS), len(RECALLS), len(ids))))
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
        evaluation.params.catIds = ids
        evaluation.params.iouThrs, evaluation.params.recThrs = IOUS, RECALLS
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    # (IoU thresholds, recalls, categories, one area, one maximum).
    return Precisions(labels, evaluation.eval["precision"][..., 0, 0])


class _DividedEval(COCOeval):
    """COCO's evaluation of masks with the divided IoU; crowds are no special case here.

    Everything is computed before the matching, all masks and all pairs at once.
    """

    # Annotations by (image id, category id); the stubs leave these two out.
    _gts: dict[tuple[int, int], list[dict[str, Any]]]
    _dts: dict[tuple[int, int], list[dict[str, Any]]]

    def __init__(self, truth: COCO, results: COCO) -> None:
        super().__init__(truth, results, "segm")
        self._tables: dict[tuple[int, int], NDArray[np.float64]] = {}

    def _prepare(self) -> None:
        super()._prepare()  # type: ignore[misc] # The stub leaves it out.
        truth = [a for annotations in self._gts.values() for a in annotations]
        found = [a for annotations in self._dts.values() for a in annotations]
        boxes = divided_boxes_of([a["segmentation"] for a in (*truth, *found)])
        # Both are numbered from 1, each on its own.
        row_of_truth = {a["id"]: row for row, a in enumerate(truth)}
        row_of_found = {a["id"]: row for row, a in enumerate(found, start=len(truth))}
        pairs: dict[tuple[int, int], tuple[list[int], list[int]]] = {}
        for key in self._gts.keys() & self._dts.keys():
            # The order in which the matching will walk through the detections.
            best_first = sorted(self._dts[key], key=lambda d: -d["score"])
            rows = [row_of_found[d["id"]] for d in best_first[: self.params.maxDets[-1]]]
            pairs[key] = rows, [row_of_truth[t["id"]] for t in self._gts[key]]
        a = [row for rows, others in pairs.values() for row in rows for _ in others]
        b = [other for rows, others in pairs.values() for _ in rows for other in others]
        ious, start = paired_divided_ious(boxes[a], boxes[b]), 0
        for key, (rows, others) in pairs.items():
            end = start + len(rows) * len(others)
            self._tables[key] = ious[start:end].reshape(len(rows), len(others))
            start = end

    # The name is pycocotools'; its stub says list[float], its code gives a matrix.
    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: N802
        """The divided IoU of every detection (rows, best score first) with every ground truth."""
        return self._tables.get((imgId, catId), [])
