"""What Triton's steps in Python share."""

from __future__ import annotations

import json
from pathlib import Path

from sub_module.export.runtime import OnnxDetector
from sub_module.plates.standards import load_standard

# Beside an exported model where it is to read other plates than it was trained for.
STANDARD_FILE = "standard.json"


def parameters_of(args: dict[str, str]) -> dict[str, str]:
    """The parameters of a model's `config.pbtxt`.

    Args:
        args: What Triton initializes a model with.
    """
    entries = json.loads(args["model_config"])["parameters"]
    return {key: entry["string_value"] for key, entry in entries.items()}


def model_dir_of(args: dict[str, str]) -> Path:
    """The exported model beside a step."""
    return Path(args["model_repository"], args["model_version"], "model")


def detector_of(args: dict[str, str]) -> OnnxDetector:
    """The exported model beside a step, loaded.

    Raises:
        ModelError: It cannot be used.
    """
    parameters, model_dir = parameters_of(args), model_dir_of(args)
    standard = model_dir.with_name(STANDARD_FILE)
    return OnnxDetector(
        model_dir,
        num_threads=int(parameters["threads"]),
        runtime=parameters["runtime"],
        precision=parameters["precision"],
        standard=load_standard(str(standard)) if standard.is_file() else None,
    )
