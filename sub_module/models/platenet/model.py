"""platenet: finds plates and their corners, rectifies each, and reads its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sub_module.models.base import PlateModel
from sub_module.models.platenet.inputs import InputSizes
from sub_module.models.platenet.losses import classes_loss, corner_loss, heat_loss, offset_loss
from sub_module.models.platenet.networks import ColumnReader, CornerRefiner, PlateDetector
from sub_module.models.platenet.sample_settings import check_samples
from sub_module.models.platenet.samples import PlateTrainingSet, collate_samples
from sub_module.models.registry import MODELS


@MODELS.register_module()
class PlateNet(PlateModel):
    """The three networks together, trained in one go.

    `detect`, `refine` and `read` are the networks as a reader uses them.
    """

    def __init__(
        self,
        plates: Mapping[str, Any],
        sizes: Mapping[str, Any],
        widths: Mapping[str, int],
        reading: Mapping[str, Any],
        loss_weights: Mapping[str, float],
    ) -> None:
        """Build with random weights.

        Args:
            plates: A plate standard's config.
            sizes: `InputSizes` by name.
            widths: Base channels of `detector`, `refiner` and `reader`.
            reading: What `PlateNetReader` is told.
            loss_weights: For `heat`, `corners`, `offsets`, `layouts`, `is_plate`, `columns`.
        """
        super().__init__(plates, {"sizes": sizes, "reading": reading})
        self.sizes = InputSizes.from_config(sizes)
        self.detector = PlateDetector(widths["detector"])
        self.refiner = CornerRefiner(widths["refiner"], len(self.standard.layouts), self.sizes.crop)
        self.column_reader = ColumnReader(
            widths["reader"], len(self.standard.alphabet), self.sizes.strip[1]
        )
        self._loss_weights = dict(loss_weights)
        # Channels beside one another: convolutions in bfloat16 train a tenth faster on a CPU.
        self.to(memory_format=torch.channels_last)

    def detect(self, images_NCHW: Tensor) -> tuple[Tensor, Tensor]:
        """Peaks (N, 1, h, w): probability where a cell is a local maximum, else 0; and corner
        offsets (N, 8, h, w) in strides."""
        logits, corners = self.detector(images_NCHW)
        heat = logits.sigmoid()
        return heat * (F.max_pool2d(heat, 3, 1, 1) == heat), corners

    def refine(self, crops_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Corner offsets (N, 4, 2), layout probabilities (N, L), plate probability (N, 1)."""
        offsets, layouts, is_plate = self.refiner(crops_NCHW)
        return offsets, layouts.softmax(1), is_plate.sigmoid()

    def read(self, strips_NCHW: Tensor) -> Tensor:
        """Column probabilities (N, T, 1 + A)."""
        return torch.softmax(self.column_reader(strips_NCHW), dim=2)

    def losses(self, **batch: Tensor) -> dict[str, Tensor]:
        """The weighted losses of what `collate_samples` joined."""
        heat, corners = self.detector(batch["images"])
        offsets, layouts, is_plate = self.refiner(batch["crops"])
        columns = self.column_reader(batch["strips"])
        with_plate = batch["is_plate"]
        plate_loss = F.binary_cross_entropy_with_logits(is_plate[:, 0].float(), with_plate)
        losses = {
            "heat": heat_loss(heat, batch["heat"]),
            "corners": corner_loss(corners, batch["corners"], batch["corner_weights"]),
            "offsets": offset_loss(offsets, batch["offsets"], with_plate),
            "layouts": classes_loss(layouts, batch["layouts"]),
            "is_plate": plate_loss,
            "columns": classes_loss(columns, batch["labels"]),
        }
        return {f"loss_{name}": loss * self._loss_weights[name] for name, loss in losses.items()}

    def training_set(self, coco_file: Path, settings: Mapping[str, Any]) -> PlateTrainingSet:
        """Samples of a recorded set for `losses`, joined by `collate`.

        Args:
            coco_file: As `record` wrote it.
            settings: `train.samples` of a config.

        Raises:
            DataError: The file cannot be used, or is of another plate standard.
            ConfigError: A setting is missing, unknown or out of its range.
        """
        check_samples(settings)
        return PlateTrainingSet(coco_file, self.standard, self.sizes, settings)

    @staticmethod
    def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """See `collate_samples`."""
        return collate_samples(samples)

    def graph_examples(self) -> dict[str, Tensor]:
        """An example input for each of the networks that make a graph of their own."""

        def images(channels: int, size: tuple[int, int]) -> Tensor:
            # Two, so that no exporter takes the batch for a constant 1.
            return torch.zeros(2, channels, size[1], size[0], dtype=torch.uint8)

        return {
            "detect": images(3, self.sizes.detector),
            "refine": images(3, self.sizes.crop),
            "read": images(1, self.sizes.strip),
        }

    def head_sizes(self) -> dict[str, tuple[int, int]]:
        """Layouts of the refiner, characters and the blank of the reader."""
        # The refiner's other outputs are four corners and the plate's probability.
        layouts = self.refiner.head.out_features - 9
        characters = self.column_reader.classify.out_channels
        return {
            "layouts": (layouts, len(self.standard.layouts)),
            "characters": (characters, 1 + len(self.standard.alphabet)),
        }
