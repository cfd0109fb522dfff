"""Reading with an exported model: ONNX graphs and the settings beside them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import ModelError, PlateflowError
from sub_module.export.engines import RUNTIMES, load_networks
from sub_module.models.reader import build_reader, graph_names
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.instances import Findings

SETTINGS_FILE = "settings.json"
FORMAT = 1
# What `export` writes; `variants` of the settings has others.
FLOAT32 = "float32"
# The fastest of the model's precisions that reads as well: each was checked when it was made.
AUTO = "auto"


class OnnxDetector:
    """An exported model of any family, on one of `engines.RUNTIMES`.

    Attributes:
        standard: The plates that it reads.
        trained: The plates that it was trained for.
        networks: Its graphs.
        precision: Of its graphs.
        version: 12 hexadecimal digits of a hash of the graphs and settings that it reads with.
    """

    def __init__(
        self,
        model_dir: Path,
        num_threads: int = 2,
        runtime: str = "onnxruntime",
        precision: str = FLOAT32,
        standard: PlateStandard | None = None,
    ) -> None:
        """Load settings and graphs.

        Args:
            model_dir: What `export` wrote.
            num_threads: CPU threads of each graph.
            runtime: One of `engines.RUNTIMES`.
            precision: `float32`, a variant that the model has, or `auto`.
            standard: The plates to read; None: those that it was trained for.

        Raises:
            ModelError: A file is missing or damaged, or made by another format; the model has no
                such variant; the runtime is not installed; the model lacks a layout or a character
                of the standard.
        """
        settings = read_settings(model_dir)
        try:
            self.trained = PlateStandard.from_config(settings["standard"])
            self.standard = standard or self.trained
            variants = settings.get("variants", {})
            self.precision = _chosen(precision, runtime, variants, model_dir)
            noted = {FLOAT32: settings, **variants}[self.precision]["graphs"]
            files = {name: noted[name] for name in graph_names(settings["model"])}
            if self.standard != self.trained:
                settings = {**settings, "standard": self.standard.to_config()}
            self.version = _version(settings, files)
            graphs = {name: _content(model_dir, file) for name, file in files.items()}
            self.networks = load_networks(runtime, graphs, num_threads)
            self._reader = build_reader(
                settings["model"], self.standard, self.networks, self.trained
            )
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


def checksum(content: bytes) -> str:
    """Of a graph, as the settings note it."""
    return hashlib.sha256(content).hexdigest()


def _chosen(precision: str, runtime: str, variants: Mapping[str, Any], model_dir: Path) -> str:
    """The precision that is meant, if the model has it."""
    if precision == AUTO:
        fastest = RUNTIMES.get(runtime, FLOAT32)
        return fastest if fastest in variants else FLOAT32
    known = [FLOAT32, *variants]
    if precision not in known:
        raise ModelError(
            f"{model_dir}: the model has no precision {precision!r}, only: {', '.join(known)}"
        )
    return precision


def _version(settings: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    read_with = [settings["model"], settings["standard"], files]
    return hashlib.sha256(json.dumps(read_with, sort_keys=True).encode()).hexdigest()[:12]


def _content(model_dir: Path, graph: Mapping[str, str]) -> bytes:
    path = model_dir / Path(graph["file"]).name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error
    if checksum(content) != graph["sha256"]:
        raise ModelError(f"{path}: damaged: its checksum is not the one in {SETTINGS_FILE}")
    return content
