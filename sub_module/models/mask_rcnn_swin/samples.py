"""Training samples for mask_rcnn_swin: an image on its canvas, and every instance in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from sub_module.datasets.coco import load_image, load_plate_images
from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard

Image = NDArray[np.uint8]
# The part of an instance's box that must lie on the canvas for it to be learnt.
_MIN_VISIBLE = 0.7
_MIN_SIDE_PX = 1.0
_GREY = 128
# Cells of an instance's box, each way: four times as fine as the masks that a model gives.
MASK_CELLS = 112
_FINER = 4


class InstanceTrainingSet(Dataset[dict[str, Any]]):
    """Images of a recorded data set with their instances, newly varied at each look."""

    def __init__(
        self,
        coco_file: Path,
        standard: PlateStandard,
        size: tuple[int, int],
        settings: Mapping[str, Any],
    ) -> None:
        """Load the index; images are read when asked for.

        Args:
            coco_file: A COCO file of `record`.
            standard: The plates in it.
            size: (width, height) of the canvas.
            settings: `train.samples` of a config.

        Raises:
            DataError: The file cannot be used, or is of another plate standard.
            ConfigError: A setting is missing.
        """
        self._images = load_plate_images(coco_file, standard)
        self._labels = {label: i for i, label in enumerate(standard.classes, start=1)}
        self._size = size
        try:
            self._zoom = np.log(np.array(settings["zoom"], np.float64))
            self._shift = float(settings["shift"])
            self._contrast = float(settings["contrast"])
            self._brightness = float(settings["brightness"])
        except KeyError as error:
            raise ConfigError(f"train.samples: {error} is missing") from error

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Arrays of one image by name; `collate_samples` says their shapes."""
        # The Runner seeds NumPy's global state for each process.
        rng = np.random.default_rng(np.random.randint(2**31))
        record = self._images[index]
        zoom = float(np.exp(rng.uniform(*self._zoom)))
        shares = (1 - zoom) / 2 * rng.uniform(0, 2, 2) + rng.uniform(-1, 1, 2) * self._shift
        offset = np.round(shares * self._size).astype(int)
        image = load_image(record.path)
        canvas = _placed(image, self._size, zoom, offset)
        gain = 1 + rng.uniform(-1, 1, 3) * self._contrast
        plus = rng.uniform(-1, 1) * self._brightness
        table = np.clip(np.arange(256)[:, None] * gain + plus, 0, 255).astype(np.uint8)
        canvas = np.asarray(cv2.LUT(canvas, table.reshape(1, 256, 3)), np.uint8)
        scale = fit_scale(image.shape, _scaled(self._size, zoom))
        shapes = [
            (self._labels[label], polygon * scale + offset) for label, polygon in record.shapes
        ]
        image_CHW = np.ascontiguousarray(canvas.transpose(2, 0, 1))
        return {"images": image_CHW, **instance_targets(shapes, self._size)}


def instance_targets(
    shapes: Sequence[tuple[int, NDArray[np.floating]]], size: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """What a model should find.

    Args:
        shapes: (label, (k, 2) polygon in pixels of the canvas).
        size: (width, height) of the canvas.

    Returns:
        boxes (n, 4) x1 y1 x2 y2 pixels, labels (n,), and masks (n, 112, 112) uint8: 1 where a
        cell of the box belongs to the instance. Shapes that hardly lie on the canvas, or are
        smaller than a pixel, are left out.
    """
    boxes, labels, masks = [], [], []
    for label, polygon in shapes:
        low, high = polygon.min(0), polygon.max(0)
        seen_low, seen_high = np.clip(low, 0, size), np.clip(high, 0, size)
        sides = seen_high - seen_low
        if (sides < _MIN_SIDE_PX).any() or sides.prod() < _MIN_VISIBLE * (high - low).prod():
            continue
        boxes.append((*seen_low, *seen_high))
        labels.append(label)
        masks.append(_mask((polygon - seen_low) / sides * MASK_CELLS))
    return {
        "boxes": np.array(boxes, np.float32).reshape(-1, 4),
        "labels": np.array(labels, np.int64),
        "masks": np.array(masks, np.uint8).reshape(-1, MASK_CELLS, MASK_CELLS),
    }


def collate_samples(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Join the samples of N images.

    Returns:
        images (N, 3, H, W) uint8, and targets: for each image its boxes (n, 4), labels (n,) and
        masks (n, 112, 112).
    """
    images = np.stack([sample["images"] for sample in samples])
    targets = [
        {key: torch.from_numpy(sample[key]) for key in ("boxes", "labels", "masks")}
        for sample in samples
    ]
    return {"images": torch.from_numpy(images), "targets": targets}


def _mask(polygon: NDArray[np.floating]) -> NDArray[np.bool_]:
    """The cells inside a polygon (k, 2), those on its edge by their larger part."""
    # OpenCV fills the pixels that an edge goes through as well: hardly any, when drawn so fine.
    fine = np.zeros((MASK_CELLS * _FINER, MASK_CELLS * _FINER), np.uint8)
    points = np.round(polygon * _FINER - 0.5).astype(np.int32)
    cv2.fillPoly(fine, [points], (255,))
    cells = cv2.resize(fine, (MASK_CELLS, MASK_CELLS), interpolation=cv2.INTER_AREA)
    return np.asarray(cells > 127)


def _scaled(size: tuple[int, int], zoom: float) -> tuple[int, int]:
    return max(1, round(size[0] * zoom)), max(1, round(size[1] * zoom))


def _placed(image: Image, size: tuple[int, int], zoom: float, offset: NDArray[np.int_]) -> Image:
    """A canvas with an image fitted to `zoom` times its size, moved by whole pixels (x, y).

    Scaled once, straight from the image, so that small characters stay as sharp as they will be
    when the model reads.
    """
    view = letterbox(image, _scaled(size, zoom))
    canvas = np.full((size[1], size[0], 3), _GREY, np.uint8)
    x, y = int(offset[0]), int(offset[1])
    part = view[max(0, -y) : max(0, size[1] - y), max(0, -x) : max(0, size[0] - x)]
    top, left = max(0, y), max(0, x)
    canvas[top : top + part.shape[0], left : left + part.shape[1]] = part
    return canvas
