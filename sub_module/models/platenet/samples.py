"""Training samples for platenet: what its networks see of an image, and should say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sub_module.datasets.coco import PlateImage, load_image, load_plate_images
from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.datasets.rectify import rectify
from sub_module.models.platenet.empty_regions import EmptyRegions
from sub_module.models.platenet.inputs import InputSizes, enlarged
from sub_module.models.platenet.losses import IGNORED
from sub_module.models.platenet.targets import column_labels, detector_targets
from sub_module.plates import PlateStandard
from sub_module.plates.geometry import (
    UNIT_SQUARE,
    Corners,
    by_uprightness,
    image_to_plate,
    map_points,
    plate_to_image,
    quadrangle,
    rectangle_around,
    side_lengths,
)
from sub_module.plates.standard import PlateBox

Image = NDArray[np.uint8]

# Corners of a plate that is held upside down, mirrored left to right, and mirrored top to bottom.
_TURNS = ([2, 3, 0, 1], [1, 0, 3, 2], [3, 2, 1, 0])
# Of narrower plates nobody could tell which way round they are.
_MIN_TURNED_PX = 70.0
_GREY_LEVELS = np.arange(256) / 255
# With more standard deviations, jitter would turn quadrangles inside out.
_MOST_DEVIATIONS = 1.75
_MOST_OFFSET = 1.0
_TRIES = 10


class PlateTrainingSet(Dataset[dict[str, Any]]):
    """Images of a recorded data set as samples for the networks, newly varied at each look."""

    def __init__(
        self,
        coco_file: Path,
        standard: PlateStandard,
        sizes: InputSizes,
        settings: Mapping[str, Any],
    ) -> None:
        """Load the index; images are read when asked for.

        Args:
            coco_file: A COCO file of `record`.
            standard: The plates in it.
            sizes: What the networks look at.
            settings: `train.samples` of a config.
        """
        self._images = load_plate_images(coco_file, standard)
        self._standard = standard
        self._sizes = sizes
        self._settings = settings
        self._aspects = [layout.aspect for layout in standard.layouts]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Arrays of one image by name; `collate_samples` says their shapes."""
        # The Runner seeds NumPy's global state for each process.
        rng = np.random.default_rng(np.random.randint(2**31))
        record = self._images[index]
        image = load_image(record.path)
        empty = EmptyRegions(
            image, _corners_of(record), self._aspects, self._settings["empty_tries"]
        )
        sample = self._detector_sample(image, record, rng)
        sample |= self._refiner_samples(image, record, empty, rng)
        sample |= self._reader_samples(image, record, empty, rng)
        return sample

    def _detector_sample(
        self, image: Image, record: PlateImage, rng: np.random.Generator
    ) -> dict[str, Any]:
        width, height = self._sizes.detector
        view = letterbox(image, (width, height))
        scale = fit_scale(image.shape, (width, height))
        zoom = float(np.exp(rng.uniform(*np.log(self._settings["zoom"]))))
        shift = (1 - zoom) / 2 + rng.uniform(-0.5, 0.5, 2) * self._settings["shift"]
        affine = np.array([[zoom, 0, shift[0] * width], [0, zoom, shift[1] * height]])
        view = _uint8(
            cv2.warpAffine(view, affine, (width, height), borderMode=cv2.BORDER_REFLECT_101)
        )
        gain, offset = rng.uniform(0.7, 1.3, 3), rng.uniform(-20, 20)
        table = np.clip(np.arange(256)[:, None] * gain + offset, 0, 255).astype(np.uint8)
        view = _uint8(cv2.LUT(view, table.reshape(1, 256, 3)))
        quads = [np.array(r.corners) * scale * zoom + affine[:, 2] for r in record.readings]
        if rng.random() < self._settings["mirror"]:
            # Too small to read, so a mirrored plate is a plate; left and right corners swap.
            view = view[:, ::-1]
            quads = [quad[[1, 0, 3, 2]] * (-1, 1) + (width, 0) for quad in quads]
        heat, corners, weights = detector_targets(quads, (width, height))
        image_CHW = np.ascontiguousarray(view.transpose(2, 0, 1))
        return {"images": image_CHW, "heat": heat, "corners": corners, "corner_weights": weights}

    def _refiner_samples(
        self, image: Image, record: PlateImage, empty: EmptyRegions, rng: np.random.Generator
    ) -> dict[str, Any]:
        crops, offsets, layouts, plates = [], [], [], []
        names = [layout.name for layout in self._standard.layouts]
        truths = _corners_of(record)
        for reading, truth in zip(record.readings, truths, strict=True):
            for _ in range(self._settings["crops_per_plate"]):
                rough, offset = self._rough(truth, rng)
                crops.append(self._crop(image, rough))
                offsets.append(offset)
                layouts.append(names.index(reading.layout))
                plates.append(1.0)
        regions = [empty.draw(rng) for _ in range(self._settings["empty_crops_per_image"])]
        regions += self._no_plates(record, "crop", rng)
        for region in [*regions, *self._turned(truths, "crop", rng)]:
            if region is not None:
                crops.append(self._crop(image, region))
                offsets.append(np.zeros((4, 2), np.float32))
                layouts.append(IGNORED)
                plates.append(0.0)
        width, height = self._sizes.crop
        return {
            "crops": _stack(crops, (3, height, width), np.uint8),
            "offsets": _stack(offsets, (4, 2), np.float32),
            "layouts": np.array(layouts, np.int64),
            "is_plate": np.array(plates, np.float32),
        }

    def _rough(self, truth: Corners, rng: np.random.Generator) -> tuple[Corners, Corners]:
        """A detector's guess at a plate, and how far its corners are to move in plate coordinates.

        Never further than a crop could show: a guess that is bent much sees far corners near the
        horizon of its own perspective.
        """
        for _ in range(_TRIES):
            rough = self._jittered(truth, "crop", rng)
            offsets = map_points(image_to_plate(rough), truth) - UNIT_SQUARE
            if np.abs(offsets).max() <= _MOST_OFFSET:
                return rough, offsets
        return truth, np.zeros((4, 2), np.float32)

    def _crop(self, image: Image, corners: Corners) -> Image:
        return rectify(image, corners, self._sizes.crop_region, self._sizes.crop).transpose(2, 0, 1)

    def _reader_samples(
        self, image: Image, record: PlateImage, empty: EmptyRegions, rng: np.random.Generator
    ) -> dict[str, Any]:
        strips, labels = [], []
        truths = _corners_of(record)
        for reading, truth, characters in zip(
            record.readings, truths, record.characters, strict=True
        ):
            layout = self._standard.layout(reading.layout)
            for _ in range(self._settings["strips_per_row"]):
                corners = self._jittered(truth, "strip", rng)
                to_plate = image_to_plate(corners)
                polygons = [(c, map_points(to_plate, polygon)) for c, polygon in characters]
                margin = self._margin(rng)
                for row in layout.rows:
                    region = enlarged(row.box, margin)
                    strips.append(self._strip(image, corners, region, rng))
                    inside = [
                        (self._standard.alphabet.index(c), _in_region(polygon, region))
                        for c, polygon in polygons
                        if row.box[1] < polygon[:, 1].mean() < row.box[3]
                    ]
                    labels.append(column_labels(inside, self._sizes.columns))
        layouts = [self._standard.layout(reading.layout) for reading in record.readings]
        without_text = list(zip(self._turned(truths, "strip", rng), layouts, strict=True))
        places = [empty.draw(rng) for _ in range(self._settings["empty_strips_per_image"])]
        for place in [*places, *self._no_plates(record, "strip", rng)]:
            layout = self._standard.layouts[rng.integers(len(self._standard.layouts))]
            without_text.append((place, layout))
        for place, layout in without_text:
            if place is not None:
                margin = self._margin(rng)
                boxes = [enlarged(row.box, margin) for row in layout.rows]
                strips += [self._strip(image, place, box, rng) for box in boxes]
                labels += [column_labels([], self._sizes.columns)] * len(layout.rows)
        return {
            "strips": _stack(strips, (1, self._sizes.strip[1], self._sizes.strip[0]), np.uint8),
            "labels": _stack(labels, (self._sizes.columns,), np.int64),
        }

    def _margin(self, rng: np.random.Generator) -> float:
        """By how much a plate is enlarged for a look at its rows."""
        low, high = self._settings["strip_margin"]
        return float(rng.uniform(low, high)) if low < high else float(low)

    def _strip(
        self, image: Image, corners: Corners, region: PlateBox, rng: np.random.Generator
    ) -> NDArray[np.uint8]:
        """What the reader sees of a region of a plate, in a light of its own."""
        flat = rectify(image, corners, region, self._sizes.strip)
        strip = cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY)
        low, high = self._settings["strip_gamma"]
        if low < high:
            gamma = np.exp(rng.uniform(*np.log((low, high))))
            strip = cv2.LUT(strip, (255 * _GREY_LEVELS**gamma).astype(np.uint8))
        return _uint8(strip)[None]

    def _jittered(self, truth: Corners, look: str, rng: np.random.Generator) -> Corners:
        amount = np.asarray(self._settings[f"{look}_jitter"], float)
        return jitter(truth, amount * rng.random(), rng)

    def _no_plates(
        self, record: PlateImage, look: str, rng: np.random.Generator
    ) -> list[Corners | None]:
        """Some of what is labelled as no plate, as a detector would point at it."""
        count = min(self._settings["no_plates_per_image"], len(record.no_plates))
        if not count:
            return []
        chosen = rng.choice(len(record.no_plates), count, replace=False)
        polygons = [record.no_plates[int(index)] for index in chosen]
        quads = [quadrangle(polygon) for polygon in polygons]
        around = [
            rectangle_around(polygon) if quad is None else quad
            for polygon, quad in zip(polygons, quads, strict=True)
        ]
        upright = [np.asarray(by_uprightness(corners)[0], np.float32) for corners in around]
        return [self._jittered(corners, look, rng) for corners in upright]

    def _turned(
        self, truths: Sequence[Corners], look: str, rng: np.random.Generator
    ) -> list[Corners | None]:
        """Each plate the other way round, upside down or mirrored, as often as the settings say,
        else None: no reading of theirs could be right."""
        share = self._settings[f"turned_{look}s"]
        if not share:
            return [None] * len(truths)
        turned: list[Corners | None] = []
        for truth in truths:
            corners = self._jittered(truth, look, rng)[_TURNS[rng.integers(len(_TURNS))]]
            chosen = rng.random() < share and side_lengths(truth)[0] >= _MIN_TURNED_PX
            turned.append(corners if chosen else None)
        return turned


