"""What a model finds in one image: readings, and the objects that they were put together from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.reading import PlateReading


@dataclass(frozen=True, eq=False)
class Instances:
    """Objects of one image, each with its outline.

    Attributes:
        labels: n classes of the plate standard: boards, groups and characters.
        scores: (n,) from 0 to 1.
        boxes_xyxy: (n, 4) float pixels of the original image.
        polygons: n outlines (k, 2), k at least 3, float pixels of the original image.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    polygons: tuple[NDArray[np.float32], ...]

    def __post_init__(self) -> None:
        n = len(self.labels)
        shapes = self.scores.shape, self.boxes_xyxy.shape, len(self.polygons)
        if shapes != ((n,), (n, 4), n):
            raise ValueError(f"{n} labels, but scores, boxes and polygons of shapes {shapes}")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Findings:
    """What a model says of one image.

    Attributes:
        readings: Best first.
        instances: None: the model finds plates whole, without masks of their parts.
    """

    readings: tuple[PlateReading, ...]
    instances: Instances | None = None
