"""mask_rcnn_swin: finds plates, text groups and every character as instances with masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from sub_module.models.base import PlateModel
from sub_module.models.mask_rcnn_swin.networks import SwinPyramid, build_roi_heads, build_rpn
from sub_module.models.mask_rcnn_swin.reading import canvas_size
from sub_module.models.mask_rcnn_swin.samples import InstanceTrainingSet, collate_samples
from sub_module.models.mask_rcnn_swin.settings import LOSSES, check_settings
from sub_module.models.registry import MODELS


@MODELS.register_module()
class MaskRCNNSwin(PlateModel):
    """Torchvision's Mask R-CNN over torchvision's Swin transformer with a feature pyramid.

    `detect` is the graph that a reader uses; `forward` is what mmengine's Runner calls.
    """

    def __init__(self, plates: Mapping[str, Any], **settings: Any) -> None:
        """Build with random weights.

        Args:
            plates: A plate standard's config.
            settings: `configs/models/mask_rcnn_swin_tiny.py` has each and explains it.

        Raises:
            ConfigError: One is missing, unknown, out of its range, or does not fit the others.
        """
        check_settings(settings)
        super().__init__(plates, settings)
        self.size = canvas_size(settings["input_size"])
        channels = settings["fpn_channels"]
        self.backbone = SwinPyramid(settings)
        self.rpn = build_rpn(channels, settings["anchors"], settings["proposals"])
        self.roi_heads = build_roi_heads(channels, 1 + len(self.standard.classes), settings)
        self._loss_weights = {name: float(settings["loss_weights"][name]) for name in LOSSES}

    def detect(self, images_NCHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Instances of one image (1, 3, height, width) uint8, best first.

        Returns:
            boxes (n, 4) x1 y1 x2 y2 pixels, labels (n,) from 1, scores (n,) and masks (n, 28, 28),
            the probability of each cell of the box.
        """
        features, images = self._features(images_NCHW)
        proposals, _ = self.rpn(images, features)
        (found,), _ = self.roi_heads(features, proposals, images.image_sizes)
        return found["boxes"], found["labels"], found["scores"], found["masks"][:, 0]

    def losses(self, **batch: Any) -> dict[str, Tensor]:
        """The weighted losses of what `collate_samples` joined, by torchvision's names."""
        targets = batch["targets"]
        features, images = self._features(batch["images"])
        proposals, losses = self.rpn(images, features, targets)
        _, of_heads = self.roi_heads(features, proposals, images.image_sizes, targets)
        losses = {**losses, **of_heads}
        return {name: losses[name] * weight for name, weight in self._loss_weights.items()}

    def _features(self, images_NCHW: Tensor) -> tuple[dict[str, Tensor], ImageList]:
        # Plain numbers, so that the exported graph has a fixed canvas.
        sizes = [self.size[::-1]] * len(images_NCHW)
        return self.backbone(images_NCHW), ImageList(images_NCHW, sizes)

    def training_set(self, coco_file: Path, settings: Mapping[str, Any]) -> InstanceTrainingSet:
        """Samples of a recorded set for `forward(mode="loss")`, joined by `collate`.

        Args:
            coco_file: As `record` wrote it.
            settings: `train.samples` of a config.

        Raises:
            DataError: The file cannot be used, or is of another plate standard.
            ConfigError: A setting is missing.
        """
        return InstanceTrainingSet(coco_file, self.standard, self.size, settings)

    @staticmethod
    def collate(samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """See `collate_samples`."""
        return collate_samples(samples)

    def graph_examples(self) -> dict[str, Tensor]:
        """An example input of `detect`: one image, for the number of its instances varies."""
        width, height = self.size
        return {"detect": torch.zeros(1, 3, height, width, dtype=torch.uint8)}

    def head_sizes(self) -> dict[str, tuple[int, int]]:
        """Classes of the box and the mask head, with the background."""
        wanted = 1 + len(self.standard.classes)
        heads: Any = self.roi_heads
        return {
            "classes": (heads.box_predictor.cls_score.out_features, wanted),
            "masks": (heads.mask_predictor.mask_fcn_logits.out_channels, wanted),
        }

    def load_backbone(self, path: Path) -> None:
        """Start from the weights of a torchvision SwinTransformer, such as `swin_t` on ImageNet.

        Args:
            path: A state dict as torchvision saves it; its classification head is not looked at.

        Raises:
            ModelError: It is no such file, or its shape is another; the message names the weight.
        """
        self.backbone.load_features(path)
