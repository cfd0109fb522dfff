"""One plate painted flat, seen from the front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dataset_tools.draw.plates.flat import FlatPlate
from dataset_tools.draw.plates.furnished import paint_furnished
from dataset_tools.draw.plates.plain import paint_plain
from sub_module.plates import Layout, PlateStandard


def paint_plate(
    standard: PlateStandard,
    layout: Layout,
    width_px: int,
    settings: Mapping[str, Any],
    rng: np.random.Generator,
) -> FlatPlate:
    """Paint a plate with a random text, lettering and colours.

    A layout that names furniture is drawn as real plates are set, text where there is room for it;
    on one that names none, the characters fill the boxes of their groups.

    Args:
        standard: Where colours and class labels come from.
        layout: How the text is set.
        width_px: Width of the plate; the height follows from the layout's aspect. The result is
            larger by a holder, if there is one.
        settings: `dataset.draw` of a config: `fonts` and `strokes`.
        rng: Where chance comes from.
    """
    if layout.furniture:
        return paint_furnished(standard, layout, width_px, settings, rng)
    return paint_plain(standard, layout, width_px, settings["fonts"], rng)
