"""Weights out of files, which are untrusted, against those that a network has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sub_module.errors import ModelError


def check_weights(path: Path, weights: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> None:
    """Refuse weights that are not a network's own, name by name and shape by shape.

    Args:
        path: Where they are from, for the message.
        weights: Of the file.
        wanted: The network's state dict; it may be on the meta device.

    Raises:
        ModelError: One is missing, of another shape, or none of the network's; the message names
            the first, with the shapes found and wanted. Or they are not whole in the file.
    """
    for name in {**wanted, **weights}:
        if name not in weights:
            raise ModelError(f"{path}: has no {name}, which the model has")
        if name not in wanted:
            raise ModelError(f"{path}: has {name}, which the model has not")
        if not isinstance(weights[name], Tensor):
            raise ModelError(f"{path}: {name} is no tensor")
        found, own = tuple(weights[name].shape), tuple(wanted[name].shape)
        if found != own:
            raise ModelError(f"{path}: {name} is of shape {found}, the model's of {own}")
    _check_whole(path, weights)


def _check_whole(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Few bytes can be told to be a tensor of any shape; a model of that shape is many."""
    held: dict[int, int] = {}
    for name, tensor in weights.items():
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise ModelError(f"{path}: {name} is no plain tensor")
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
    told = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    if told > sum(held.values()):
        raise ModelError(f"{path}: tells of {told} bytes of weights, but has {sum(held.values())}")
