"""Triton's last step: what the detector found to readings.

Runs in Triton's Python backend, in a process of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as triton
from numpy.typing import NDArray

from serving.predictor.answer import ImageAnswer
from serving.predictor.images import in_full_size
from serving.triton.frame import Frame
from serving.triton.model import detector_of, model_dir_of, parameters_of
from sub_module.export.runtime import read_settings
from sub_module.models.reader import Networks, build_reader

Array = NDArray[Any]


class _AfterDetector:
    """A model's graphs, of which the detector's has been run already."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self.detected: tuple[Array, ...] = ()

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        return self.detected if graph == "detect" else self._networks.run(graph, inputs)


class TritonPythonModel:
    """Reads the images of all requests that wait."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the model."""
        # Threads of OpenCV's own would take the cores from the other steps.
        cv2.setNumThreads(1)
        settings = read_settings(model_dir_of(args))
        detector = detector_of(args)
        self._networks = _AfterDetector(detector.networks)
        self._reader = build_reader(
            settings["model"], detector.standard, self._networks, detector.trained
        )
        self._model = {
            "name": parameters_of(args)["model_name"],
            "version": detector.version,
            "standard": detector.standard.name,
        }
        config = json.loads(args["model_config"])
        self._detected = [entry["name"] for entry in config["input"][2:]]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with one JSON text an image."""
        rows = [_row(request, ["pixels", "frame", *self._detected]) for request in requests]
        pixels, frame_rows, *detected = zip(*rows, strict=True)
        self._networks.detected = tuple(np.concatenate(parts) for parts in detected)
        frames = [Frame.from_row(row) for row in np.concatenate(frame_rows)]
        images = [frame.image(row) for frame, row in zip(frames, chain(*pixels), strict=True)]
        found = self._reader.find([image.pixels for image in images])
        now = time.monotonic()
        answers = [
            ImageAnswer(
                width=image.width,
                height=image.height,
                readings=tuple(in_full_size(reading, image) for reading in findings.readings),
                model=self._model,
                # From the decoded image on, whatever waited for what.
                timings_ms={"decode": frame.decode_ms, "read": 1e3 * (now - frame.decoded_at)},
            )
            for image, findings, frame in zip(images, found, frames, strict=True)
        ]
        texts = np.array([[json.dumps(answer.to_dict()).encode()] for answer in answers], object)
        ends = np.cumsum([len(row[0]) for row in rows])
        return [
            triton.InferenceResponse([triton.Tensor("readings", part)])
            for part in np.split(texts, ends[:-1])
        ]


def _row(request: Any, names: Sequence[str]) -> list[Array]:
    return [triton.get_input_tensor_by_name(request, name).as_numpy() for name in names]
