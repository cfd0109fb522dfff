"""Scoring on a labelled directory, without a run."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from components.evaluate.candidates import Scores, scores_of
from dataset_tools.record import coco_of
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import Detector
from sub_module.progress import Progress, silent


def evaluate_labelled(detector: Detector, directory: Path, progress: Progress = silent) -> Scores:
    """A detector's figures on every image of an annotation set; nothing is written into it.

    Raises:
        DataError: A file of the set cannot be used.
    """
    coco = coco_of(directory, detector.standard, progress=progress)
    for image in coco["images"]:
        image["file_name"] = str((directory / image["file_name"]).absolute())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "labelled.json")
        file.write_text(json.dumps(coco), encoding="utf-8")
        return scores_of(evaluate(detector, file, progress))
