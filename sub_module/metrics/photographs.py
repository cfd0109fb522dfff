"""How well plates of photographs are found and read, end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sub_module.datasets.photographs import Photograph, plain_text
from sub_module.metrics.bootstrap import Estimate, ratio
from sub_module.metrics.matching import matched
from sub_module.plates.reading import PlateReading

_AS_ZERO = str.maketrans("O", "0")
_ESTIMATES = (
    "recall",
    "precision",
    "exact",
    "exact_o0",
    "exact_raw",
    "exact_raw_o0",
    "characters",
    "characters_o0",
    "ms_per_photo",
)
_COUNTS = ("num_photos", "num_plates", "num_unknown", "num_readings", "num_false")


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
    """Figures of photographs, each from 0 to 1 but `ms_per_photo`, and None where it is undefined.

    Attributes:
        recall: Plates found over all plates.
        precision: Readings that are of a plate over all readings; a second one of a plate is not.
        exact: Plates whose whole text was read over all plates, found or not.
        exact_o0: The same with O and 0 taken as one character.
        exact_raw: As `exact`, of the text before a grammar chose among look-alikes.
        exact_raw_o0: As `exact_o0`, of that text.
        characters: 1 less edit distance over length, over the plates that were found.
        characters_o0: The same with O and 0 taken as one character.
        ms_per_photo: Of reading a decoded photograph; None: it was not measured.
        num_photos: Photographs.
        num_plates: Plates on them.
        num_unknown: Those whose text is not known; they count for recall and precision alone.
        num_readings: Readings.
        num_false: Those that are of no plate.
        matches: Every plate and every reading, once, photograph by photograph.
    """

    recall: Estimate | None
    precision: Estimate | None
    exact: Estimate | None
    exact_o0: Estimate | None
    exact_raw: Estimate | None
    exact_raw_o0: Estimate | None
    characters: Estimate | None
    characters_o0: Estimate | None
    ms_per_photo: Estimate | None
    num_photos: int
    num_plates: int
    num_unknown: int
    num_readings: int
    num_false: int
    matches: tuple[PhotographMatch, ...]

    @property
    def estimates(self) -> dict[str, Estimate | None]:
        """The figures that have an interval, by name."""
        return {name: getattr(self, name) for name in _ESTIMATES}

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of what there is, by name."""
        return {name: getattr(self, name) for name in _COUNTS}


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
    edits: int = 0
    edits_o0: int = 0


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
    matches: list[PhotographMatch] = []
    counts = []
    for image, (photograph, found) in enumerate(zip(photographs, readings, strict=True)):
        of_image = _matches(image, photograph, found, iou)
        matches += of_image
        counts.append(_counts(photograph, found, of_image))
    if seconds is not None and len(seconds) != len(photographs):
        raise ValueError(f"{len(seconds)} durations of {len(photographs)} photographs")

    def share(above: str, below: str) -> Estimate | None:
        return ratio([getattr(c, above) for c in counts], [getattr(c, below) for c in counts])

    def right(wrong: str) -> Estimate | None:
        return ratio([c.length - getattr(c, wrong) for c in counts], [c.length for c in counts])

    num_found, num_readings = sum(c.found for c in counts), sum(c.readings for c in counts)
    return PhotographScores(
        recall=share("found", "plates"),
        precision=share("found", "readings"),
        exact=share("exact", "known"),
        exact_o0=share("exact_o0", "known"),
        exact_raw=share("exact_raw", "known"),
        exact_raw_o0=share("exact_raw_o0", "known"),
        characters=right("edits"),
        characters_o0=right("edits_o0"),
        ms_per_photo=ratio([1000 * s for s in seconds], [1] * len(seconds)) if seconds else None,
        num_photos=len(photographs),
        num_plates=sum(c.plates for c in counts),
        num_unknown=sum(c.plates - c.known for c in counts),
        num_readings=num_readings,
        num_false=num_readings - num_found,
        matches=tuple(matches),
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
        counts.edits += edit_distance(truth, text)
        counts.edits_o0 += edit_distance(with_zeros(truth), with_zeros(text))
    return counts
