"""The metrics of validation, for mmengine's Runner."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.evaluator import BaseMetric

from sub_module.datasets.coco import load_plate_images
from sub_module.metrics.average_precision import load_coco
from sub_module.metrics.scores import score
from sub_module.plates.reading import PlateReading
from sub_module.plates.standard import PlateStandard


class PlateMetric(BaseMetric):  # type: ignore[misc]
    """mAP of the plates' boxes, EIR and the share of wrong readings, over a recorded set.

    Images of the set for which no readings came count as images without readings.
    """

    # No prefix: the Runner's save_best and the search name the metrics as they are.
    default_prefix = ""

    def __init__(self, coco_file: str | Path, standard: PlateStandard, **kwargs: Any) -> None:
        """Load the ground truth.

        Args:
            coco_file: As `record` wrote it.
            standard: Must be the one that it was recorded with.
            kwargs: Of `BaseMetric`.

        Raises:
            DataError: The file cannot be used.
        """
        super().__init__(**kwargs)
        self._standard = standard
        self._images = load_plate_images(Path(coco_file), standard)
        self._coco = load_coco(Path(coco_file))

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep the readings of a batch.

        Args:
            data_batch: Not used.
            data_samples: For each image its `image_id` and `readings` (PlateReadings).
        """
        self.results += [(sample["image_id"], sample["readings"]) for sample in data_samples]

    def compute_metrics(
        self, results: Sequence[tuple[int, Sequence[PlateReading]]]
    ) -> dict[str, float]:
        """The figures over all images: `mAP`, `EIR` and `wrong_share`, each from 0 to 1."""
        readings = dict(results)
        found = [readings.get(image.image_id, ()) for image in self._images]
        precision, scores = score(
            self._coco, self._images, found, self._standard, self._standard.board_labels
        )
        return {"mAP": precision, "EIR": scores.EIR, "wrong_share": scores.wrong_share}
