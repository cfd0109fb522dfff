"""What every model family has in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.model import BaseModel
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from sub_module.plates import PlateReading, PlateStandard


class PlateModel(BaseModel):  # type: ignore[misc]
    """A model that mmengine's Runner trains, `export` writes as graphs, and that reads plates.

    `forward(mode="loss", **batch)` takes what `collate` joined and gives losses by name;
    `forward(mode="predict", images=..., image_ids=...)` gives dicts of image_id and readings.

    Attributes:
        standard: The plates that it reads.
    """

    standard: PlateStandard

    @property
    @abstractmethod
    def categories(self) -> tuple[str, ...]:
        """The classes that it detects as boxes, which mAP is taken over."""

    @abstractmethod
    def training_set(self, coco_file: Path, settings: Mapping[str, Any]) -> Dataset[Any]:
        """Samples of a recorded set; `settings` is `train.samples` of a config.

        Raises:
            DataError: The file cannot be used, or is of another plate standard.
        """

    @staticmethod
    @abstractmethod
    def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Several samples as one batch."""

    @abstractmethod
    def graph_examples(self) -> dict[str, Tensor]:
        """An example input for each method that makes an ONNX graph, by its name."""

    @abstractmethod
    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        """Read images, each (H, W, 3) RGB uint8; for each its readings, best first."""
