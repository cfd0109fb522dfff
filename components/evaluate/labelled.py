"""Scoring on a labelled directory, without a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.evaluate.candidates import scores_of
from components.run_config import FIGURES
from dataset_tools.record import coco_of
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import Detector
from sub_module.errors import DataError
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent


def evaluate_labelled(
    detector: Detector, directory: Path, progress: Progress = silent
) -> dict[str, float | None]:
    """A detector's figures on every image of an annotation set; nothing is written into it.

    Returns:
        Every one of `FIGURES`; None: the model does not have it.

    Raises:
        DataError: A file of the set cannot be used.
    """
    with recorded(directory, detector.standard, progress) as file:
        scores = scores_of(evaluate(detector, file, progress))
    return {name: scores.get(name) for name in FIGURES}


@contextmanager
def recorded(
    directory: Path, standard: PlateStandard, progress: Progress = silent
) -> Iterator[Path]:
    """An annotation set as a COCO file, for the while; nothing is written into the set.

    Raises:
        DataError: A file of the set cannot be used.
    """
    try:
        coco = coco_of(directory, standard, progress=progress)
    except DataError as error:
        if ".json: " not in str(error):
            raise
        # The label file may be in order, and the model one of another country's plates.
        raise DataError(f"{error}; the model reads plates of {standard.name}") from error
    for image in coco["images"]:
        image["file_name"] = str((directory / image["file_name"]).absolute())
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "labelled.json")
        file.write_text(json.dumps(coco), encoding="utf-8")
        yield file
