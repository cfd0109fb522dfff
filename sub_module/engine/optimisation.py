"""How weights move: optimizer, precision and learning rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from sub_module.errors import ConfigError


class Bfloat16OptimWrapper(OptimWrapper):  # type: ignore[misc]
    """Runs the forward pass in bfloat16, on a CPU too (mmengine's own wrapper wants a GPU)."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Called by the Runner round the forward pass."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, torch.bfloat16):
            yield


def optimisation(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the Runner takes as `optim_wrapper`.

    Args:
        settings: `train` of a config.

    Raises:
        ConfigError: This machine does not compute in the precision.
    """
    return {
        **_precision(settings["precision"]),
        "optimizer": {
            "type": "AdamW",
            "lr": settings["lr"],
            "weight_decay": settings["weight_decay"],
        },
        "clip_grad": {"max_norm": settings["max_grad_norm"]},
        "accumulative_counts": settings["accumulate"],
    }


def _precision(setting: str) -> dict[str, Any]:
    if setting == "float16":
        if not torch.cuda.is_available():
            raise ConfigError("train.precision: float16 needs a GPU; use bfloat16, float32 or auto")
        # Its loss is scaled, for float16 has no small numbers.
        return {"type": AmpOptimWrapper, "dtype": "float16"}
    return {"type": Bfloat16OptimWrapper if _uses_bfloat16(setting) else OptimWrapper}


def _uses_bfloat16(setting: str) -> bool:
    """Whether to: `auto` only where the hardware computes in it."""
    if setting != "auto":
        return setting == "bfloat16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # Elsewhere torch accepts bfloat16 too, but computes it slowly in float32.
    return bool(torch.cpu._is_avx512_bf16_supported())


def schedule(settings: Mapping[str, Any], num_iters: int) -> list[dict[str, Any]]:
    """What the Runner takes as `param_scheduler`: a linear warm-up, then a cosine to `final_lr`."""
    warm_up = min(settings["warm_up_iters"], num_iters // 4)
    cosine = {
        "type": "CosineAnnealingLR",
        "by_epoch": False,
        "begin": warm_up,
        "end": num_iters,
        "T_max": num_iters - warm_up,
        "eta_min": settings["lr"] * settings["final_lr"],
    }
    if not warm_up:
        return [cosine]
    start = settings["first_lr"]
    return [
        {"type": "LinearLR", "by_epoch": False, "start_factor": start, "end": warm_up},
        cosine,
    ]
