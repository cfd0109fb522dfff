"""Checkpoints to ONNX graphs."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from sub_module.engine.checkpoint import load_model, model_config_of
from sub_module.errors import ModelError
from sub_module.export.runtime import FORMAT, SETTINGS_FILE, checksum
from sub_module.files import appearing, write_json
from sub_module.models.base import PlateModel

# The TorchScript exporter: 0.5 s where the newer one takes 17 s, and a faster graph.
_OPSET = 17


class _Part(nn.Module):
    """One of a model's networks as a module of its own."""

    def __init__(self, model: PlateModel, name: str) -> None:
        super().__init__()
        self.model = model
        self.name = name

    def forward(self, images_NCHW: Tensor) -> Any:
        return getattr(self.model, self.name)(images_NCHW)


def export(checkpoint: Path, out: Path) -> None:
    """Write a checkpoint's model as ONNX graphs with settings; `out` appears at once.

    A model says which networks make a graph (`graph_examples`), each of which takes uint8 images.
    platenet has three: `detect.onnx` for whole images, `refine.onnx` for crops,
    `read.onnx` for strips. Between them stand perspective crops, which OpenCV cuts from the
    full-resolution image faster than a graph can copy it.

    Args:
        checkpoint: What training wrote.
        out: A directory that does not exist.

    Raises:
        ModelError: The checkpoint cannot be used, or `out` cannot be written.
    """
    model, model_config = load_model(checkpoint), model_config_of(checkpoint)
    try:
        with appearing(out) as partial:
            settings = {
                "format": FORMAT,
                "model": model_config,
                "standard": model.standard.to_config(),
                "classes": list(model.standard.classes),
                "graphs": {
                    name: _export_part(model, name, example, partial)
                    for name, example in model.graph_examples().items()
                },
            }
            write_json(partial / SETTINGS_FILE, settings)
    except OSError as error:
        raise ModelError(f"{out}: cannot write the model: {error.strerror or error}") from error


def _export_part(model: PlateModel, name: str, example: Tensor, out: Path) -> dict[str, str]:
    part = _Part(model, name).eval()
    with torch.no_grad():
        outputs = part(example)
    names = [f"output_{i}" for i in range(len(outputs) if isinstance(outputs, tuple) else 1)]
    # A graph that takes one image at a time still gives any number of rows.
    dynamic = names if len(example) == 1 else ["input", *names]
    path = out / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            part,
            (example,),
            str(path),
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input"],
            output_names=names,
            dynamic_axes={key: {0: "batch"} for key in dynamic},
        )
    onnx.checker.check_model(str(path), full_check=True)
    return {"file": path.name, "sha256": checksum(path.read_bytes())}
