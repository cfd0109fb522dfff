"""The plate standard: what a config may say and what is refused."""

from __future__ import annotations

import copy
import math
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


CONTRADICTIONS = [
    (_edit("layouts", []), "no layout"),
    (_edit("colours", []), "no colours"),
    (_edit("name", None), "'name' is missing"),
    (_edit("classes", ["w", "w"]), "listed twice"),
    (_edit("layouts.0.label", "unknown"), "'unknown' is not in the class list"),
    (_edit("layouts.0.label", "f_board"), "share a name or a label"),
    (_edit("layouts.0.aspect", 0), "aspect must be above 0"),
    (_edit("layouts.0.rows", []), "has no row"),
    (_edit("layouts.0.rows.0.box", [0, 0, 1.2, 1]), "does not lie in the plate"),
    (_edit("layouts.0.rows.0.box", [0, 0, 1]), "box must be 4 numbers, not [0, 0, 1]"),
    (_edit("layouts.0.rows.0.groups", []), "without slots"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.field", "city"), "'city' is none of"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.alphabet", ""), "empty alphabet"),
    (_edit("layouts.1.rows.0.groups.0.slots.0.alphabet", "Q"), "'Q' has no class"),
    (_edit("layouts.0.aspects", [2, 1]), "layout stacked: aspects must rise"),
    (_edit("layouts.0.aspects", [0, 1]), "layout stacked: aspects must rise"),
    (_edit("layouts.0.furniture", {"bolts": 1.5}), "stacked: furniture bolts: 1.5 is no share"),
    (_edit("colours.0.weight", 0), "weight must be above 0"),
]

# What is of another kind than its key asks for.
_SLOT = "layouts.0.rows.0.groups.0.slots.0"
WRONG_KINDS = [
    (_edit("grammers", []), "plates: key 'grammers' is unknown"),
    (_edit("layouts.0.furnitures", {}), "layouts: key 'furnitures' is unknown"),
    (_edit("layouts.0.rows.0.label", "s_top"), "rows: key 'label' is unknown"),
    (_edit("layouts.0.rows.0.groups.0.slot", []), "groups: key 'slot' is unknown"),
    (_edit(f"{_SLOT}.optinal", True), "slots: key 'optinal' is unknown"),
    (_edit("colours.0.wieght", 2), "colours: key 'wieght' is unknown"),
    (_edit("colours", [[0, 0, 0]]), "colours: expected a table of keys, not list"),
    (_edit("layouts", {"flat": {}}), "layouts must be a list, not dict"),
    (_edit("classes", "0123"), "classes must be a list, not str"),
    (_edit("classes.0", 5), "classes must be text, not 5"),
    (_edit("name", 5), "name must be text, not 5"),
    (_edit("layouts.0.name", 5), "name must be text, not 5"),
    (_edit("layouts.0.label", ["s_board"]), "label must be text, not ['s_board']"),
    (_edit(f"{_SLOT}.alphabet", 5), "alphabet must be text, not 5"),
    (_edit(f"{_SLOT}.alphabet", ["W"]), "alphabet must be text, not ['W']"),
    (_edit("layouts.0.aspect", math.inf), "aspect must be a finite number, not inf"),
    (_edit("layouts.0.aspect", True), "aspect must be a finite number, not True"),
    (_edit("layouts.0.aspect", "wide"), "aspect must be a finite number, not 'wide'"),
    (_edit("layouts.0.aspects", [1, math.inf]), "aspects must be a finite number, not inf"),
    (_edit("layouts.0.aspects", [1]), "aspects must be 2 numbers, not [1]"),
    (_edit("layouts.0.furniture", {"bolts": "often"}), "furniture bolts must be a finite number"),
    (_edit("colours.0.weight", math.nan), "weight must be a finite number, not nan"),
    (_edit("colours.0.text", [0, 0]), "text must be 3 numbers, not [0, 0]"),
    (_edit("colours.0.text", [0, 0, 256]), "text must be whole numbers from 0 to 255"),
    (_edit("colours.0.background", [-1, 0, 0]), "background must be whole numbers from 0"),
    (_edit("colours.0.background", [0.9, 1, 1]), "background must be whole numbers from 0"),
    (_edit("colours.0.background", "red"), "background must be a list, not str"),
]


def _grammar(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return _edit("grammars", [{"name": "X", "patterns": ["LLDD"], **changes}])


WRONG_GRAMMARS = [
    (_grammar(letter="WX"), "grammars: key 'letter' is unknown"),
    (_grammar(name=5), "name must be text, not 5"),
    (_grammar(patterns="LLDD"), "patterns must be a list, not str"),
    (_grammar(patterns=[5]), "patterns must be text, not 5"),
    (_grammar(patterns=[]), "grammar X: patterns must not be empty"),
    (_grammar(patterns=[""]), "pattern '' must consist of L, D and *"),
    (_grammar(patterns=["LL-DD"]), "pattern 'LL-DD' must consist of L, D and *"),
    (_grammar(patterns=["LLLDDDD"]), "pattern 'LLLDDDD' is longer than any layout: 6 slots"),
    (_grammar(letters=5), "letters must be text, not 5"),
    (_grammar(letters="WQ"), "grammar X: no slot takes Q"),
    (_grammar(digits="0189"), "grammar X: no slot takes 89"),
    (_grammar(letters=""), "pattern 'LLDD' needs letters, and there are none"),
    (_grammar(digits=""), "pattern 'LLDD' needs digits, and there are none"),
    (_grammar(patterns=["**"], letters="", digits=""), "pattern '**' needs letters or digits"),
]
BROKEN = [*CONTRADICTIONS, *WRONG_KINDS, *WRONG_GRAMMARS]


@pytest.mark.parametrize(("change", "reason"), BROKEN, ids=[reason for _, reason in BROKEN])
def test_what_cannot_be_is_refused_with_its_reason(
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


@pytest.mark.parametrize(
    ("alphabet", "given", "letters", "digits", "reason"),
    [
        ("0123456789", {}, "", "0123456789", "slots that take digits only"),
        ("AB01", {}, "AB", "01", "the standard has no others"),
        ("AB01", {"letters": "B"}, "B", "01", "what is given stands"),
        ("AB01", {"letters": ""}, "", "01", "none is given, and none needed"),
    ],
)
def test_a_grammar_that_leaves_characters_out_means_all_of_the_standard(
    alphabet: str, given: dict[str, str], letters: str, digits: str, reason: str
) -> None:
    slots = [{"field": "serial", "alphabet": alphabet}] * 4
    box = [0, 0, 1, 1]
    row = {"box": box, "groups": [{"label": "text", "box": box, "slots": slots}]}
    standard = PlateStandard.from_config(
        {
            "name": "mine",
            "layouts": [{"name": "one_line", "label": "board", "aspect": 4, "rows": [row]}],
            "colours": [{"background": [255, 255, 255], "text": [0, 0, 0]}],
            "classes": [*alphabet, "board", "text"],
            "grammars": [{"name": "X", "patterns": ["DDDD", "D"], **given}],
        }
    )
    (grammar,) = standard.grammars
    assert (grammar.letters, grammar.digits) == (letters, digits), reason
    assert PlateStandard.from_config(standard.to_config()) == standard


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
