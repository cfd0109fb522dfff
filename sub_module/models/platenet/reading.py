"""From images to readings with platenet's three graphs: detect, refine, read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.datasets.rectify import rectify
from sub_module.errors import ModelError
from sub_module.metrics.calibration import calibrated
from sub_module.models.platenet.decode import RowTexts, decode_peaks, decode_rows
from sub_module.models.platenet.inputs import STRIDE, InputSizes, enlarged
from sub_module.models.platenet.settings import ReadingSettings
from sub_module.models.platenet.turned import legibility, turned_back
from sub_module.models.platenet.vote import Vote, vote
from sub_module.models.reader import Networks
from sub_module.plates import PlateReading, PlateStandard, Row, Slot
from sub_module.plates.geometry import (
    UNIT_SQUARE,
    Corners,
    area_of,
    box_iou,
    map_points,
    plate_to_image,
    region_corners,
)
from sub_module.plates.grammar import likeliest_text
from sub_module.plates.instances import Findings
from sub_module.plates.standard import PlateBox

Image = NDArray[np.uint8]

GRAPHS = ("detect", "refine", "read")
# Smaller quadrangles hold no text.
_MIN_AREA_PX = 16.0


def build(
    model_config: Mapping[str, Any],
    standard: PlateStandard,
    networks: Networks,
    trained: PlateStandard,
) -> PlateNetReader:
    """See `models.reader.build_reader`."""
    sizes = InputSizes.from_config(model_config["sizes"])
    settings = ReadingSettings.from_config(model_config)
    return PlateNetReader(standard, trained, sizes, networks, settings)


class _Candidate:
    """A plate on its way to a reading."""

    def __init__(self, image_index: int, corners: Corners, heat: float) -> None:
        self.image_index = image_index
        self.corners = corners
        self.heat = heat
        self.plate_probability = 1.0
        self.layout_index = 0

    @property
    def box(self) -> tuple[float, float, float, float]:
        (x1, y1), (x2, y2) = self.corners.min(0), self.corners.max(0)
        return float(x1), float(y1), float(x2), float(y2)


_Found = tuple[_Candidate, Vote, PlateReading]


class PlateNetReader:
    """Detect, refine twice, read the rows, put the texts together."""

    has_masks = False

    def __init__(
        self,
        standard: PlateStandard,
        trained: PlateStandard,
        sizes: InputSizes,
        networks: Networks,
        settings: ReadingSettings,
    ) -> None:
        """Put a reader together.

        Args:
            standard: The plates to read.
            trained: Those that the networks were trained for, which have all layouts and characters
                of `standard`.
            sizes: What the networks look at.
            networks: `detect` takes whole images (N, 3, H, W) uint8, `refine` crops, and `read`
                strips (N, 1, H, W); `PlateNet` says what they give.
            settings: How it goes about it.
        """
        self._standard = standard
        self._alphabet = trained.alphabet
        self._num_layouts = len(trained.layouts)
        names = [layout.name for layout in trained.layouts]
        # The networks' number of each layout; strips are cut as the networks learnt to see them.
        self._layouts = [names.index(layout.name) for layout in standard.layouts]
        self._strip_boxes = [[row.box for row in trained.layouts[i].rows] for i in self._layouts]
        self._sizes = sizes
        self._networks = networks
        self._settings = settings

    @property
    def categories(self) -> tuple[str, ...]:
        """Boards: the classes that it finds."""
        return self._standard.board_labels

    def find(self, images: Sequence[Image]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8.

        Raises:
            ModelError: A graph is of another plate standard.
        """
        candidates = self._without_doubles(self._detect(images))
        for _ in range(self._settings.num_refinements):
            candidates = self._without_doubles(self._refine(images, candidates))
        if self._settings.max_outside < 1:
            candidates = [
                candidate
                for candidate in candidates
                if _share_outside(candidate.corners, images[candidate.image_index])
                <= self._settings.max_outside
            ]
        texts = [vote(rows) for rows in self._look(images, candidates, self._at_margins)]
        found = []
        for candidate, text in zip(candidates, texts, strict=True):
            reading = self._reading(candidate, text)
            if reading is not None and reading.score >= self._settings.min_score:
                found.append((candidate, text, reading))
        readings: list[list[PlateReading]] = [[] for _ in images]
        for candidate, _, reading in self._without_turned(images, found):
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
                self._settings.min_heat,
                self._settings.max_plates,
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
        _check_number("refine", layouts.shape[1], self._num_layouts, "layouts")
        kept = []
        for n, candidate in enumerate(candidates):
            candidate.plate_probability = float(plates[n, 0])
            candidate.layout_index = int(layouts[n, self._layouts].argmax())
            moved = map_points(plate_to_image(candidate.corners), UNIT_SQUARE + offsets[n])
            if candidate.plate_probability >= self._settings.min_plate and _is_convex(moved):
                candidate.corners = moved
                kept.append(candidate)
        return kept

    def _without_doubles(self, candidates: list[_Candidate]) -> list[_Candidate]:
        kept: list[_Candidate] = []
        for candidate in sorted(candidates, key=lambda c: -c.heat * c.plate_probability):
            if not any(
                other.image_index == candidate.image_index
                and box_iou(other.box, candidate.box) > self._settings.overlap
                for other in kept
            ):
                kept.append(candidate)
        return kept

    def _look(
        self,
        images: Sequence[Image],
        candidates: list[_Candidate],
        cut: Callable[[Image, Corners, PlateBox], list[Image]],
    ) -> list[list[RowTexts]]:
        """What several looks at each candidate say: for each, the texts of its rows.

        Args:
            images: (H, W, 3) each.
            candidates: In those images.
            cut: Of an image, a plate's corners and a row's box gives the strips (H, W) to look at,
                equally many each time.
        """
        if not candidates:
            return []
        strips, slots = [], []
        for candidate in candidates:
            image = images[candidate.image_index]
            for row, box in self._rows(candidate):
                strips += cut(image, candidate.corners, box)
                slots.append(row.slots)
        (columns,) = self._networks.run("read", np.stack(strips)[:, None])
        known = 1 + len(self._alphabet)
        _check_number("read", columns.shape[2], known, "characters with the blank")
        texts = iter(self._decoded(columns.reshape(len(slots), -1, *columns.shape[1:]), slots))
        return [[next(texts) for _ in self._rows(candidate)] for candidate in candidates]

    def _strip(self, image: Image, corners: Corners, region: PlateBox) -> Image:
        flat = rectify(image, corners, region, self._sizes.strip)
        return np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), np.uint8)

    def _at_margins(self, image: Image, corners: Corners, box: PlateBox) -> list[Image]:
        margins = self._settings.margins
        return [self._strip(image, corners, enlarged(box, margin)) for margin in margins]

    def _turned_back(self, image: Image, corners: Corners, box: PlateBox) -> list[Image]:
        return turned_back(self._strip(image, corners, box))

    def _without_turned(self, images: Sequence[Image], found: list[_Found]) -> list[_Found]:
        """Without what can be read better once it is turned back."""
        limit = self._settings.max_turned
        if limit is None:
            return found
        looks = self._look(images, [candidate for candidate, *_ in found], self._turned_back)
        kept = []
        for each, rows in zip(found, looks, strict=True):
            upright = legibility(each[1].probabilities, each[1].filled)
            turned = sum(legibility(row.probabilities, row.filled) for row in rows)
            if np.max(turned) <= upright + np.log(limit):
                kept.append(each)
        return kept

    def _decoded(
        self, columns: NDArray[np.float32], slots: list[tuple[Slot, ...]]
    ) -> list[RowTexts]:
        """What the looks at each row say; rows with the same slots are decoded in one go.

        Args:
            columns: (rows, looks, T, 1 + A).
            slots: Of each row.
        """
        num_looks = columns.shape[1]
        decoded: list[RowTexts | None] = [None] * len(slots)
        for each in dict.fromkeys(slots):
            members = [index for index, own in enumerate(slots) if own == each]
            looks = columns[members].reshape(-1, *columns.shape[2:])
            texts = decode_rows(looks, each, self._alphabet)
            for n, index in enumerate(members):
                part = slice(n * num_looks, (n + 1) * num_looks)
                decoded[index] = RowTexts(
                    texts.probabilities[part], texts.filled[part], texts.complete[part]
                )
        return [text for text in decoded if text is not None]

    def _rows(self, candidate: _Candidate) -> list[tuple[Row, PlateBox]]:
        """Each row of a candidate's layout, and the strip to look at."""
        index = candidate.layout_index
        rows = self._standard.layouts[index].rows
        return list(zip(rows, self._strip_boxes[index], strict=True))

    def _reading(self, candidate: _Candidate, text: Vote) -> PlateReading | None:
        settings, layout = self._settings, self._standard.layouts[candidate.layout_index]
        best = text.probabilities.argmax(1)
        raw = [self._alphabet[i] if f else None for i, f in zip(best, text.filled, strict=True)]
        if (
            text.agreeing < settings.min_agreeing
            or text.filled.sum() < settings.min_characters
            or not layout.fits(raw)
        ):
            return None
        sureness = text.probabilities[text.filled].max(1)
        chosen = likeliest_text(
            text.probabilities[text.filled],
            self._alphabet,
            self._standard.grammars,
            settings.follows_grammar,
        )
        characters = list(raw)
        if chosen is not None:
            places = np.flatnonzero(text.filled).tolist()
            for n, (place, index) in enumerate(zip(places, chosen.characters, strict=True)):
                if index != best[place]:
                    # What made the raw character doubtful makes the text so.
                    characters[place] = self._alphabet[index]
                    sureness[n] *= chosen.shares[n]
        agreement = text.agreeing / len(settings.margins)
        score = candidate.plate_probability * agreement * text.complete * float(sureness.prod())
        if settings.calibration is not None:
            score = float(calibrated(score, *settings.calibration))
        reading = PlateReading.from_slots(
            layout,
            candidate.box,
            candidate.corners,
            characters,
            score,
        )
        if chosen is None:
            return reading
        return replace(reading, raw="".join(c or "" for c in raw), grammar=chosen.grammar)


def _share_outside(corners: Corners, image: Image) -> float:
    """How much of a convex quadrangle's area lies outside an image, from 0 to 1."""
    height, width = image.shape[:2]
    inside, _ = cv2.intersectConvexConvex(corners, region_corners((0, 0, width, height)))
    return 1 - inside / area_of(corners)


def _check_number(graph: str, found: int, wanted: int, what: str) -> None:
    if found != wanted:
        raise ModelError(
            f"the graph {graph} tells {found} {what} apart, but the plate standard has {wanted}"
        )


def _is_convex(quad: Corners) -> bool:
    """Whether four corners run clockwise round an area of some pixels."""
    return cv2.isContourConvex(quad) and cv2.contourArea(quad, oriented=True) > _MIN_AREA_PX
