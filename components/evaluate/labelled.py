"""Scoring on a labelled directory, without a run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.evaluate.candidates import scores_of
from components.evaluate.photographs import (
    PhotographEvaluation,
    as_photographs,
    evaluate_photographs,
    rows_of,
)
from components.run_config import FIGURES
from dataset_tools.record import coco_of
from sub_module.datasets.photographs import holds_photographs
from sub_module.engine.evaluate import evaluate
from sub_module.engine.infer import Detector
from sub_module.errors import DataError
from sub_module.plates import PlateStandard
from sub_module.progress import Progress, silent


@dataclass(frozen=True)
class Labelled:
    """What was read on the images of a labelled directory.

    Attributes:
        found: The readings, and the figures that photographs have.
        figures: Plain data: of an annotation set every one of `FIGURES`, null where the model does
            not have it; of photographs those of `PhotographEvaluation`.
        table: The figures to print, the heads of the columns first.
    """

    found: PhotographEvaluation
    figures: dict[str, Any]
    table: tuple[list[str], ...]


def evaluate_labelled(detector: Detector, directory: Path, progress: Progress = silent) -> Labelled:
    """A detector's figures on every image of a directory; nothing is written into it.

    Args:
        detector: The model.
        directory: Photographs with text files (see `load_photographs`), or an annotation set.
        progress: Told of images.

    Raises:
        DataError: A file of the directory cannot be used.
    """
    if holds_photographs(directory):
        found = evaluate_photographs(detector, directory, progress)
        return Labelled(found, found.figures, (["figure", "value", "95 %"], *rows_of(found)))
    with recorded(directory, detector.standard, progress) as file:
        evaluation = evaluate(detector, file, progress)
    scores = scores_of(evaluation)
    figures = {name: scores.get(name) for name in FIGURES}
    rows = (
        # Only dv_mAP can be missing.
        [name, "none (no masks)" if value is None else f"{value:.4g}"]
        for name, value in figures.items()
    )
    return Labelled(as_photographs(evaluation), figures, (["figure", "value"], *rows))


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
