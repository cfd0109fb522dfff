"""Texts from instances: what a model may find, miss, double and mistake."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sub_module.plates.standard import PlateStandard
from tests.sub_module.plates.found_instances import (
    TINY,
    Find,
    at,
    blob,
    box_points,
    changed,
    doubled,
    drawn_plate,
    finds_of,
    finds_without,
    finds_without_character,
    place_of,
    read,
)

ONE, TWO = drawn_plate(), drawn_plate(layout="two_line", text="78E9012")
LEFT = drawn_plate(text="11A2222", centre=(150, 90))
RIGHT = drawn_plate(text="33B4444", centre=(352, 90))
BESIDE = drawn_plate(text="98C7654", centre=(300, 262))


@pytest.mark.parametrize(
    ("finds", "expected", "reason"),
    [
        (finds_of(ONE), ["12A3456"], "everything found, one line"),
        (finds_of(TWO), ["78E9012"], "everything found, two lines"),
        (finds_of(ONE)[::-1], ["12A3456"], "the order of instances means nothing"),
        ([], [], "nothing found"),
        (finds_of(ONE)[:1], [], "a bare board"),
        (finds_without(ONE, "l_board"), [], "no board, no plate"),
        (finds_without(ONE, "l_s_n", "l_m_n"), ["12A3456"], "groups missed, one line"),
        (finds_without(TWO, "r_s_n", "r_m_n"), ["78E9012"], "groups missed, two lines"),
        (finds_without(TWO, "r_m_n"), ["78E9012"], "one group missed"),
        ([*finds_of(ONE), *finds_of(TWO)[1:3]], ["12A3456"], "groups of the other layout"),
        (finds_without_character(ONE, 0), [], "the first character missed"),
        (finds_without_character(TWO, 2), [], "the symbol missed"),
        (finds_without_character(ONE, 6), [], "the last character missed"),
        (changed(ONE, 2, label="8"), [], "a digit in the symbol's slot"),
        (changed(TWO, 2, label="8"), [], "a digit in the symbol's slot, two lines"),
        (changed(ONE, 1, label="b"), [], "a letter in a digit's slot"),
        (changed(ONE, 5, label="b"), [], "a letter in a digit's slot of the main text"),
        (doubled(ONE, 4, "8", 0.5), ["12A3456"], "a double of a lower score, another class"),
        (doubled(ONE, 4, "4", 0.5), ["12A3456"], "a double of a lower score, the same class"),
        (doubled(ONE, 4, "8", 0.97), ["12A3856"], "a double of a higher score"),
        (doubled(ONE, 2, "8", 0.97), ["12A3456"], "a better digit on the symbol: no text of kr"),
        (doubled(ONE, 4, "1", 0.8, (5, 0)), ["12A3456"], "a double at the character's edge"),
        (
            [f for n in range(7) for f in doubled(ONE, n, "0", 0.4, (-2, -1))],
            ["12A3456"],
            "everything doubled, boards too",
        ),
        ([*finds_of(ONE), blob("7", 600, 400)], ["12A3456"], "a character on no board"),
        ([*finds_of(ONE), blob("7", *at(ONE, 0.5, -0.4))], ["12A3456"], "one above the board"),
        (
            [*finds_of(TWO), blob("7", *at(TWO, 0.05, 0.2), 0.6)],
            ["78E9012"],
            "a bolt beside the sub text",
        ),
        (
            [*finds_of(ONE), blob("1", *at(ONE, 0.445, 0.5), 0.5, (4, 30))],
            ["12A3456"],
            "a seal between the groups",
        ),
        (
            [*finds_without_character(ONE, 3), blob("1", *at(ONE, 0.98, 0.5), 0.9, (4, 30))],
            [],
            "one missed and a false one at the other end: the rest does not move up",
        ),
        (changed(ONE, 3, score=0.2), [], "a character below min_score"),
        (finds_of(ONE, 0.2), [], "all below min_score"),
        (
            [replace(finds_of(ONE)[0], score=0.2), *finds_of(ONE)[1:]],
            [],
            "the board below min_score",
        ),
        ([*finds_of(LEFT), *finds_of(RIGHT)], ["11A2222", "33B4444"], "side by side"),
        (
            [*finds_without_character(LEFT, 6), *finds_of(RIGHT)],
            ["33B4444"],
            "the neighbour's characters fill no gap",
        ),
        ([*finds_of(ONE), *finds_of(BESIDE)], ["12A3456", "98C7654"], "one above the other"),
        (
            [*finds_of(ONE), Find("r_board", np.array(ONE.corners) + 1, 0.95)],
            ["12A3456"],
            "a better board of the layout that the text does not fit",
        ),
        (
            [*finds_of(TWO), Find("r_board", np.array(TWO.corners) * 1.02, 0.8)],
            ["78E9012"],
            "a board twice",
        ),
        (finds_of(drawn_plate(degrees=-30)), ["12A3456"], "turned by 30 degrees"),
        (finds_of(drawn_plate(layout="two_line", degrees=30)), ["12A3456"], "turned, two lines"),
        (finds_of(drawn_plate(degrees=180)), ["12A3456"], "upside down"),
        (finds_of(drawn_plate(layout="two_line", degrees=90)), ["12A3456"], "on its side"),
        (
            [Find("l_board", np.array([(0, 0), (9, 9), (18, 18)]), 0.9), *finds_of(ONE)],
            ["12A3456"],
            "a board without area",
        ),
    ],
)
def test_what_kr_instances_read(finds, expected, reason):
    assert sorted(reading.text for reading in read(finds)) == expected


@pytest.mark.parametrize(
    ("layout", "text", "drop", "expected", "reason"),
    [
        ("stacked", "WXY012", (), ("", "WXY", "012"), "nothing left out"),
        ("stacked", "WXY01_", (), ("", "WXY", "01"), "the optional slot left out"),
        ("stacked", "WXY012", ("3", "2"), ("", "WXY", "01"), "a missed optional character"),
        ("flat", "WXY01", (), ("WX", "Y", "01"), "nothing left out"),
        ("flat", "W__01", (), ("W", "", "01"), "both optional slots left out"),
        ("flat", "WX_01", (), ("WX", "", "01"), "two letters in the first group"),
        ("flat", "W_X01", (), ("W", "X", "01"), "a letter in each group"),
        ("flat", "WX_01", ("f_a", "f_b"), ("WX", "", "01"), "groups missed, first group"),
        ("flat", "W_X01", ("f_a", "f_b"), ("W", "X", "01"), "groups missed, both groups"),
        ("flat", "WX_01", ("1",), None, "a slot that is not optional stays empty"),
    ],
)
def test_texts_of_variable_length(layout, text, drop, expected, reason):
    plate = drawn_plate(TINY, layout, text)
    found = read([find for find in finds_of(plate) if find.label not in drop], TINY)
    fields = [(reading.region, reading.symbol, reading.serial) for reading in found]
    assert fields == ([] if expected is None else [expected])


def test_a_weak_extra_character_fills_no_optional_slot():
    # Where the third character of the lower row would stand, had the plate one.
    plate = drawn_plate(TINY, "stacked", "WXY012")
    finds = finds_of(plate)
    index = place_of(finds, 5, TINY)
    assert [r.text for r in read(finds, TINY)] == ["WXY012"]
    finds[index] = replace(finds[index], score=0.35)
    assert [r.text for r in read(finds, TINY)] == ["WXY01"]


@pytest.mark.parametrize(
    ("label", "expected", "reason"),
    [("f_a", "WX", "the first group is wide"), ("f_b", "W", "the second group is wide")],
)
@pytest.mark.parametrize("wide_score", [0.9, 0.3])
def test_found_groups_decide_where_the_layout_leaves_it_open(label, expected, wide_score, reason):
    # The second letter stands halfway between both groups' places, and one group reaches over it.
    finds = finds_of(drawn_plate(TINY, "flat", "WX_01", degrees=0))
    letter = place_of(finds, 1, TINY)
    finds[letter] = replace(finds[letter], points=finds[letter].points + np.array((26, 0)))
    group = next(find for find in finds if find.label == label)
    points = np.concatenate([group.points, finds[letter].points])
    wide = Find(label, box_points(*points.min(0), *points.max(0)), wide_score)
    alone = [*(find for find in finds if find is not group), wide]
    assert [r.region for r in read(alone, TINY)] == [expected]
    # Of two groups of a label the better one counts, wherever it stands in the list.
    other = replace(group, score=0.5)
    found = [read(finds, TINY)[0].region for finds in ([*alone, other], [other, *alone])]
    without = read([*(find for find in alone if find is not wide), other], TINY)[0].region
    assert found == [expected if wide_score > 0.5 else without] * 2


def test_a_group_far_from_its_place_moves_no_slot():
    # By the layout the second letter belongs to the second group.
    plate = drawn_plate(TINY, "flat", "W_X01", degrees=0)
    false_group = box_points(*at(plate, 0.1, 0.1), *at(plate, 0.95, 0.9))
    finds = [*finds_without(plate, "f_a", "f_b"), Find("f_a", false_group, 0.9)]
    assert [r.region for r in read(finds, TINY)] == ["W"]


def _digits_standard(*optional):
    """Two groups of two digits that look the same upside down, on one line."""
    slots = [{"field": "serial", "alphabet": "0123456789", "optional": o} for o in optional]
    groups = [("left", [0.1, 0.2, 0.45, 0.8]), ("right", [0.55, 0.2, 0.9, 0.8])]
    row = [
        {"label": label, "box": box, "slots": slots[2 * number : 2 * number + 2]}
        for number, (label, box) in enumerate(groups)
    ]
    layout = {"name": "flat", "label": "board", "aspect": 4.0}
    layout["rows"] = [{"box": [0, 0, 1, 1], "groups": row}]
    colours = [{"background": [255, 255, 255], "text": [0, 0, 0]}]
    classes = [*"0123456789", "board", "left", "right"]
    return PlateStandard.from_config(
        {"name": "digits", "layouts": [layout], "colours": colours, "classes": classes}
    )


def test_upside_down_only_when_the_groups_say_so():
    standard = _digits_standard(*[False] * 4)
    plate = drawn_plate(standard, "flat", "1234", degrees=170)
    assert [r.text for r in read(finds_of(plate), standard)] == ["1234"]
    assert [r.text for r in read(finds_without(plate, "left", "right"), standard)] == ["4321"]
    # Groups that speak against every way round are false ones.
    both = [replace(f, label="left") if f.label == "right" else f for f in finds_of(plate)]
    assert [r.text for r in read(both, standard)] == ["4321"]


def test_a_board_on_which_nothing_stands_is_no_reading_though_every_slot_is_optional():
    standard = _digits_standard(*[True] * 4)
    assert read(finds_of(drawn_plate(standard, "flat", "____")), standard) == ()
    assert [r.text for r in read(finds_of(drawn_plate(standard, "flat", "1__4")), standard)] == [
        "14"
    ]


def test_two_lines_are_not_read_as_one():
    finds = finds_of(drawn_plate(TINY, "stacked", "WXY01_"))
    assert read([replace(finds[0], label="f_board"), *finds[1:]], TINY) == ()


def test_characters_keep_their_order():
    # The symbol stands before the second digit, both near the edge between their slots.
    finds = finds_of(drawn_plate(text="12A3456", degrees=0))
    second, symbol = place_of(finds, 1), place_of(finds, 2)
    pitch = finds[symbol].points.mean(0)[0] - finds[second].points.mean(0)[0]
    middle = (finds[symbol].points.mean(0) + finds[second].points.mean(0)) / 2
    for index, x in [(second, pitch * 0.15), (symbol, -pitch * 0.15)]:
        narrow = blob(finds[index].label, middle[0] + x, middle[1], size=(pitch * 0.2, 25))
        finds[index] = replace(narrow, score=0.9)
    assert read(finds) == ()
    finds[second], finds[symbol] = (
        replace(finds[i], label=finds[j].label) for i, j in [(second, symbol), (symbol, second)]
    )
    assert [r.text for r in read(finds)] == ["12A3456"]


def test_a_character_without_area_is_read():
    finds = finds_of(drawn_plate(text="12A3416", degrees=0))
    one = place_of(finds, 5)
    line = finds[one].points * np.array((0, 1)) + np.array((finds[one].points.mean(0)[0], 0))
    finds[one] = replace(finds[one], points=line)
    (reading,) = read(finds)
    assert (reading.text, reading.score) == ("12A3416", pytest.approx(0.9 * 0.9))


def test_a_double_fills_no_optional_slot():
    finds = finds_of(drawn_plate(TINY, "stacked", "WXY01_"))
    twin = finds[place_of(finds, 4, TINY)]
    double = Find("2", twin.points + np.array((3, 0)), 0.8)
    assert [r.text for r in read([*finds, double], TINY)] == ["WXY01"]


def test_the_layout_comes_from_the_board_that_the_text_fits():
    both = [*finds_of(TWO), Find("l_board", np.array(TWO.corners), 0.99)]
    assert [(r.layout, r.text) for r in read(both)] == [("two_line", "78E9012")]


@pytest.mark.parametrize(("overlap", "expected"), [(0.2, ["12A3456"]), (0.3, ["12A3456"] * 2)])
def test_overlap_says_which_boards_are_the_same(overlap, expected):
    # Everything once more, down by 0.6 of the board's height: their IoU is 0.4 / 1.6.
    down = at(ONE, 0, 0.6) - at(ONE, 0, 0)
    twins = [Find(find.label, find.points + down, 0.8) for find in finds_of(ONE)]
    assert [r.text for r in read([*finds_of(ONE), *twins], overlap=overlap)] == expected


def test_a_character_belongs_to_one_plate():
    # A false board round the true one, so much higher that they are not the same: what one reads,
    # the other cannot.
    high = [at(LEFT, x, y) for x, y in [(0, -0.6), (1, -0.6), (1, 1.6), (0, 1.6)]]
    around = Find("l_board", np.array(high), 0.8)
    assert [r.text for r in read([around, *finds_of(LEFT)[1:]])] == ["11A2222"]
    # Nor with the doubles of what was read.
    doubles = [replace(find, score=0.5) for find in finds_of(LEFT)[1:]]
    for score in (0.9, 0.7):
        assert [r.text for r in read([*finds_of(LEFT, score), *doubles, around])] == ["11A2222"]


def test_of_two_boards_the_better_one_is_the_plate():
    off = Find("l_board", np.array(ONE.corners) + 4.0, 0.8)
    (reading,) = read([off, *finds_of(ONE)])
    np.testing.assert_allclose(reading.corners, ONE.corners, atol=1e-3)


def test_a_character_out_of_place_gives_way_to_one_in_place():
    seal = blob("1", *at(ONE, 0.445, 0.5), 0.95, (4, 30))
    assert [r.text for r in read([*finds_of(ONE), seal])] == ["12A3456"]


def test_score_is_the_boards_times_the_least_of_its_characters():
    finds = changed(ONE, 3, score=0.5)
    finds[0] = replace(finds[0], score=0.8)
    (reading,) = read(finds)
    assert reading.score == pytest.approx(0.8 * 0.5)


@pytest.mark.parametrize(
    ("extra", "expected", "reason"),
    [
        (blob("1", *at(ONE, 0.445, 0.5), 0.7, (4, 30)), 0.9 * 0.3, "left out between two"),
        (blob("1", *at(ONE, 0.5, 0.05), 0.7, (4, 4)), 0.9 * 0.9, "stands off the row"),
        (doubled(ONE, 3, "8", 0.7)[0], 0.9 * 0.9, "a double of one that was used"),
    ],
)
def test_a_character_left_out_puts_the_text_in_doubt(extra, expected, reason):
    (reading,) = read([*finds_of(ONE), extra])
    assert reading.text == "12A3456"
    assert reading.score == pytest.approx(expected)


def test_best_reading_first():
    finds = [*finds_of(LEFT, 0.6), *finds_of(RIGHT, 0.9)]
    assert [reading.text for reading in read(finds)] == ["33B4444", "11A2222"]
    # Though its board comes second.
    finds[0] = replace(finds[0], score=0.95)
    assert [reading.text for reading in read(finds)] == ["33B4444", "11A2222"]
