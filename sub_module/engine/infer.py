"""The one interface of every model that reads plates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sub_module.export.runtime import SETTINGS_FILE, OnnxDetector
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


def load_detector(path: Path, num_threads: int = 2) -> Detector:
    """Load a model to read with.

    Args:
        path: A checkpoint, the directory of an exported model, or that directory's settings file.
        num_threads: CPU threads that it may use.

    Raises:
        ModelError: There is no such model, it is damaged, or not of this software.
    """
    if path.is_dir():
        return OnnxDetector(path, num_threads)
    if path.name == SETTINGS_FILE:
        return OnnxDetector(path.parent, num_threads)
    # Importing torch takes seconds, which reading with an exported model does not need.
    import torch

    from sub_module.engine.checkpoint import load_model

    torch.set_num_threads(num_threads)
    model = load_model(path)
    if torch.cuda.is_available():
        model.cuda()
    return model