def jitter(
    corners: Corners, amount: float | NDArray[np.floating], rng: np.random.Generator
) -> Corners:
    """Move, scale and bend a quadrangle by chance, as a detector's mistakes would.

    Args:
        corners: (4, 2) pixels.
        amount: Standard deviation of the shift, as a share of the plate's width and height, or one
            (2,) for each; up to 0.3 hardly a quadrangle in 100,000 is not convex.
        rng: Where chance comes from.
    """

    def chance(*shape: int) -> NDArray[np.floating]:
        return np.clip(rng.standard_normal(shape), -_MOST_DEVIATIONS, _MOST_DEVIATIONS) * amount

    unit = UNIT_SQUARE - 0.5
    bent = unit * np.exp(chance(2)) + chance(2) + 0.4 * chance(4, 2) + 0.5
    return map_points(plate_to_image(corners), bent.astype(np.float32))


def collate_samples(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
    """Join the samples of several images.

    Returns:
        Of N images: images (N, 3, H, W) uint8, heat, corner_weights (N, 1, h, w), corners
        (N, 8, h, w). Of all their crops: crops (M, 3, H, W) uint8, offsets (M, 4, 2) in plate
        coordinates, layouts (M,) with `IGNORED` where there is no plate, is_plate (M,). Of all
        their strips: strips (S, 1, H, W) uint8, labels (S, T). M and S are at least 1: with
        nothing to learn from, one blank sample whose labels are ignored stands in.
    """
    whole = ("images", "heat", "corners", "corner_weights")
    batch = {key: np.stack([sample[key] for sample in samples]) for key in whole}
    for key in samples[0].keys() - set(whole):
        batch[key] = np.concatenate([sample[key] for sample in samples])
    for key, ignored in (
        ("crops", {"layouts": IGNORED, "is_plate": 0}),
        ("strips", {"labels": IGNORED}),
    ):
        if not len(batch[key]):
            for name in [key, *ignored, *(["offsets"] if key == "crops" else [])]:
                blank = np.full(
                    (1, *batch[name].shape[1:]), ignored.get(name, 0), batch[name].dtype
                )
                batch[name] = blank
    return {key: torch.from_numpy(array) for key, array in batch.items()}


def _corners_of(record: PlateImage) -> list[Corners]:
    return [np.array(reading.corners, np.float32) for reading in record.readings]


def _uint8(array: Any) -> Image:
    return np.asarray(array, dtype=np.uint8)


def _in_region(polygon: NDArray[np.float32], region: Sequence[float]) -> NDArray[np.float32]:
    """Points in plate coordinates as shares of a region."""
    x1, y1, x2, y2 = region
    return np.asarray((polygon - (x1, y1)) / (x2 - x1, y2 - y1), dtype=np.float32)


def _stack(arrays: list[Any], shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    return np.stack(arrays).astype(dtype) if arrays else np.zeros((0, *shape), dtype)
