"""Reading with an exported model: ONNX graphs and the settings beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sub_module.errors import ModelError, PlateflowError
from sub_module.models.platenet.inputs import InputSizes
from sub_module.models.platenet.reading import PlateNetReader
from sub_module.plates import PlateReading, PlateStandard

SETTINGS_FILE = "settings.json"
FORMAT = 1
Array = NDArray[Any]


class OnnxDetector:
    """An exported model on onnxruntime's CPU provider."""

    def __init__(self, model_dir: Path, num_threads: int = 2) -> None:
        """Load settings and graphs.

        Args:
            model_dir: What `export` wrote.
            num_threads: Threads of each graph.

        Raises:
            ModelError: A file is missing or damaged, or made by another format.
        """
        settings = read_settings(model_dir)
        try:
            self.standard = PlateStandard.from_config(settings["standard"])
            sizes = InputSizes.from_config(settings["model"]["sizes"])
            self.networks = OnnxNetworks(model_dir, settings["graphs"], num_threads)
            reading = settings["model"]["reading"]
            self._reader = PlateNetReader(self.standard, sizes, self.networks, **reading)
        except ModelError:
            raise
        except (PlateflowError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelError(f"{model_dir / SETTINGS_FILE}: unusable ({reason})") from error

    @property
    def categories(self) -> tuple[str, ...]:
        """Boards: the classes that it detects as boxes."""
        return self.standard.board_labels

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        """Read images, each (H, W, 3) RGB uint8; for each its readings, best first."""
        return self._reader.read(images)


class OnnxNetworks:
    """platenet's networks on arrays (see `sub_module.models.platenet.reading.Networks`)."""

    def __init__(self, model_dir: Path, graphs: dict[str, Any], num_threads: int) -> None:
        """Load the graphs `detect`, `refine` and `read`."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        # Threads of one graph that wait for its next run would take the cores from the others.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        names = ("detect", "refine", "read")
        self._sessions = {name: _session(model_dir, graphs[name], options) for name in names}

    def detect(self, images: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        return self._run("detect", images)

    def refine(self, crops: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        return self._run("refine", crops)

    def read(self, strips: Array) -> Array:
        """See `Networks`."""
        return self._run("read", strips)[0]

    def _run(self, name: str, array: Array) -> tuple[Array, ...]:
        return tuple(self._sessions[name].run(None, {"input": array}))


def read_settings(model_dir: Path) -> dict[str, Any]:
    """The settings beside an exported model's graphs.

    Raises:
        ModelError: They are missing, damaged, or of another format.
    """
    path = model_dir / SETTINGS_FILE
    try:
        settings = json.loads(path.read_bytes())
        found = settings["format"]
        complete = {"graphs", "standard", "model"} <= settings.keys()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; no exported model there") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path}: damaged, or no settings of an exported model") from error
    if found != FORMAT or not complete:
        raise ModelError(f"{path}: settings of format {found}, not {FORMAT}, or incomplete")
    return dict(settings)


def _session(
    model_dir: Path, graph: dict[str, str], options: onnxruntime.SessionOptions
) -> onnxruntime.InferenceSession:
    path = model_dir / Path(graph["file"]).name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != graph["sha256"]:
        raise ModelError(f"{path}: damaged: its checksum is not the one in {SETTINGS_FILE}")
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no better base
        reason = str(error).splitlines()[0]
        raise ModelError(f"{path}: onnxruntime cannot load it: {reason}") from error
