"""From images to readings with platenet's three graphs: detect, refine, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.datasets.rectify import rectify
from sub_module.errors import ModelError
from sub_module.models.platenet.decode import RowText, decode_peaks, decode_row
from sub_module.models.platenet.inputs import STRIDE, InputSizes
from sub_module.models.ranges import check_ranges
from sub_module.models.reader import Networks
from sub_module.plates import Layout, PlateReading, PlateStandard
from sub_module.plates.geometry import (
    UNIT_SQUARE,
    Corners,
    box_iou,
    map_points,
    plate_to_image,
)
from sub_module.plates.instances import Findings

Image = NDArray[np.uint8]

GRAPHS = ("detect", "refine", "read")
# Smaller quadrangles hold no text.
_MIN_AREA_PX = 16.0
_RANGES: dict[str, tuple[float, float]] = {
    "reading.min_heat": (0, 1),
    "reading.min_plate": (0, 1),
    "reading.min_score": (0, 1),
    "reading.max_plates": (1, 1000),
    "reading.num_refinements": (0, 16),
    "reading.overlap": (0, 1),
}
_INTEGERS = ("reading.max_plates", "reading.num_refinements")


def build(
    model_config: Mapping[str, Any], standard: PlateStandard, networks: Networks
) -> PlateNetReader:
    """See `models.reader.build_reader`."""
    check_ranges(model_config, _RANGES, _INTEGERS)
    sizes = InputSizes.from_config(model_config["sizes"])
    return PlateNetReader(standard, sizes, networks, **model_config["reading"])


class _Candidate:
    """A plate on its way to a reading."""

    def __init__(self, image_index: int, corners: Corners, heat: float) -> None:
        self.image_index = image_index
        self.corners = corners
        self.heat = heat
        self.plate_probability = 0.0
        self.layout_index = 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        (x1, y1), (x2, y2) = self.corners.min(0), self.corners.max(0)
        return float(x1), float(y1), float(x2), float(y2)


class PlateNetReader:
    """Detect, refine twice, read the rows, put the texts together."""

    has_masks = False

    def __init__(
        self,
        standard: PlateStandard,
        sizes: InputSizes,
        networks: Networks,
        min_heat: float,
        min_plate: float,
        min_score: float,
        max_plates: int,
        num_refinements: int,
        overlap: float,
    ) -> None:
        """Put a reader together.

        Args:
            standard: The plates to read.
            sizes: What the networks look at.
            networks: `detect` takes whole images (N, 3, H, W) uint8, `refine` crops, and `read`
                strips (N, 1, H, W); `PlateNet` says what they give.
            min_heat: Peaks below this are not looked at.
            min_plate: Crops whose plate probability is below this are dropped.
            min_score: Readings below this are dropped.
            max_plates: Peaks looked at in an image, highest first.
            num_refinements: How often corners are refined.
            overlap: Of two plates whose boxes have a larger IoU, the better one stays.
        """
        self._standard = standard
        self._sizes = sizes
        self._networks = networks
        self._min_heat = min_heat
        self._min_plate = min_plate
        self._min_score = min_score
        self._max_plates = max_plates
        self._num_refinements = num_refinements
        self._overlap = overlap

    @property
    def categories(self) -> tuple[str, ...]:
        """Boards: the classes that it finds."""
        return self._standard.board_labels

    def find(self, images: Sequence[Image]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8.

        Raises:
            ModelError: A graph is of another plate standard.
        """
        candidates = self._detect(images)
        for _ in range(self._num_refinements):
            candidates = self._refine(images, candidates)
        candidates = self._without_doubles(candidates)
        readings: list[list[PlateReading]] = [[] for _ in images]
        for candidate, rows in zip(candidates, self._read_rows(images, candidates), strict=True):
            reading = self._reading(candidate, rows)
            if reading is not None and reading.score >= self._min_score:
                readings[candidate.image_index].append(reading)
        return [
            Findings(tuple(sorted(found, key=lambda reading: -reading.score))) for found in readings
        ]

    def _detect(self, images: Sequence[Image]) -> list[_Candidate]:
        if not len(images):
            return []
        size = self._sizes.detector
        inputs = np.stack([letterbox(image, size).transpose(2, 0, 1) for image in images])
        heats, corners = self._networks.run("detect", inputs)
        candidates = []
        for index, image in enumerate(images):
            quads, heat = decode_peaks(
                heats[index, 0],
                corners[index],
                STRIDE,
                self._min_heat,
                self._max_plates,
            )
            scale = fit_scale(image.shape, size)
            candidates += [
                _Candidate(index, quad / scale, float(h))
                for quad, h in zip(quads, heat, strict=True)
                if _is_convex(quad)
            ]
        return candidates

    def _refine(self, images: Sequence[Image], candidates: list[_Candidate]) -> list[_Candidate]:
        if not candidates:
            return []
        region, size = self._sizes.crop_region, self._sizes.crop
        crops = [rectify(images[c.image_index], c.corners, region, size) for c in candidates]
        inputs = np.ascontiguousarray(np.stack(crops).transpose(0, 3, 1, 2))
        offsets, layouts, plates = self._networks.run("refine", inputs)
        _check_number("refine", layouts.shape[1], len(self._standard.layouts), "layouts")
        kept = []
        for n, candidate in enumerate(candidates):
            candidate.plate_probability = float(plates[n, 0])
            candidate.layout_index = int(layouts[n].argmax())
            moved = map_points(plate_to_image(candidate.corners), UNIT_SQUARE + offsets[n])
            if candidate.plate_probability >= self._min_plate and _is_convex(moved):
                candidate.corners = moved
                kept.append(candidate)
        return kept

    def _without_doubles(self, candidates: list[_Candidate]) -> list[_Candidate]:
        kept: list[_Candidate] = []
        for candidate in sorted(candidates, key=lambda c: -c.heat * c.plate_probability):
            if not any(
                other.image_index == candidate.image_index
                and box_iou(other.box, candidate.box) > self._overlap
                for other in kept
            ):
                kept.append(candidate)
        return kept

    def _read_rows(
        self, images: Sequence[Image], candidates: list[_Candidate]
    ) -> list[list[RowText]]:
        if not candidates:
            return []
        strips, slots, counts = [], [], []
        for candidate in candidates:
            layout = self._layout(candidate)
            counts.append(len(layout.rows))
            for row in layout.rows:
                image = images[candidate.image_index]
                strip = rectify(image, candidate.corners, row.box, self._sizes.strip)
                strips.append(cv2.cvtColor(strip, cv2.COLOR_RGB2GRAY)[None])
                slots.append(row.slots)
        (probabilities,) = self._networks.run("read", np.stack(strips))
        known = 1 + len(self._standard.alphabet)
        _check_number("read", probabilities.shape[2], known, "characters with the blank")
        texts = (
            decode_row(columns, row, self._standard.alphabet)
            for columns, row in zip(probabilities, slots, strict=True)
        )
        return [[next(texts) for _ in range(count)] for count in counts]

    def _reading(self, candidate: _Candidate, rows: list[RowText]) -> PlateReading | None:
        layout = self._layout(candidate)
        characters = [character for row in rows for character in row.characters]
        if not layout.fits(characters):
            return None
        confidence = float(np.prod([row.confidence for row in rows]))
        score = candidate.plate_probability * confidence
        return PlateReading.from_slots(layout, candidate.box, candidate.corners, characters, score)

    def _layout(self, candidate: _Candidate) -> Layout:
        return self._standard.layouts[candidate.layout_index]


def _check_number(graph: str, found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise ModelError(
            f"the graph {graph} tells {found} {what} apart, but the plate standard has {wanted}"
        )


def _is_convex(quad: Corners) -> bool:
    """Whether four corners run clockwise round an area of some pixels."""
    return cv2.isContourConvex(quad) and cv2.contourArea(quad, oriented=True) > _MIN_AREA_PX
