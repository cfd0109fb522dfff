"""The plate standard: what a config may say and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sub_module.errors import ConfigError
from sub_module.plates import PlateStandard
from tests.standards import TINY, kr_standard, tiny_standard


def test_the_first_standard_is_as_the_design_says() -> None:
    standard = kr_standard()
    boards = ["r_board", "r_s_n", "r_m_n", "l_board", "l_s_n", "l_m_n"]
    assert list(standard.classes) == [*"0123456789", *"abcde", *boards]
    assert [layout.name for layout in standard.layouts] == ["two_line", "one_line"]
    assert [layout.label for layout in standard.layouts] == ["r_board", "l_board"]
    fields = standard.layout("one_line").fields_of([*"12C3456"])
    assert fields == {"region": "12", "symbol": "C", "serial": "3456"}


def test_classes_and_characters_may_differ_in_case() -> None:
    standard = kr_standard()
    assert standard.label_of("C") == "c"
    assert standard.character_of("c") == "C"
    assert standard.character_of("r_board") is None
    assert standard.alphabet == "0123456789ABCDE"


@pytest.mark.parametrize("standard", [kr_standard(), tiny_standard()], ids=lambda s: s.name)
def test_plain_data_and_back(standard: PlateStandard) -> None:
    again = PlateStandard.from_config(standard.to_config())
    assert again == standard
    assert again.fingerprint == standard.fingerprint


def test_fits_knows_alphabets_and_optional_slots() -> None:
    flat = tiny_standard().layout("flat")
    assert flat.fits(["W", None, None, "0", "3"])
    assert not flat.fits([None, "W", None, "0", "3"])  # the first slot is not optional
    assert not flat.fits(["W", None, None, "0", "9"])  # 9 is in no alphabet
    assert not flat.fits(["W", "0", "3"])  # not one entry a slot


def _edit(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        target: Any = config
        *parents, last = (int(key) if key.isdigit() else key for key in path.split("."))
        for key in parents:
            target = target[key]
        if value is None:
            del target[last]
        else:
            target[last] = value

    return change


BROKEN = [
    (_edit("layouts", []), "no layout"),
    (_edit("colours", []), "no colours"),
    (_edit("name", None), "'name' is missing"),
    (_edit("classes", ["w", "w"]), "listed twice"),
    (_edit("layouts.0.label", "unknown"), "'unknown' is not in the class list"),
    (_edit("layouts.0.label", "f_board"), "share a name or a label"),
    (_edit("layouts.0.aspect", 0), "aspect must be above 0"),
    (_edit("layouts.0.rows", []), "has no row"),
    (_edit("layouts.0.rows.0.box", [0, 0, 1.2, 1]), "does not lie in the plate"),
    (_edit("layouts.0.rows.0.box", [0, 0, 1]), "not enough values"),
    (_edit("layouts.0.rows.0.groups", []), "without slots"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.field", "city"), "'city' is none of"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.alphabet", ""), "empty alphabet"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.alphabet", "Q"), "'Q' has no class"),
]


@pytest.mark.parametrize(("change", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_a_contradiction_is_refused_with_its_reason(
    change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    config = copy.deepcopy(TINY)
    # Slots made by list multiplication share one dict; a change must hit one slot only.
    for layout in config["layouts"]:
        for row in layout["rows"]:
            for group in row["groups"]:
                group["slots"] = [dict(slot) for slot in group["slots"]]
    change(config)
    with pytest.raises(ConfigError, match="plate standard") as caught:
        PlateStandard.from_config(config)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_character_without_a_class_is_named() -> None:
    with pytest.raises(ConfigError, match="plate standard tiny: character 'Q' has no class"):
        tiny_standard().label_of("Q")


@pytest.mark.parametrize(
    ("layout", "place", "row", "group", "reason"),
    [
        ("two_line", (0.5, 0.22), 0, "r_s_n", "the middle of the sub text"),
        ("two_line", (0.1, 0.4), 0, "r_s_n", "nearer to the upper row"),
        ("two_line", (0.1, 0.5), 1, "r_m_n", "nearer to the lower row"),
        ("two_line", (0.5, 2.0), 1, "r_m_n", "below the plate"),
        ("one_line", (0.3, 0.9), 0, "l_s_n", "one row for all"),
        ("one_line", (0.6, 0.1), 0, "l_m_n", "the second group of the row"),
    ],
)
def test_nearest_row_and_group(
    layout: str, place: tuple[float, float], row: int, group: str, reason: str
) -> None:
    found = kr_standard().layout(layout)
    assert found.nearest_row(place[1]) == row
    assert found.nearest_group(*place).label == group
