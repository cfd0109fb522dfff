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
from sub_module.models.reader import build_reader, graph_names
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.instances import Findings

SETTINGS_FILE = "settings.json"
FORMAT = 1
Array = NDArray[Any]


class OnnxDetector:
    """An exported model of any family on onnxruntime's CPU provider."""

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
            graphs = {name: settings["graphs"][name] for name in graph_names(settings["model"])}
            self.networks = OnnxNetworks(model_dir, graphs, num_threads)
            self._reader = build_reader(settings["model"], self.standard, self.networks)
        except ModelError:
            raise
        except (PlateflowError, KeyError, TypeError, ValueError, AttributeError) as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ModelError(f"{model_dir / SETTINGS_FILE}: unusable ({reason})") from error

    @property
    def categories(self) -> tuple[str, ...]:
        """The classes that it finds, which mAP is taken over."""
        return self._reader.categories

    @property
    def has_masks(self) -> bool:
        """Whether its findings have instances, so that there is a dv_mAP."""
        return self._reader.has_masks

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8."""
        return self._reader.find(images)

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[list[PlateReading]]:
        """The readings of `find`: for each image, best first."""
        return [list(findings.readings) for findings in self.find(images)]


class OnnxNetworks:
    """A model's graphs on arrays (see `sub_module.models.reader.Networks`)."""

    def __init__(self, model_dir: Path, graphs: dict[str, Any], num_threads: int) -> None:
        """Load all graphs."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        # Threads of one graph that wait for its next run would take the cores from the others.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._sessions = {name: _session(model_dir, graphs[name], options) for name in graphs}

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """See `Networks`."""
        return tuple(self._sessions[graph].run(None, {"input": inputs}))


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
