"""Plate standards for tests: the first one, and a small one that shares nothing with it."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

from sub_module.plates.standard import PlateStandard

REPOSITORY = Path(__file__).parents[1]

# Two layouts of 5 or 6 and of 3 to 5 characters, where the first standard has 7: letters W-Z and
# digits 0-3, a row of three, optional slots, and neighbouring groups with the same alphabet.
TINY: dict[str, Any] = {
    "name": "tiny",
    "layouts": [
        {
            "name": "stacked",
            "label": "s_board",
            "aspect": 1.6,
            "rows": [
                {
                    "box": [0.05, 0.02, 0.95, 0.5],
                    "groups": [
                        {
                            "label": "s_top",
                            "box": [0.1, 0.08, 0.9, 0.46],
                            "slots": [{"field": "symbol", "alphabet": "WXYZ"}] * 3,
                        }
                    ],
                },
                {
                    "box": [0.05, 0.5, 0.95, 0.98],
                    "groups": [
                        {
                            "label": "s_low",
                            "box": [0.1, 0.54, 0.9, 0.92],
                            "slots": [
                                {"field": "serial", "alphabet": "0123"},
                                {"field": "serial", "alphabet": "0123"},
                                {"field": "serial", "alphabet": "0123", "optional": True},
                            ],
                        }
                    ],
                },
            ],
        },
        {
            "name": "flat",
            "label": "f_board",
            "aspect": 4.0,
            "rows": [
                {
                    "box": [0.02, 0.05, 0.98, 0.95],
                    "groups": [
                        {
                            "label": "f_a",
                            "box": [0.05, 0.15, 0.4, 0.85],
                            "slots": [
                                {"field": "region", "alphabet": "WXYZ"},
                                {"field": "region", "alphabet": "WXYZ", "optional": True},
                            ],
                        },
                        {
                            "label": "f_b",
                            "box": [0.5, 0.15, 0.95, 0.85],
                            "slots": [
                                {"field": "symbol", "alphabet": "WXYZ", "optional": True},
                                {"field": "serial", "alphabet": "0123"},
                                {"field": "serial", "alphabet": "0123"},
                            ],
                        },
                    ],
                }
            ],
        },
    ],
    "colours": [{"background": [240, 240, 240], "text": [120, 10, 10]}],
    # Not in the order of the layouts, so nothing can get by with that.
    "classes": ["f_board", *"3210", *"wxyz", "s_board", "f_a", "f_b", "s_top", "s_low"],
}


def tiny_standard() -> PlateStandard:
    """The small standard."""
    return PlateStandard.from_config(TINY)


def kr_standard() -> PlateStandard:
    """The first standard, as configs/plates has it."""
    return PlateStandard.from_config(_kr())


def flat_config() -> dict[str, Any]:
    """A standard that the first one's networks read too: its plates of one line only."""
    kr = _kr()
    return {**kr, "name": "flat", "layouts": [kr["layouts"][1]]}


def flat_file(folder: Path) -> Path:
    """A file with that standard."""
    file = folder / "flat.json"
    file.write_text(json.dumps({"plates": flat_config()}))
    return file


def _kr() -> dict[str, Any]:
    plates = runpy.run_path(str(REPOSITORY / "configs" / "plates" / "kr.py"))["plates"]
    return dict(plates)
