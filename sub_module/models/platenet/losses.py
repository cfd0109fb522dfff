"""What platenet's three networks are trained to make small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# A target that no loss looks at.
IGNORED = -100


def heat_loss(logits_N1HW: Tensor, targets_N1HW: Tensor) -> Tensor:
    """Focal loss with fewer punishments near a centre (CornerNet, arXiv 1808.01244, equation 1).

    Args:
        logits_N1HW: Heat before the sigmoid.
        targets_N1HW: 1 at centres, a Gaussian round them, from 0 to 1.

    Returns:
        A scalar, per plate.
    """
    logits = logits_N1HW.float()
    heat = logits.sigmoid()
    is_centre = targets_N1HW == 1
    hit = F.logsigmoid(logits) * (1 - heat).square()
    miss = F.logsigmoid(-logits) * heat.square() * (1 - targets_N1HW).pow(4)
    return -torch.where(is_centre, hit, miss).sum() / is_centre.sum().clamp(min=1)


def corner_loss(predicted_N8HW: Tensor, targets_N8HW: Tensor, weights_N1HW: Tensor) -> Tensor:
    """Weighted mean distance of the detector's corners along x and y, in plate heights."""
    distance = (predicted_N8HW.float() - targets_N8HW).abs() * weights_N1HW
    return distance.sum() / (8 * (weights_N1HW > 0).sum()).clamp(min=1)


def offset_loss(predicted_N42: Tensor, targets_N42: Tensor, is_plate_N: Tensor) -> Tensor:
    """Smooth L1 of the refiner's corners in plate coordinates, over the crops with a plate."""
    distance = F.smooth_l1_loss(predicted_N42.float(), targets_N42, reduction="none", beta=0.02)
    per_crop = distance.mean((1, 2)) * is_plate_N
    return per_crop.sum() / is_plate_N.sum().clamp(min=1)


def classes_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy over the last axis; 0 where every target is ignored."""
    flat, wanted = logits.float().flatten(0, -2), targets.flatten()
    total = F.cross_entropy(flat, wanted, ignore_index=IGNORED, reduction="sum")
    return total / (wanted != IGNORED).sum().clamp(min=1)
