"""How well plates of photographs are found and read, end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sub_module.datasets.photographs import Photograph, plain_text
from sub_module.metrics.bootstrap import Estimate, ratios
from sub_module.metrics.matching import matched
from sub_module.plates.reading import PlateReading

_AS_ZERO = str.maketrans("O", "0")
# What stands above and below the line of each figure, by its name.
_RATIOS = {
    "recall": ("found", "plates"),
    "precision": ("found", "readings"),
    "exact": ("exact", "known"),
    "exact_o0": ("exact_o0", "known"),
    "exact_raw": ("exact_raw", "known"),
    "exact_raw_o0": ("exact_raw_o0", "known"),
    "characters": ("kept", "length"),
    "characters_o0": ("kept_o0", "length"),
    "ms_per_photo": ("ms", "timed"),
}


@dataclass(frozen=True)
class PhotographMatch:
    """One plate, one reading, or both.

    Attributes:
        image: Index of the photograph.
        plate: Index among its plates; None when the reading is of none, or the second of one.
        reading: Index among its readings; None when the plate was missed.
        exact: Whether the whole text was read; None: the plate's text is not known.
        exact_o0: The same with O and 0 taken as one character.
    """

    image: int
    plate: int | None
    reading: int | None
    exact: bool | None
    exact_o0: bool | None


@dataclass(frozen=True)
class PhotographScores:
    """How well photographs were read.

    Attributes:
        estimates: By name, each from 0 to 1 but the last, and None where it is undefined:
            `recall`, plates found over all plates;
            `precision`, readings that are of a plate over all (a second one of a plate is not);
            `exact`, plates whose whole text was read over all plates, found or not;
            `exact_raw`, the same of the text before a grammar chose among look-alikes;
            `characters`, 1 less edit distance over length, over the plates that were found, of
            each at least 0;
            each of these three with `_o0`: O and 0 taken as one character;
            `ms_per_photo`, of reading a decoded photograph.
        counts: `num_photos`; `num_plates` on them; `num_unknown`, those whose text is not known,
            which count for recall and precision alone; `num_readings`; `num_false`, those that are
            of no plate.
        matches: Every plate and every reading, once, photograph by photograph.
    """

    estimates: Mapping[str, Estimate | None]
    counts: Mapping[str, int]
    matches: tuple[PhotographMatch, ...]


@dataclass
class _Counts:
    """Of one photograph."""

    plates: int = 0
    known: int = 0
    readings: int = 0
    found: int = 0
    exact: int = 0
    exact_o0: int = 0
    exact_raw: int = 0
    exact_raw_o0: int = 0
    length: int = 0
    kept: int = 0
    kept_o0: int = 0
    ms: float = 0.0
    timed: int = 0


def score_photographs(
    photographs: Sequence[Photograph],
    readings: Sequence[Sequence[PlateReading]],
    seconds: Sequence[float] | None = None,
    iou: float = 0.5,
) -> PhotographScores:
    """Compare readings with the plates of photographs; of texts only letters and digits count.

    Args:
        photographs: The ground truth.
        readings: Of each photograph, in any order.
        seconds: How long each took to read; None: not measured.
        iou: The box IoU from which a reading is of a plate.

    Raises:
        ValueError: The numbers differ.
    """
    times = [None] * len(photographs) if seconds is None else seconds
    matches: list[PhotographMatch] = []
    counts = []
    rows = zip(photographs, readings, times, strict=True)
    for image, (photograph, found, time) in enumerate(rows):
        of_image = _matches(image, photograph, found, iou)
        matches += of_image
        counts.append(_counts(photograph, found, of_image))
        if time is not None:
            counts[-1].ms, counts[-1].timed = 1000 * time, 1

    def column(name: str) -> list[float]:
        return [getattr(of_image, name) for of_image in counts]

    num_readings = sum(of_image.readings for of_image in counts)
    return PhotographScores(
        ratios({name: (column(above), column(below)) for name, (above, below) in _RATIOS.items()}),
        {
            "num_photos": len(photographs),
            "num_plates": sum(of_image.plates for of_image in counts),
            "num_unknown": sum(of_image.plates - of_image.known for of_image in counts),
            "num_readings": num_readings,
            "num_false": num_readings - sum(of_image.found for of_image in counts),
        },
        tuple(matches),
    )


def edit_distance(a: str, b: str) -> int:
    """How many characters must be inserted, left out or changed to make one text of the other."""
    row = list(range(len(b) + 1))
    for i, own in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, start=1):
            kept = diagonal + (own != other)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, kept)
    return row[-1]


def with_zeros(text: str) -> str:
    """A plate's plain text with every O as 0."""
    return text.translate(_AS_ZERO)


def _matches(
    image: int, photograph: Photograph, readings: Sequence[PlateReading], iou: float
) -> list[PhotographMatch]:
    boxes = [plate.box for plate in photograph.plates], [found.box for found in readings]
    pairs = matched(*boxes, [found.score for found in readings], iou)
    rows = []
    for plate, reading in pairs:
        truth = "" if plate is None else photograph.plates[plate].text
        text = "" if reading is None else plain_text(readings[reading].text)
        # A reading of no plate is wrong whatever it says.
        exact = exact_o0 = None if plate is not None and not truth else False
        if truth:
            exact, exact_o0 = truth == text, with_zeros(truth) == with_zeros(text)
        rows.append(PhotographMatch(image, plate, reading, exact, exact_o0))
    return rows


def _counts(
    photograph: Photograph, readings: Sequence[PlateReading], matches: Sequence[PhotographMatch]
) -> _Counts:
    counts = _Counts(
        plates=len(photograph.plates),
        known=sum(bool(plate.text) for plate in photograph.plates),
        readings=len(readings),
    )
    for match in matches:
        if match.plate is None or match.reading is None:
            continue
        counts.found += 1
        truth = photograph.plates[match.plate].text
        if not truth:
            continue
        reading = readings[match.reading]
        text, raw = plain_text(reading.text), plain_text(reading.raw)
        counts.exact += bool(match.exact)
        counts.exact_o0 += bool(match.exact_o0)
        counts.exact_raw += truth == raw
        counts.exact_raw_o0 += with_zeros(truth) == with_zeros(raw)
        counts.length += len(truth)
        counts.kept += _kept(truth, text)
        counts.kept_o0 += _kept(with_zeros(truth), with_zeros(text))
    return counts


def _kept(truth: str, text: str) -> int:
    """Characters less edit distance; of a text that is much too long, none."""
    return max(0, len(truth) - edit_distance(truth, text))
