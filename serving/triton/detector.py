"""Triton's second step where it has no onnxruntime backend: the detector's graph, on batches.

Runs in Triton's Python backend, in a process of its own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as triton

from serving.triton.model import detector_of


class TritonPythonModel:
    """Runs the graph on the canvases of all requests that wait."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph, and run it once."""
        config = json.loads(args["model_config"])
        self._input = config["input"][0]["name"]
        self._outputs = [entry["name"] for entry in config["output"]]
        self._networks = detector_of(args).networks
        shape = [int(size) for size in config["input"][0]["dims"]]
        self._networks.run("detect", np.zeros((1, *shape), np.uint8))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with its rows of the batch's outputs."""
        canvases = [
            triton.get_input_tensor_by_name(request, self._input).as_numpy() for request in requests
        ]
        outputs = self._networks.run("detect", np.concatenate(canvases))
        ends = np.cumsum([len(canvas) for canvas in canvases])
        parts = [np.split(output, ends[:-1]) for output in outputs]
        return [
            triton.InferenceResponse(
                [triton.Tensor(name, part) for name, part in zip(self._outputs, row, strict=True)]
            )
            for row in zip(*parts, strict=True)
        ]
