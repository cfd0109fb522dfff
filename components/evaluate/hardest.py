"""The images that a model read worst."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from components.step import Step
from sub_module.engine.evaluate import Evaluation
from sub_module.files import write_json
from sub_module.metrics.readings import Match, Outcome
from sub_module.plates import PlateReading

_COUNTED: tuple[Outcome, ...] = ("missed", "wrong", "false")


def write_hardest(step: Step, evaluation: Evaluation) -> None:
    """Write `hardest.json` into the step's folder, files relative to the run's directory."""
    # A version that was uploaded before the key came has none.
    number = step.config["evaluate"].get("num_hardest", 0)
    rows = [
        {**row, "file": os.path.relpath(row["file"], step.run_dir)}
        for row in hardest_images(evaluation, number)
    ]
    write_json(step.folder / "hardest.json", {"images": rows})


def hardest_images(evaluation: Evaluation, number: int) -> list[dict[str, Any]]:
    """At most so many images, the worst first, as plain data.

    Images with more missed plates come first, then those with more wrong readings, with more false
    ones, and with a lower score of the most doubtful reading. An image without plates on which
    nothing was read is not hard.

    Returns:
        For each image its `file`, `missed`, `wrong` and `false` (how many), `score` (the lowest;
        null when nothing was read), `problems` (what went wrong, in words), `truth` and `readings`.
    """
    of_image: dict[int, list[Match]] = defaultdict(list)
    for match in evaluation.scores.matches:
        of_image[match.image].append(match)
    rows = [_row(evaluation, image, matches) for image, matches in of_image.items()]
    rows.sort(key=_badness)
    return rows[: max(0, number)]


def _badness(row: dict[str, Any]) -> tuple[float, ...]:
    score = float("inf") if row["score"] is None else row["score"]
    return (*(-row[outcome] for outcome in _COUNTED), score)


def _row(evaluation: Evaluation, image: int, matches: list[Match]) -> dict[str, Any]:
    truth, readings = evaluation.images[image].readings, evaluation.readings[image]
    outcomes = [match.outcome for match in matches]
    pairs = [
        (
            None if match.truth is None else truth[match.truth],
            None if match.reading is None else readings[match.reading],
        )
        for match in matches
        if match.outcome != "right"
    ]
    return {
        "file": str(evaluation.images[image].path),
        **{outcome: outcomes.count(outcome) for outcome in _COUNTED},
        "score": min((reading.score for reading in readings), default=None),
        "problems": [_problem(*pair) for pair in pairs],
        "truth": [plate.to_dict() for plate in truth],
        "readings": [reading.to_dict() for reading in readings],
    }


def _problem(plate: PlateReading | None, reading: PlateReading | None) -> str:
    if reading is None:
        return f"{plate.text} missed" if plate else ""
    if plate is None:
        return f"{reading.text} read where no plate is, or twice"
    if plate.text == reading.text:
        return f"{plate.text}: layout {plate.layout} read as {reading.layout}"
    return f"{plate.text} read as {reading.text}"
