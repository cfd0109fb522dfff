"""What every peer does with an image: the same model and the same answers as ours."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from serving.predictor.answer import ImageAnswer
from sub_module.engine.infer import load_detector

# How the benchmark tells a peer what to serve.
MODEL_VARIABLE = "PLATEFLOW_PEER_MODEL"
# Of each graph: with two, every one of the peers was slower.
_THREADS = 1


def peer_environment(model_dir: Path) -> dict[str, str]:
    """What an `ImageReader` wants to find in its environment.

    Args:
        model_dir: The exported model to serve.
    """
    return {MODEL_VARIABLE: str(model_dir.resolve())}


class ImageReader:
    """Bytes of an image to the answer, as anyone would write it."""

    def __init__(self) -> None:
        """Load the model that the environment names."""
        model_dir = Path(os.environ[MODEL_VARIABLE])
        self._detector = load_detector(model_dir, _THREADS)
        self._model = {"name": "plateflow", "version": model_dir.name}

    def read(self, data: bytes) -> dict[str, Any]:
        """The answer to one image, as `ImageAnswer.to_dict`."""
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
        height, width = pixels.shape[:2]
        readings = tuple(self._detector.predict([pixels])[0])
        return ImageAnswer(width, height, readings, self._model, {}).to_dict()
