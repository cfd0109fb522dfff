"""The exact inference rate (EIR): which plates were read, letter for letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

from sub_module.metrics.matching import matched
from sub_module.plates.reading import PlateReading

Outcome = Literal["right", "wrong", "missed", "false"]


@dataclass(frozen=True)
class Match:
    """One plate, one reading, or both.

    Attributes:
        image: Index of the image.
        truth: Index of the plate in the image's ground truth; None when the reading is of none.
        reading: Index among the image's readings; None when the plate was missed.
        outcome: `right` (layout and whole text), `wrong` (another text or layout), `missed` (no
            reading overlaps the plate) or `false` (no plate, or one that is already matched).
    """

    image: int
    truth: int | None
    reading: int | None
    outcome: Outcome


@dataclass(frozen=True)
class ReadingScores:
    """How well plates were read.

    Attributes:
        EIR: Plates read exactly over all plates; 0 when there are none.
        wrong_share: Readings that are wrong or false over all readings; 0 when there are none.
        num_plates: Plates in the ground truth.
        num_readings: Readings.
        num_right: Plates read exactly.
        matches: Every plate and every reading, once, image by image.
        confusion: How often a character of the ground truth was read as which, over all matched
            plates; "" stands for a character that was left out or made up.
    """

    EIR: float
    wrong_share: float
    num_plates: int
    num_readings: int
    num_right: int
    matches: tuple[Match, ...]
    confusion: dict[tuple[str, str], int]


def score_readings(
    truth: Sequence[Sequence[PlateReading]],
    predicted: Sequence[Sequence[PlateReading]],
    iou: float = 0.5,
) -> ReadingScores:
    """Compare readings with the ground truth.

    In each image readings choose in the order of their scores, each the plate that it overlaps
    most among those not yet chosen.

    Args:
        truth: The plates of each image.
        predicted: The readings of each image, in any order.
        iou: The box IoU from which a reading is of a plate.

    Raises:
        ValueError: The numbers of images differ.
    """
    matches: list[Match] = []
    confusion: Counter[tuple[str, str]] = Counter()
    for image, (plates, readings) in enumerate(zip(truth, predicted, strict=True)):
        for match in _match(image, plates, readings, iou):
            matches.append(match)
            if match.truth is not None and match.reading is not None:
                confusion.update(_aligned(plates[match.truth].text, readings[match.reading].text))
    num = Counter(match.outcome for match in matches)
    num_plates, num_readings = sum(map(len, truth)), sum(map(len, predicted))
    return ReadingScores(
        EIR=num["right"] / num_plates if num_plates else 0.0,
        wrong_share=(num["wrong"] + num["false"]) / num_readings if num_readings else 0.0,
        num_plates=num_plates,
        num_readings=num_readings,
        num_right=num["right"],
        matches=tuple(matches),
        confusion=dict(sorted(confusion.items())),
    )


def _match(
    image: int, plates: Sequence[PlateReading], readings: Sequence[PlateReading], iou: float
) -> Iterator[Match]:
    boxes = [plate.box for plate in plates], [reading.box for reading in readings]
    for plate, reading in matched(*boxes, [reading.score for reading in readings], iou):
        if plate is None:
            yield Match(image, None, reading, "false")
        elif reading is None:
            yield Match(image, plate, None, "missed")
        else:
            same_layout = plates[plate].layout == readings[reading].layout
            right = same_layout and plates[plate].text == readings[reading].text
            yield Match(image, plate, reading, "right" if right else "wrong")


def _aligned(truth: str, text: str) -> Iterator[tuple[str, str]]:
    """Pairs of characters: by place in texts of one length, else by the runs that they share."""
    if len(truth) == len(text):
        yield from zip(truth, text, strict=True)
        return
    for _, i1, i2, j1, j2 in SequenceMatcher(None, truth, text, autojunk=False).get_opcodes():
        yield from zip_longest(truth[i1:i2], text[j1:j2], fillvalue="")
