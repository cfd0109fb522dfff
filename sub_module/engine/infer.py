"""The one interface of every model that reads plates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import ModelError
from sub_module.export.runtime import AUTO, FLOAT32, SETTINGS_FILE, OnnxDetector
from sub_module.models.reader import Reader
from sub_module.plates import PlateReading, PlateStandard

# The trained model that comes with Plateflow.
SHIPPED_MODEL = Path(__file__).resolve().parents[2] / "models" / "platenet-kr"


class Detector(Reader, Protocol):
    """A model that reads plates in whole images."""

    @property
    def standard(self) -> PlateStandard:
        """The plates that it reads."""

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        """The readings of `find`: for each image, best first."""


def model_in_use(home: Path) -> Path:
    """The model to read with when none is named: the deployed one, else the one that ships.

    Args:
        home: `PLATEFLOW_HOME`.
    """
    deployed = home / "models" / "current"
    # A link to a model that is gone is a fault to report, not to pass over.
    return deployed if deployed.exists() or deployed.is_symlink() else SHIPPED_MODEL


def load_detector(
    path: Path,
    num_threads: int = 2,
    runtime: str = "onnxruntime",
    precision: str = FLOAT32,
    standard: PlateStandard | None = None,
) -> Detector:
    """Load a model to read with.

    Args:
        path: A checkpoint, the directory of an exported model, or that directory's settings file.
        num_threads: CPU threads that it may use.
        runtime: Of an exported model: one of `export.engines.RUNTIMES`. torch reads checkpoints,
            on a GPU where there is one, and nothing else does.
        precision: Of an exported model: `float32`, a variant that it has, or `auto`, the fastest of
            those. A checkpoint is read with in float32.
        standard: The plates to read; None: those that the model was trained for.

    Raises:
        ModelError: There is no such model, it is damaged, or not of this software; the runtime is
            not installed, or cannot read such a model; the model lacks a layout or a character of
            the standard.
    """
    if path.is_dir() or path.name == SETTINGS_FILE:
        model_dir = path if path.is_dir() else path.parent
        if runtime == "torch":
            raise ModelError(f"{model_dir}: an exported model, and torch reads checkpoints only")
        return OnnxDetector(model_dir, num_threads, runtime, precision, standard)
    # Importing torch takes seconds, which reading with an exported model does not need.
    import torch

    from sub_module.engine.checkpoint import load_model

    torch.set_num_threads(num_threads)
    model = load_model(path)
    if precision not in (FLOAT32, AUTO):
        raise ModelError(f"{path}: a checkpoint has no precision {precision!r}; export it first")
    if standard is not None:
        model.read_as(standard)
    if torch.cuda.is_available():
        model.cuda()
    return model
