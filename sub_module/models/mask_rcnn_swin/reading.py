"""From images to instances and readings with the graph `detect`, whoever runs it; no torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sub_module.datasets.letterbox import fit_scale, letterbox
from sub_module.errors import ConfigError, ModelError
from sub_module.models.mask_rcnn_swin.settings import check_reading
from sub_module.models.reader import Networks
from sub_module.plates import PlateStandard
from sub_module.plates.instances import Findings, Instances
from sub_module.plates.read_instances import read_instances

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

# What `Networks` are asked for.
GRAPHS = ("detect",)
# Pixels that one cell of the coarsest feature map sees.
_STRIDE = 32
# A model file may ask for no more: it is untrusted input.
_LARGEST_PX = 4096
# The grid that a mask is enlarged to before it is cut at one half: so many steps a pixel, at least
# so many a cell of the mask, and in all no more than show.
_GRID_A_PX = 2
_GRID_A_CELL = 2
_FINEST_GRID = 224
# In cells of that grid: how far points may be moved to leave some out.
_TOLERANCE = 0.5
# Smaller instances are no more than a speck.
_MIN_SIDE_PX = 0.5


def canvas_size(values: Sequence[int]) -> tuple[int, int]:
    """`model.input_size` of a config as (width, height).

    Raises:
        ConfigError: It is no size that the networks can divide.
    """
    try:
        width, height = (int(value) for value in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(f"model.input_size: {values!r} is not [width, height]") from error
    if any(not 0 < pixels <= _LARGEST_PX or pixels % _STRIDE for pixels in (width, height)):
        raise ConfigError(
            f"model.input_size: {width}x{height} must be multiples of {_STRIDE} up to {_LARGEST_PX}"
        )
    return width, height


def build(
    model_config: Mapping[str, Any],
    standard: PlateStandard,
    networks: Networks,
    trained: PlateStandard,
) -> MaskRCNNReader:
    """A reader from `model` of a config; see `models.reader.build_reader`.

    Raises:
        ConfigError: The canvas does not suit the networks, or a number is out of its range.
        KeyError, TypeError: Something is missing or unknown.
    """
    size = canvas_size(model_config["input_size"])
    check_reading(model_config)
    return MaskRCNNReader(standard, trained, size, networks, **model_config["reading"])


class MaskRCNNReader:
    """Detect instances in each image, trace their outlines, put readings together."""

    def __init__(
        self,
        standard: PlateStandard,
        trained: PlateStandard,
        size: tuple[int, int],
        networks: Networks,
        min_score: float,
        overlap: float,
    ) -> None:
        """Put a reader together.

        Args:
            standard: The plates to read.
            trained: Those that the networks were trained for.
            size: (width, height) of the canvas that an image is fitted to.
            networks: Run `detect`: (1, 3, height, width) uint8 to boxes (n, 4) in pixels of the
                canvas, labels (n,) from 1 in the order of the classes of `trained`, scores (n,) and
                masks (n, 28, 28), the probability of each cell of the box.
            min_score: Instances below this take no part in a reading.
            overlap: See `read_instances`.
        """
        self._standard = standard
        self._trained = trained
        self._names = _names_in(standard, trained)
        self._size = size
        self._networks = networks
        self._min_score = min_score
        self._overlap = overlap

    @property
    def categories(self) -> tuple[str, ...]:
        """Every class of the standard."""
        return self._standard.classes

    @property
    def has_masks(self) -> bool:
        """Its instances have outlines."""
        return True

    def find(self, images: Sequence[Image]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8.

        Raises:
            ModelError: The graph finds a class that the standard has not.
        """
        found = []
        for image in images:
            instances = self._instances(image)
            readings = read_instances(instances, self._standard, self._min_score, self._overlap)
            found.append(Findings(readings, instances))
        return found

    def _instances(self, image: Image) -> Instances:
        canvas = letterbox(image, self._size).transpose(2, 0, 1)[None]
        outputs = self._networks.run("detect", np.ascontiguousarray(canvas))
        boxes, labels, scores, masks = outputs
        num_classes = len(self._trained.classes)
        if not ((labels >= 1) & (labels <= num_classes)).all():
            raise ModelError(
                f"the graph detect finds classes from {labels.min()} to {labels.max()}, but the "
                f"plate standard {self._trained.name} has {num_classes}"
            )
        boxes = boxes / fit_scale(image.shape, self._size)
        limits = np.array(image.shape[1::-1] * 2, np.float32)
        kept, polygons = [], []
        for index, (box, mask) in enumerate(zip(boxes, masks, strict=True)):
            polygon = outline(mask, box) if self._names[labels[index] - 1] else None
            if polygon is None:
                continue
            polygon = np.clip(polygon, 0, limits[:2])
            if (np.ptp(polygon, axis=0) >= _MIN_SIDE_PX).all():
                kept.append(index)
                polygons.append(polygon)
        inside = np.clip(boxes[kept], 0, limits).astype(np.float32).reshape(-1, 4)
        names = tuple(self._names[label - 1] for label in labels[kept])
        return Instances(names, scores[kept].astype(np.float32), inside, tuple(polygons))


def _names_in(standard: PlateStandard, trained: PlateStandard) -> tuple[str, ...]:
    """What one standard calls each class of another; empty where it has none such."""
    if standard.classes == trained.classes:
        return standard.classes
    own_boards = {layout.name: layout.label for layout in standard.layouts}
    names = {layout.label: own_boards.get(layout.name, "") for layout in trained.layouts}
    names |= {label: label for label in trained.group_labels if label in standard.group_labels}
    for character in trained.alphabet:
        known = character in standard.alphabet
        names[trained.label_of(character)] = standard.label_of(character) if known else ""
    return tuple(names.get(label, "") for label in trained.classes)


def outline(mask: Floats, box: NDArray[np.floating]) -> Floats | None:
    """The outline of what a mask shows of its box.

    Args:
        mask: (m, m) probabilities of the cells of the box.
        box: (x1, y1, x2, y2) pixels.

    Returns:
        (k, 2) pixels, k at least 3; None where no part of the mask is above one half.
    """
    x1, y1, x2, y2 = (float(value) for value in box)
    low = _GRID_A_CELL * mask.shape[0]
    columns, rows = (
        int(np.clip(np.ceil(_GRID_A_PX * side), low, _FINEST_GRID)) for side in (x2 - x1, y2 - y1)
    )
    grid = np.zeros((rows + 1, columns + 1), np.uint8)
    grid[:-1, :-1] = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_LINEAR) > 0.5
    # OpenCV traces the middles of the outermost cells. Each grown by one to the right and down,
    # those are where the edges of the cells were, on all sides.
    grown = cv2.dilate(grid, np.ones((2, 2), np.uint8), anchor=(1, 1))
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    contour = max(contours, key=cv2.contourArea)
    points = cv2.approxPolyDP(contour, _TOLERANCE, True)[:, 0]
    if len(points) < 3:
        return None
    steps = (x2 - x1) / columns, (y2 - y1) / rows
    return np.asarray(points * steps + (x1, y1), dtype=np.float32)
