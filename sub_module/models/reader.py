"""From images to readings with a model's graphs, whoever runs them: torch or an ONNX runtime.

Imports no torch: reading with an exported model need not wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sub_module.errors import ConfigError, ModelError
from sub_module.plates import PlateStandard
from sub_module.plates.instances import Findings

Array = NDArray[Any]

# Model type to its family's package; its module `reading` has `GRAPHS`, their names, and `build`,
# which puts them together.
_FAMILIES = {"PlateNet": "platenet", "MaskRCNNSwin": "mask_rcnn_swin"}


class Networks(Protocol):
    """A model's graphs by name, on arrays."""

    def run(self, graph: str, inputs: Array) -> tuple[Array, ...]:
        """Outputs of a graph; the model family says what goes in and out."""


class Reader(Protocol):
    """What finds plates in images."""

    @property
    def categories(self) -> tuple[str, ...]:
        """The classes that it finds, which mAP is taken over."""

    @property
    def has_masks(self) -> bool:
        """Whether its findings have instances, so that there is a dv_mAP."""

    def find(self, images: Sequence[NDArray[np.uint8]]) -> list[Findings]:
        """Read images, each (H, W, 3) RGB uint8."""


def graph_names(model_config: Mapping[str, Any]) -> tuple[str, ...]:
    """The graphs that a model family's reader runs.

    Raises:
        ConfigError: The type is unknown.
    """
    names: tuple[str, ...] = _reading_module(model_config).GRAPHS
    return names


def build_reader(
    model_config: Mapping[str, Any],
    standard: PlateStandard,
    networks: Networks,
    trained: PlateStandard | None = None,
) -> Reader:
    """The reader of a model family, over its graphs.

    Args:
        model_config: `model` of a config.
        standard: The plates to read.
        networks: Who runs the graphs.
        trained: The plates that the graphs were trained for, which say what their outputs mean;
            None: those to read.

    Raises:
        ConfigError: The type is unknown.
        ModelError: The graphs know too little for these plates (`what_is_missing`).
        PlateflowError, KeyError, TypeError, ValueError: The config does not fit the family.
    """
    if trained is not None:
        missing = what_is_missing(trained, standard)
        if missing is not None:
            raise ModelError(
                f"a model trained for the plate standard {trained.name} cannot read "
                f"{standard.name}: {missing}"
            )
    reader: Reader = _reading_module(model_config).build(
        model_config, standard, networks, trained or standard
    )
    return reader


def what_is_missing(trained: PlateStandard, standard: PlateStandard) -> str | None:
    """Why a model that was trained for one plate standard cannot read another; None: it can.

    It can where it knows each layout, by name, with as many rows, and each character.
    """
    known = {layout.name: layout for layout in trained.layouts}
    for layout in standard.layouts:
        if layout.name not in known:
            return f"it knows no layout {layout.name}, only: {', '.join(known)}"
        rows, known_rows = len(layout.rows), len(known[layout.name].rows)
        if rows != known_rows:
            return f"its layout {layout.name} has rows: {known_rows}, not {rows}"
    unknown = [character for character in standard.alphabet if character not in trained.alphabet]
    return f"it knows no character {''.join(unknown)}" if unknown else None


def _reading_module(model_config: Mapping[str, Any]) -> ModuleType:
    name = str(model_config.get("type", "")).rsplit(".", 1)[-1]
    if name not in _FAMILIES:
        raise ConfigError(f"model.type: {name!r} is none of: {', '.join(sorted(_FAMILIES))}")
    return import_module(f"sub_module.models.{_FAMILIES[name]}.reading")
