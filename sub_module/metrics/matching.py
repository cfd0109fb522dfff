"""Which reading is of which plate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sub_module.plates.geometry import Box, box_iou

# Indices of a plate and of a reading; None: there is none.
Pair = tuple[int | None, int | None]


def matched(
    plates: Sequence[Box], readings: Sequence[Box], scores: Sequence[float], iou: float
) -> Iterator[Pair]:
    """Every plate and every reading of one image, once.

    Readings choose in the order of their scores, each the plate that it overlaps most among those
    not yet chosen.

    Args:
        plates: (x1, y1, x2, y2) of each plate.
        readings: The same of each reading.
        scores: Of each reading.
        iou: The box IoU from which a reading is of a plate.
    """
    left = set(range(len(plates)))
    for reading in sorted(range(len(readings)), key=lambda r: -scores[r]):
        overlaps = {plate: box_iou(plates[plate], readings[reading]) for plate in sorted(left)}
        best = max(overlaps, key=lambda plate: overlaps[plate], default=None)
        if best is None or overlaps[best] < iou:
            yield None, reading
            continue
        left.remove(best)
        yield best, reading
    for plate in sorted(left):
        yield plate, None
