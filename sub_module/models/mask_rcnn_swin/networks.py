"""Torchvision's Mask R-CNN over torchvision's Swin transformer, in parts that a config sizes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

from sub_module.errors import ConfigError, ModelError
from sub_module.models.mask_rcnn_swin.heads import InstanceHeads
from sub_module.models.weights import check_weights

# Stages of a Swin transformer, levels of the pyramid.
NUM_LEVELS = 4
_PATCH_PX = 4
# Of ImageNet, which pretrained backbones saw.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_BOX_CELLS = 7
_MASK_CELLS = 14
_GROUPS = 8
# Without pretrained weights, and with few images a step, it learns faster so.
_norm = partial(nn.GroupNorm, _GROUPS)


class SwinPyramid(nn.Module):
    """Images to feature maps at strides 4, 8, 16 and 32.

    `features` has the names of torchvision's SwinTransformer, so its weights fit.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Build with random weights.

        Args:
            settings: `model` of a config, in which `check_settings` finds no fault.

        Raises:
            ConfigError: The numbers do not fit each other.
        """
        super().__init__()
        embed_dim, out_channels = settings["embed_dim"], settings["fpn_channels"]
        depths, num_heads = list(settings["depths"]), list(settings["num_heads"])
        if not len(depths) == len(num_heads) == NUM_LEVELS:
            raise ConfigError(f"model.depths and model.num_heads: {NUM_LEVELS} numbers each")
        widths = [embed_dim * 2**stage for stage in range(NUM_LEVELS)]
        if any(width % heads for width, heads in zip(widths, num_heads, strict=True)):
            raise ConfigError(
                f"model.num_heads: {num_heads} do not divide the stages' widths {widths}"
            )
        if out_channels % _GROUPS:
            raise ConfigError(f"model.fpn_channels: {out_channels} is no multiple of {_GROUPS}")
        swin = SwinTransformer(
            patch_size=[_PATCH_PX, _PATCH_PX],
            embed_dim=embed_dim,
            depths=depths,
            num_heads=num_heads,
            window_size=[settings["swin_window_size"]] * 2,
            mlp_ratio=settings["swin_mlp_ratio"],
            dropout=settings["swin_drop_rate"],
            stochastic_depth_prob=settings["drop_path"],
        )
        # Its classification head stays behind: weights that no loss reaches stop parallel training.
        self.features = swin.features
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.pyramid = FeaturePyramidNetwork(widths, out_channels, norm_layer=_norm)
        self.register_buffer("mean", 255 * torch.tensor(_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(_STD).view(3, 1, 1), persistent=False)

    def forward(self, images_NCHW: Tensor) -> dict[str, Tensor]:
        """Feature maps (N, channels, h, w) in float32 by level, of uint8 RGB images.

        Boxes are computed in the type of these maps, and 8 bits of mantissa hold no coordinates,
        so they are float32 under autocast too.
        """
        x = (images_NCHW.float() - self.mean) / self.std
        levels: dict[str, Tensor] = {}
        for index, layer in enumerate(self.features):
            x = layer(x)
            # Patch embedding or merging and a stage in turn.
            if index % 2:
                level = index // 2
                levels[str(level)] = self.norms[level](x).permute(0, 3, 1, 2).contiguous()
        return {name: level.float() for name, level in self.pyramid(levels).items()}

    def load_features(self, path: Path) -> None:
        """Take the weights of a torchvision SwinTransformer of the same shape from a file.

        Raises:
            ModelError: It is no such file, or a weight does not fit; the message names the first.
        """
        weights = _state_dict(path)
        own = {f"features.{key}": value for key, value in self.features.state_dict().items()}
        features = {key: value for key, value in weights.items() if key.startswith("features.")}
        check_weights(path, features, own)
        self.load_state_dict(features, strict=False)


def _state_dict(path: Path) -> dict[str, Tensor]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in torch, zipfile or pickle, each its way
        raise ModelError(f"{path}: damaged, or no file of weights") from error
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ModelError(f"{path}: no state dict of a Swin transformer")
    return content


def build_rpn(
    channels: int, anchors: Mapping[str, Any], proposals: Mapping[str, Any]
) -> RegionProposalNetwork:
    """The network that proposes boxes; `model.anchors` and `model.proposals` of a config.

    Raises:
        ConfigError: The anchors do not fit the pyramid.
    """
    sizes, ratios = anchors["sizes"], anchors["ratios"]
    if len(sizes) != NUM_LEVELS or len({len(level) for level in sizes}) != 1 or not sizes[0]:
        raise ConfigError(
            f"model.anchors.sizes: {NUM_LEVELS} lists, one a level, of equally many sizes each"
        )
    if not ratios:
        raise ConfigError("model.anchors.ratios: at least one")
    generator = AnchorGenerator(
        tuple(tuple(level) for level in sizes), (tuple(ratios),) * NUM_LEVELS
    )
    return RegionProposalNetwork(
        generator,
        RPNHead(channels, generator.num_anchors_per_location()[0]),
        fg_iou_thresh=proposals["positive_iou"],
        bg_iou_thresh=proposals["negative_iou"],
        batch_size_per_image=proposals["samples"],
        positive_fraction=0.5,
        pre_nms_top_n={
            "training": proposals["before_nms_train"],
            "testing": proposals["before_nms_test"],
        },
        post_nms_top_n={
            "training": proposals["after_nms_train"],
            "testing": proposals["after_nms_test"],
        },
        nms_thresh=proposals["overlap"],
    )


def build_roi_heads(channels: int, num_classes: int, settings: Mapping[str, Any]) -> InstanceHeads:
    """The heads that look at proposals; `model.box_head`, `.mask_head`, `.detections`.

    Args:
        channels: Of the pyramid.
        num_classes: With the background.
        settings: `box_head` says what is in a box and where exactly, `mask_head` which of its
            pixels, `detections` which of them are given.
    """
    box_head, mask_head = settings["box_head"], settings["mask_head"]
    detections = settings["detections"]
    levels = [str(level) for level in range(NUM_LEVELS)]
    mask_widths = [mask_head["channels"]] * mask_head["num_convs"]
    return InstanceHeads(
        mask_pool=MultiScaleRoIAlign(levels, _MASK_CELLS, sampling_ratio=2),
        mask_head=MaskRCNNHeads(channels, mask_widths, 1),
        mask_predictor=MaskRCNNPredictor(mask_widths[-1], mask_head["channels"], num_classes),
        box_roi_pool=MultiScaleRoIAlign(levels, _BOX_CELLS, sampling_ratio=2),
        box_head=FastRCNNConvFCHead(
            (channels, _BOX_CELLS, _BOX_CELLS),
            [channels] * box_head["num_convs"],
            [box_head["width"]],
            norm_layer=_norm,
        ),
        box_predictor=FastRCNNPredictor(box_head["width"], num_classes),
        fg_iou_thresh=0.5,
        bg_iou_thresh=0.5,
        batch_size_per_image=box_head["samples"],
        positive_fraction=box_head["positive_share"],
        bbox_reg_weights=None,
        score_thresh=detections["min_score"],
        nms_thresh=detections["overlap"],
        detections_per_img=detections["max_number"],
    )
