"""Reading of the test images: the readings as JSON, and pictures of some of them."""

from __future__ import annotations

import os
from pathlib import Path

from components.evaluate.candidates import Scores, scores_of
from components.step import Step
from sub_module.datasets.coco import load_image
from sub_module.engine.evaluate import Evaluation, evaluate
from sub_module.engine.infer import load_detector
from sub_module.engine.read import write_picture
from sub_module.files import write_json
from sub_module.plates.picture import outlined
from sub_module.plates.reading import texts_of


def read_test_images(step: Step, model: Path, test_set: Path) -> tuple[Path, Scores]:
    """Read the COCO file's images; gives `readings.json` in the step's folder and the figures.

    Raises:
        ModelError: The model cannot be used.
        DataError: An image cannot be read.
    """
    evaluation = evaluate(load_detector(model), test_set, step.progress)
    scores = scores_of(evaluation)
    folder = step.empty_folder()
    for place, index in enumerate(wrong_first(evaluation)[: step.config["test"]["num_pictures"]]):
        image = evaluation.images[index]
        picture = folder / "pictures" / f"{place:03d}-{image.path.stem}.jpg"
        found = evaluation.findings[index]
        drawn = outlined(load_image(image.path), found.instances, step.standard)
        write_picture(picture, drawn, found.readings, step.standard)
    images = [
        {**result, "file": os.path.relpath(result["file"], step.run_dir)}
        for result in evaluation.results
    ]
    write_json(folder / "readings.json", {"images": images, "metrics": scores})
    return folder / "readings.json", scores


def wrong_first(evaluation: Evaluation) -> list[int]:
    """Indices of the images whose texts differ from the truth, then those of the others."""
    right = [
        texts_of(image.readings) == texts_of(found)
        for image, found in zip(evaluation.images, evaluation.readings, strict=True)
    ]
    return sorted(range(len(right)), key=right.__getitem__)
