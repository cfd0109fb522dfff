"""The plates of other standards than the server's own, read by the networks that it has loaded."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.predictor.errors import RequestError
from sub_module.engine.infer import Detector
from sub_module.errors import ConfigError
from sub_module.export.runtime import OnnxDetector
from sub_module.models.reader import Reader, build_reader, what_is_missing
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.standards import known_standards, load_standard


class OtherStandards:
    """Which plates requests may ask for by name; loaded when one first does.

    Requests name what comes with Plateflow, never a file: they may come from anyone.
    """

    def __init__(self, detector: Detector) -> None:
        """Of the model that is served.

        Args:
            detector: Its standard is the one that is read where a request names none.
        """
        self._own = detector.standard
        self._trained = detector.trained if isinstance(detector, OnnxDetector) else None
        self._loaded: dict[str, PlateStandard] = {}

    async def find(self, name: str | None) -> PlateStandard | None:
        """The standard that a request asks for; None: the server's own.

        Raises:
            RequestError: There is none of that name, or the model cannot read it.
        """
        if name is None or name == self._own.name:
            return None
        if name not in self._loaded:
            # A config takes its time to load; requests that come meanwhile need not wait.
            self._loaded[name] = await asyncio.to_thread(self._load, name)
        return self._loaded[name]

    def _load(self, name: str) -> PlateStandard:
        if name not in known_standards():
            known = ", ".join(dict.fromkeys((self._own.name, *known_standards())))
            raise RequestError(f"standard: {name!r:.60} is none of: {known}")
        if self._trained is None:
            raise RequestError(f"standard: a checkpoint reads {self._own.name} only")
        try:
            standard = load_standard(name)
        except ConfigError as error:
            raise RequestError(f"standard: {error}") from error
        missing = what_is_missing(self._trained, standard)
        if missing is not None:
            raise RequestError(f"standard: the model that is served cannot read {name}: {missing}")
        return standard


class StandardsReader:
    """What one thread reads with: its detector, and its networks with other standards."""

    def __init__(self, detector: Detector, model_config: Mapping[str, Any] | None) -> None:
        """Nothing is loaded again.

        Args:
            detector: Of the thread.
            model_config: `model` of the settings that it was loaded with; None: it is a checkpoint.
        """
        self._detector = detector
        self._model_config = model_config
        self._readers: dict[str, Reader] = {}

    def predict(
        self, images: Sequence[NDArray[np.uint8]], standard: PlateStandard | None
    ) -> list[list[PlateReading]]:
        """The readings of each image, best first.

        Args:
            images: Each (H, W, 3) uint8 RGB.
            standard: One that `OtherStandards` found; None: the detector's own.
        """
        if standard is None:
            return self._detector.predict(images)
        if standard.name not in self._readers:
            self._readers[standard.name] = self._reader(standard)
        found = self._readers[standard.name].find(images)
        return [list(findings.readings) for findings in found]

    def _reader(self, standard: PlateStandard) -> Reader:
        detector, model_config = self._detector, self._model_config
        # Of others, `OtherStandards` finds none.
        assert isinstance(detector, OnnxDetector)
        assert model_config is not None
        return build_reader(model_config, standard, detector.networks, detector.trained)
