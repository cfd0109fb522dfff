"""The metrics of validation, for mmengine's Runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric

from sub_module.datasets.coco import load_plate_images
from sub_module.metrics.average_precision import load_coco
from sub_module.metrics.scores import score
from sub_module.plates.instances import Findings
from sub_module.plates.standard import PlateStandard


class PlateMetric(BaseMetric):  # type: ignore[misc]
    """mAP, dv_mAP where there are masks, EIR and the share of wrong readings of a recorded set.

    Images of the set for which no findings came count as images in which nothing was found.
    """

    # No prefix: the Runner's save_best and the search name the metrics as they are.
    default_prefix = ""

    def __init__(
        self,
        coco_file: Path,
        standard: PlateStandard,
        categories: Sequence[str],
        **kwargs: Any,
    ) -> None:
        """Load the ground truth.

        Args:
            coco_file: As `record` wrote it.
            standard: Must be the one that it was recorded with.
            categories: The labels that the model declares to find.
            kwargs: Of `BaseMetric`.

        Raises:
            DataError: The file cannot be used.
        """
        super().__init__(**kwargs)
        self._standard = standard
        self._categories = tuple(categories)
        self._images = load_plate_images(coco_file, standard)
        self._coco = load_coco(coco_file)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what was found in a batch.

        Args:
            data_batch: Not used.
            data_samples: For each image its `image_id` and `findings`.
        """
        self.results += [(sample["image_id"], sample["findings"]) for sample in data_samples]

    def compute_metrics(self, results: Sequence[tuple[int, Findings]]) -> dict[str, float]:
        """The figures over all images, each from 0 to 1.

        Returns:
            `mAP`, `dv_mAP` (only of a model with masks), `EIR` and `wrong_share`.

        Raises:
            DataError: There is no ground truth of the model's categories.
        """
        found = dict(results)
        findings = [found.get(image.image_id, Findings(())) for image in self._images]
        scores = score(self._coco, self._images, findings, self._standard, self._categories)
        divided = {} if scores.dv_mAP is None else {"dv_mAP": scores.dv_mAP}
        readings = scores.readings
        return {
            "mAP": scores.mAP,
            **divided,
            "EIR": readings.EIR,
            "wrong_share": readings.wrong_share,
        }
