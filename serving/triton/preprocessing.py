"""Triton's first step: bytes of images to pixels, and to what the detector looks at.

Runs in Triton's Python backend, in a process of its own.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import triton_python_backend_utils as triton

from serving.predictor.errors import RequestError, TooLargeError
from serving.predictor.images import DecodedImage, decode
from serving.triton.frame import Frame, pack
from serving.triton.model import parameters_of
from sub_module.datasets.letterbox import letterbox


class TritonPythonModel:
    """Decodes and letterboxes."""

    def initialize(self, args: dict[str, str]) -> None:
        """Take the parameters of `config.pbtxt`."""
        # Threads of OpenCV's own would take the cores from the other steps.
        cv2.setNumThreads(1)
        parameters = parameters_of(args)
        self._size = int(parameters["width"]), int(parameters["height"])
        self._max_megapixels = float(parameters["max_megapixels"])
        self._decode_pixels = int(parameters["decode_pixels"]) or None
        self._max_images = int(parameters["max_images"])
        # The ensemble knows the tensors by the names of the graph.
        self._canvas = json.loads(args["model_config"])["output"][0]["name"]

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Answer each request with its images, or with what is wrong with one of them."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        files = triton.get_input_tensor_by_name(request, "image").as_numpy()
        try:
            images, frames = self._decode(list(files))
        except RequestError as error:
            code = triton.TritonError.INVALID_ARG
            return triton.InferenceResponse(error=triton.TritonError(str(error), code))
        canvases = [letterbox(image.pixels, self._size).transpose(2, 0, 1) for image in images]
        return triton.InferenceResponse(
            [
                triton.Tensor(self._canvas, np.stack(canvases)),
                triton.Tensor("pixels", pack([image.pixels for image in images])),
                triton.Tensor("frame", np.stack([frame.row() for frame in frames])),
            ]
        )

    def _decode(self, files: list[bytes]) -> tuple[list[DecodedImage], list[Frame]]:
        if not files:
            raise RequestError("no image in the request")
        if len(files) > self._max_images:
            raise TooLargeError(f"{len(files)} images in one request; at most {self._max_images}")
        images: list[DecodedImage] = []
        frames: list[Frame] = []
        largest = 0
        for n, file in enumerate(files):
            begin = time.monotonic()
            try:
                image = decode(_bytes_of(file), self._max_megapixels, self._decode_pixels)
            except RequestError as error:
                if len(files) == 1:
                    raise
                raise type(error)(f"image {n}: {error}") from error
            # The pixels of a request go to the next step at once, each in as much room as the
            # largest.
            largest = max(largest, image.pixels.size // 3)
            if largest * len(files) > self._max_megapixels * 1e6:
                raise TooLargeError(
                    f"{len(files)} images of up to {largest / 1e6:.1f} megapixels in one request; "
                    f"at most {self._max_megapixels:g} megapixels in all"
                )
            now = time.monotonic()
            images.append(image)
            frames.append(Frame.of(image, 1e3 * (now - begin), now))
        return images, frames


def _bytes_of(file: bytes) -> bytes:
    """An image's bytes; as JSON holds text only, base64 is taken too, which no image looks like."""
    try:
        return base64.b64decode(file, validate=True)
    except binascii.Error:
        return file
