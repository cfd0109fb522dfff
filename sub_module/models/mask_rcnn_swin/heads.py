"""Torchvision's heads of a Mask R-CNN, taught with masks that know no pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import RoIHeads, maskrcnn_inference
from torchvision.ops import MultiScaleRoIAlign, roi_align

Sizes = Sequence[tuple[int, int]]


class InstanceHeads(RoIHeads):  # type: ignore[misc]
    """`RoIHeads` whose targets give each mask in the frame of its own box.

    Torchvision wants masks as large as the canvas. There a character's stroke is one or two pixels
    wide, so the 28x28 cells that its box is divided into learn steps, not outlines; and twenty
    canvases an image are more than the image itself.
    """

    def __init__(
        self,
        mask_pool: MultiScaleRoIAlign,
        mask_head: nn.Module,
        mask_predictor: nn.Module,
        **of_boxes: Any,
    ) -> None:
        """Put the heads together.

        Args:
            mask_pool: Cuts what the mask head looks at.
            mask_head: Its convolutions.
            mask_predictor: From those to a mask for each class.
            of_boxes: What `RoIHeads` takes for boxes.
        """
        super().__init__(**of_boxes)
        # Torchvision's own branch stays off: it goes by `mask_roi_pool`.
        self.mask_pool = mask_pool
        self.mask_head = mask_head
        self.mask_predictor = mask_predictor
        self._samples: tuple[list[Tensor], list[Tensor], list[Tensor]] = ([], [], [])

    def forward(
        self,
        features: Mapping[str, Tensor],
        proposals: list[Tensor],
        image_shapes: Sizes,
        targets: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Instances of each image, or in training the losses.

        Args:
            features: By level of the pyramid.
            proposals: Boxes of each image.
            image_shapes: (height, width) of each canvas.
            targets: In training, of each image boxes (n, 4), labels (n,) and masks (n, s, s): 1
                where a cell of the box belongs to the instance.
        """
        found, losses = super().forward(features, proposals, image_shapes, targets)
        if targets is not None and self.training:
            losses["loss_mask"] = self._mask_loss(features, image_shapes, targets)
            return found, losses
        logits = self._mask_logits(features, [image["boxes"] for image in found], image_shapes)
        masks = maskrcnn_inference(logits, [image["labels"] for image in found])
        for image, of_image in zip(found, masks, strict=True):
            image["masks"] = of_image
        return found, losses

    def select_training_samples(self, proposals: list[Tensor], targets: Any) -> Any:
        """Torchvision's, which the loss of the masks needs too."""
        samples = super().select_training_samples(proposals, targets)
        self._samples = samples[:3]
        return samples

    def _mask_logits(
        self, features: Mapping[str, Tensor], boxes: list[Tensor], image_shapes: Sizes
    ) -> Tensor:
        pooled = self.mask_pool(features, boxes, image_shapes)
        logits: Tensor = self.mask_predictor(self.mask_head(pooled))
        return logits

    def _mask_loss(
        self,
        features: Mapping[str, Tensor],
        image_shapes: Sizes,
        targets: Sequence[Mapping[str, Tensor]],
    ) -> Tensor:
        boxes, wanted, classes = [], [], []
        for proposals, matches, labels, target in zip(*self._samples, targets, strict=True):
            positive = torch.where(labels > 0)[0]
            boxes.append(proposals[positive])
            classes.append(labels[positive])
            wanted.append((target, matches[positive]))
        self._samples = ([], [], [])
        logits = self._mask_logits(features, boxes, image_shapes)
        if not len(logits):
            # Still a part of the graph: parallel training waits for every weight's gradient.
            return logits.sum() * 0
        cells = logits.shape[-1]
        masks = [
            masks_in_boxes(target, matches, of_image, cells)
            for (target, matches), of_image in zip(wanted, boxes, strict=True)
        ]
        rows = torch.arange(len(logits), device=logits.device)
        return F.binary_cross_entropy_with_logits(
            logits[rows, torch.cat(classes)].float(), torch.cat(masks)
        )


def masks_in_boxes(
    target: Mapping[str, Tensor], matches: Tensor, boxes: Tensor, cells: int
) -> Tensor:
    """What of each box belongs to an instance.

    Args:
        target: boxes (n, 4) of the instances, and masks (n, s, s) in the frames of those.
        matches: (k,) the instance that each box is about.
        boxes: (k, 4) in the same pixels as the instances' boxes.
        cells: Into which a box is divided, each way.

    Returns:
        (k, cells, cells) float32 from 0 to 1.
    """
    if not len(boxes):
        return boxes.new_zeros(0, cells, cells)
    masks = target["masks"][:, None].float()
    own = target["boxes"][matches]
    origin, sides = own[:, :2].repeat(1, 2), (own[:, 2:] - own[:, :2]).repeat(1, 2)
    framed = (boxes.float() - origin) / sides * masks.shape[-1]
    rois = torch.cat((matches[:, None].float(), framed), 1)
    cut: Tensor = roi_align(masks, rois, cells, sampling_ratio=2)
    return cut[:, 0]
