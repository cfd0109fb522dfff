"""What a model read on photographs, as a page for a person and a file for a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from components.evaluate.labelled import Labelled
from components.evaluate.photographs import PhotographEvaluation
from components.report.charts import reliability_chart
from components.report.samples import Pieces, close_up, data_url, pieces
from components.report.template import template
from sub_module.datasets.coco import load_image
from sub_module.datasets.photographs import LabelledPlate, plain_text
from sub_module.errors import DataError
from sub_module.files import write_json, write_text
from sub_module.metrics.photographs import PhotographMatch
from sub_module.plates import PlateReading

# `zero`: wrong in nothing but O and 0; `unknown`: the plate's text is.
Outcome = Literal["wrong", "zero", "missed", "false", "right", "unknown"]
_MISSES: tuple[Outcome, ...] = ("wrong", "zero", "missed", "false")
# Of each kind.
_MAX_MISSES = 60
_TRUTH_RGB, _READING_RGB = (38, 190, 90), (235, 60, 40)
_LINE_PX = 2


@dataclass(frozen=True)
class Miss:
    """One plate that was not read right, or one reading that is of no plate.

    Attributes:
        file: Name of the photograph.
        picture: A data URL of what is round the plate, the truth green, the reading red.
        truth: The plate's text; empty when there is no plate.
        read: The model's text; empty when it read none.
        raw: The text before a grammar chose; empty where it is the same.
        grammar: Which one chose; empty for none.
        score: The model's confidence; None when it read none.
    """

    file: str
    picture: str
    truth: Pieces
    read: Pieces
    raw: str
    grammar: str
    score: float | None


def write_photograph_report(folder: Path, labelled: Labelled, about: Mapping[str, str]) -> Path:
    """Write `report.html` and `report.json`; gives the page, one file that needs no other.

    Args:
        folder: Is made where it is missing.
        labelled: What was read.
        about: What stands in the page's head, such as model and directory, by name.

    Raises:
        DataError: A photograph cannot be read any more.
    """
    evaluation = labelled.found
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = [outcome_of(match) for match in evaluation.scores.matches]
    write_json(folder / "report.json", _data(labelled, about, outcomes))
    misses: dict[Outcome, list[PhotographMatch]] = {outcome: [] for outcome in _MISSES}
    for match, outcome in zip(evaluation.scores.matches, outcomes, strict=True):
        if outcome in misses:
            misses[outcome].append(match)
    numbers = Counter(outcomes)
    named = {"exact": evaluation.reliability, "exact, O is 0": evaluation.reliability_o0}
    curves = {name: curve for name, curve in named.items() if curve is not None}
    page = template("photographs.html.j2").render(
        about=about,
        estimates=evaluation.scores.estimates,
        counts=evaluation.scores.counts,
        numbers={outcome: numbers[outcome] for outcome in (*_MISSES, "right", "unknown")},
        reliability=reliability_chart(curves),
        curves=curves,
        misses={outcome: _shown(evaluation, misses[outcome]) for outcome in _MISSES},
    )
    write_text(folder / "report.html", page)
    return folder / "report.html"


def outcome_of(match: PhotographMatch) -> Outcome:
    """What became of a plate or a reading."""
    if match.plate is None:
        return "false"
    if match.reading is None:
        return "missed"
    if match.exact is None:
        return "unknown"
    if match.exact:
        return "right"
    return "zero" if match.exact_o0 else "wrong"


def _data(labelled: Labelled, about: Mapping[str, str], outcomes: list[Outcome]) -> dict[str, Any]:
    evaluation = labelled.found
    rows: list[dict[str, Any]] = [
        {
            "file": str(photograph.path),
            "truth": [asdict(plate) for plate in photograph.plates],
            "readings": [reading.to_dict() for reading in readings],
            "matches": [],
        }
        for photograph, readings in zip(evaluation.photographs, evaluation.readings, strict=True)
    ]
    for match, outcome in zip(evaluation.scores.matches, outcomes, strict=True):
        row = {"plate": match.plate, "reading": match.reading, "outcome": outcome}
        rows[match.image]["matches"].append(row)
    curves = {"exact": evaluation.reliability, "exact_o0": evaluation.reliability_o0}
    return {
        "about": dict(about),
        "figures": {**evaluation.figures, **labelled.figures},
        "reliability": {k: None if c is None else asdict(c) for k, c in curves.items()},
        "photographs": rows,
    }


def _shown(evaluation: PhotographEvaluation, matches: list[PhotographMatch]) -> list[Miss]:
    """The most confident first: those mislead most."""

    def confidence(match: PhotographMatch) -> float:
        reading = _reading(evaluation, match)
        return 0.0 if reading is None else -reading.score

    return [_miss(evaluation, match) for match in sorted(matches, key=confidence)[:_MAX_MISSES]]


def _miss(evaluation: PhotographEvaluation, match: PhotographMatch) -> Miss:
    photograph, reading = evaluation.photographs[match.image], _reading(evaluation, match)
    plate = None if match.plate is None else photograph.plates[match.plate]
    truth, read = plate.text if plate else "", plain_text(reading.text) if reading else ""
    raw = plain_text(reading.raw) if reading else ""
    return Miss(
        file=photograph.path.name,
        picture=_picture(photograph.path, plate, reading),
        truth=pieces(truth, read),
        read=pieces(read, truth),
        raw="" if raw == read else raw,
        grammar=reading.grammar if reading else "",
        score=reading.score if reading else None,
    )


def _reading(evaluation: PhotographEvaluation, match: PhotographMatch) -> PlateReading | None:
    return None if match.reading is None else evaluation.readings[match.image][match.reading]


def _picture(file: Path, plate: LabelledPlate | None, reading: PlateReading | None) -> str:
    boxes = [found.box for found in (plate, reading) if found is not None]
    try:
        shown = close_up(load_image(file), boxes)
    except DataError as error:
        raise DataError(f"{file}: read before, and not now: {error}") from error
    outlines = []
    if plate is not None:
        x1, y1, x2, y2 = plate.box
        outlines.append((((x1, y1), (x2, y1), (x2, y2), (x1, y2)), _TRUTH_RGB))
    if reading is not None:
        outlines.append((reading.corners, _READING_RGB))
    for corners, colour in outlines:
        points = np.rint([shown.moved(point) for point in corners]).astype(np.int32)
        cv2.polylines(shown.image, [points], True, colour, _LINE_PX, cv2.LINE_AA)
    return data_url(shown.image)
