"""Readings from instances: what a model may find, miss, double and mistake."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sub_module.plates.instances import Instances
from sub_module.plates.read_instances import read_instances
from sub_module.plates.standard import PlateStandard
from tests.factories import DrawnPlate, affine, draw_plate
from tests.standards import kr_standard, tiny_standard

KR, TINY = kr_standard(), tiny_standard()
STANDARDS = {"kr": KR, "tiny": TINY}


@dataclass(frozen=True)
class Find:
    """One object that a model found."""

    label: str
    points: np.ndarray
    score: float


def _plate(
    standard=KR, layout="one_line", text="12A3456", degrees=10, centre=(300, 200), width=200
):
    """A drawn plate; `_` in the text leaves a slot out."""
    its_layout = standard.layout(layout)
    characters = [None if c == "_" else c for c in text]
    matrix = affine(width, its_layout.aspect, centre, degrees)
    return draw_plate(standard, its_layout, characters, matrix)


def _finds(plate: DrawnPlate, score=0.9):
    return [Find(shape.label, np.array(shape.points), score) for shape in plate.shapes]


def _instances(finds) -> Instances:
    polygons = tuple(np.asarray(find.points, np.float32) for find in finds)
    return Instances(
        labels=tuple(find.label for find in finds),
        scores=np.array([find.score for find in finds], np.float32),
        boxes_xyxy=np.array([[*p.min(0), *p.max(0)] for p in polygons], np.float32).reshape(-1, 4),
        polygons=polygons,
    )


def _read(finds, standard=KR, min_score=0.3, overlap=0.5):
    return read_instances(_instances(finds), standard, min_score, overlap)


def _character(finds, number, standard=KR):
    """Where the character of that number in reading order stands in the list."""
    return [i for i, f in enumerate(finds) if standard.character_of(f.label) is not None][number]


def _changed(plate, number, **changes):
    """A plate's finds, one character of them changed."""
    finds = _finds(plate)
    index = _character(finds, number)
    finds[index] = replace(finds[index], **changes)
    return finds


def _doubled(plate, number, label, score, shift=(2, 1)):
    """A plate's finds, and one character once more, as another class."""
    finds = _finds(plate)
    twin = finds[_character(finds, number)]
    return [Find(label, twin.points + shift, score), *finds]


def _without(plate, *labels):
    return [find for find in _finds(plate) if find.label not in labels]


def _without_character(plate, number):
    finds = _finds(plate)
    del finds[_character(finds, number)]
    return finds


def _blob(label, x, y, score=0.9, size=(12, 30)):
    """A find of some pixels' size round a point of the image."""
    width, height = size
    corners = x - width / 2, y - height / 2, x + width / 2, y + height / 2
    return Find(label, _box_points(*corners), score)


def _box_points(x1, y1, x2, y2):
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def _at(plate, x, y):
    """The pixels of plate coordinates."""
    corners = np.array(plate.corners)
    return corners[0] + x * (corners[1] - corners[0]) + y * (corners[3] - corners[0])


ONE, TWO = _plate(), _plate(layout="two_line", text="78E9012")
LEFT = _plate(text="11A2222", centre=(150, 90))
RIGHT = _plate(text="33B4444", centre=(352, 90))
BESIDE = _plate(text="98C7654", centre=(300, 262))


@pytest.mark.parametrize(
    ("finds", "expected", "reason"),
    [
        (_finds(ONE), ["12A3456"], "everything found, one line"),
        (_finds(TWO), ["78E9012"], "everything found, two lines"),
        (_finds(ONE)[::-1], ["12A3456"], "the order of instances means nothing"),
        ([], [], "nothing found"),
        (_finds(ONE)[:1], [], "a bare board"),
        (_without(ONE, "l_board"), [], "no board, no plate"),
        (_without(ONE, "l_s_n", "l_m_n"), ["12A3456"], "groups missed, one line"),
        (_without(TWO, "r_s_n", "r_m_n"), ["78E9012"], "groups missed, two lines"),
        (_without(TWO, "r_m_n"), ["78E9012"], "one group missed"),
        ([*_finds(ONE), *_finds(TWO)[1:3]], ["12A3456"], "groups of the other layout"),
        (_without_character(ONE, 0), [], "the first character missed"),
        (_without_character(TWO, 2), [], "the symbol missed"),
        (_without_character(ONE, 6), [], "the last character missed"),
        (_changed(ONE, 2, label="8"), [], "a digit in the symbol's slot"),
        (_changed(TWO, 2, label="8"), [], "a digit in the symbol's slot, two lines"),
        (_changed(ONE, 1, label="b"), [], "a letter in a digit's slot"),
        (_changed(ONE, 5, label="b"), [], "a letter in a digit's slot of the main text"),
        (_doubled(ONE, 4, "8", 0.5), ["12A3456"], "a double of a lower score, another class"),
        (_doubled(ONE, 4, "4", 0.5), ["12A3456"], "a double of a lower score, the same class"),
        (_doubled(ONE, 4, "8", 0.97), ["12A3856"], "a double of a higher score"),
        (_doubled(ONE, 2, "8", 0.97), ["12A3456"], "a better digit on the symbol: no text of kr"),
        (_doubled(ONE, 4, "1", 0.8, (5, 0)), ["12A3456"], "a double at the character's edge"),
        (
            [f for n in range(7) for f in _doubled(ONE, n, "0", 0.4, (-2, -1))],
            ["12A3456"],
            "everything doubled, boards too",
        ),
        ([*_finds(ONE), _blob("7", 600, 400)], ["12A3456"], "a character on no board"),
        ([*_finds(ONE), _blob("7", *_at(ONE, 0.5, -0.4))], ["12A3456"], "one above the board"),
        (
            [*_finds(TWO), _blob("7", *_at(TWO, 0.05, 0.2), 0.6)],
            ["78E9012"],
            "a bolt beside the sub text",
        ),
        (
            [*_finds(ONE), _blob("1", *_at(ONE, 0.445, 0.5), 0.5, (4, 30))],
            ["12A3456"],
            "a seal between the groups",
        ),
        (
            [*_without_character(ONE, 3), _blob("1", *_at(ONE, 0.98, 0.5), 0.9, (4, 30))],
            [],
            "one missed and a false one at the other end: the rest does not move up",
        ),
        (_changed(ONE, 3, score=0.2), [], "a character below min_score"),
        (_finds(ONE, 0.2), [], "all below min_score"),
        ([replace(_finds(ONE)[0], score=0.2), *_finds(ONE)[1:]], [], "the board below min_score"),
        ([*_finds(LEFT), *_finds(RIGHT)], ["11A2222", "33B4444"], "side by side"),
        (
            [*_without_character(LEFT, 6), *_finds(RIGHT)],
            ["33B4444"],
            "the neighbour's characters fill no gap",
        ),
        ([*_finds(ONE), *_finds(BESIDE)], ["12A3456", "98C7654"], "one above the other"),
        (
            [*_finds(ONE), Find("r_board", np.array(ONE.corners) + 1, 0.95)],
            ["12A3456"],
            "a better board of the layout that the text does not fit",
        ),
        (
            [*_finds(TWO), Find("r_board", np.array(TWO.corners) * 1.02, 0.8)],
            ["78E9012"],
            "a board twice",
        ),
        (_finds(_plate(degrees=-30)), ["12A3456"], "turned by 30 degrees"),
        (_finds(_plate(layout="two_line", degrees=30)), ["12A3456"], "turned, two lines"),
        (_finds(_plate(degrees=180)), ["12A3456"], "upside down"),
        (_finds(_plate(layout="two_line", degrees=90)), ["12A3456"], "on its side"),
        (
            [Find("l_board", np.array([(0, 0), (9, 9), (18, 18)]), 0.9), *_finds(ONE)],
            ["12A3456"],
            "a board without area",
        ),
    ],
)
def test_what_kr_instances_read(finds, expected, reason):
    assert sorted(reading.text for reading in _read(finds)) == expected


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
    plate = _plate(TINY, layout, text)
    found = _read([find for find in _finds(plate) if find.label not in drop], TINY)
    fields = [(reading.region, reading.symbol, reading.serial) for reading in found]
    assert fields == ([] if expected is None else [expected])


def test_a_weak_extra_character_fills_no_optional_slot():
    # Where the third character of the lower row would stand, had the plate one.
    plate = _plate(TINY, "stacked", "WXY012")
    finds = _finds(plate)
    index = _character(finds, 5, TINY)
    assert [r.text for r in _read(finds, TINY)] == ["WXY012"]
    finds[index] = replace(finds[index], score=0.35)
    assert [r.text for r in _read(finds, TINY)] == ["WXY01"]


@pytest.mark.parametrize(
    ("label", "expected", "reason"),
    [("f_a", "WX", "the first group is wide"), ("f_b", "W", "the second group is wide")],
)
@pytest.mark.parametrize("wide_score", [0.9, 0.3])
def test_found_groups_decide_where_the_layout_leaves_it_open(label, expected, wide_score, reason):
    # The second letter stands halfway between both groups' places, and one group reaches over it.
    finds = _finds(_plate(TINY, "flat", "WX_01", degrees=0))
    letter = _character(finds, 1, TINY)
    finds[letter] = replace(finds[letter], points=finds[letter].points + np.array((26, 0)))
    group = next(find for find in finds if find.label == label)
    points = np.concatenate([group.points, finds[letter].points])
    wide = Find(label, _box_points(*points.min(0), *points.max(0)), wide_score)
    alone = [*(find for find in finds if find is not group), wide]
    assert [r.region for r in _read(alone, TINY)] == [expected]
    # Of two groups of a label the better one counts, wherever it stands in the list.
    other = replace(group, score=0.5)
    found = [_read(finds, TINY)[0].region for finds in ([*alone, other], [other, *alone])]
    without = _read([*(find for find in alone if find is not wide), other], TINY)[0].region
    assert found == [expected if wide_score > 0.5 else without] * 2


def test_a_group_far_from_its_place_moves_no_slot():
    # By the layout the second letter belongs to the second group.
    plate = _plate(TINY, "flat", "W_X01", degrees=0)
    false_group = _box_points(*_at(plate, 0.1, 0.1), *_at(plate, 0.95, 0.9))
    finds = [*_without(plate, "f_a", "f_b"), Find("f_a", false_group, 0.9)]
    assert [r.region for r in _read(finds, TINY)] == ["W"]


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
    plate = _plate(standard, "flat", "1234", degrees=170)
    assert [r.text for r in _read(_finds(plate), standard)] == ["1234"]
    assert [r.text for r in _read(_without(plate, "left", "right"), standard)] == ["4321"]
    # Groups that speak against every way round are false ones.
    both = [replace(f, label="left") if f.label == "right" else f for f in _finds(plate)]
    assert [r.text for r in _read(both, standard)] == ["4321"]


def test_a_board_on_which_nothing_stands_is_no_reading_though_every_slot_is_optional():
    standard = _digits_standard(*[True] * 4)
    assert _read(_finds(_plate(standard, "flat", "____")), standard) == ()
    assert [r.text for r in _read(_finds(_plate(standard, "flat", "1__4")), standard)] == ["14"]


def test_two_lines_are_not_read_as_one():
    finds = _finds(_plate(TINY, "stacked", "WXY01_"))
    assert _read([replace(finds[0], label="f_board"), *finds[1:]], TINY) == ()


def test_characters_keep_their_order():
    # The symbol stands before the second digit, both near the edge between their slots.
    finds = _finds(_plate(text="12A3456", degrees=0))
    second, symbol = _character(finds, 1), _character(finds, 2)
    pitch = finds[symbol].points.mean(0)[0] - finds[second].points.mean(0)[0]
    middle = (finds[symbol].points.mean(0) + finds[second].points.mean(0)) / 2
    for index, x in [(second, pitch * 0.15), (symbol, -pitch * 0.15)]:
        narrow = _blob(finds[index].label, middle[0] + x, middle[1], size=(pitch * 0.2, 25))
        finds[index] = replace(narrow, score=0.9)
    assert _read(finds) == ()
    finds[second], finds[symbol] = (
        replace(finds[i], label=finds[j].label) for i, j in [(second, symbol), (symbol, second)]
    )
    assert [r.text for r in _read(finds)] == ["12A3456"]


def test_a_character_without_area_is_read():
    finds = _finds(_plate(text="12A3416", degrees=0))
    one = _character(finds, 5)
    line = finds[one].points * np.array((0, 1)) + np.array((finds[one].points.mean(0)[0], 0))
    finds[one] = replace(finds[one], points=line)
    (reading,) = _read(finds)
    assert (reading.text, reading.score) == ("12A3416", pytest.approx(0.9 * 0.9))


def test_a_double_fills_no_optional_slot():
    finds = _finds(_plate(TINY, "stacked", "WXY01_"))
    twin = finds[_character(finds, 4, TINY)]
    double = Find("2", twin.points + np.array((3, 0)), 0.8)
    assert [r.text for r in _read([*finds, double], TINY)] == ["WXY01"]


def test_the_layout_comes_from_the_board_that_the_text_fits():
    both = [*_finds(TWO), Find("l_board", np.array(TWO.corners), 0.99)]
    assert [(r.layout, r.text) for r in _read(both)] == [("two_line", "78E9012")]


@pytest.mark.parametrize(("overlap", "expected"), [(0.2, ["12A3456"]), (0.3, ["12A3456"] * 2)])
def test_overlap_says_which_boards_are_the_same(overlap, expected):
    # Everything once more, down by 0.6 of the board's height: their IoU is 0.4 / 1.6.
    down = _at(ONE, 0, 0.6) - _at(ONE, 0, 0)
    twins = [Find(find.label, find.points + down, 0.8) for find in _finds(ONE)]
    assert [r.text for r in _read([*_finds(ONE), *twins], overlap=overlap)] == expected


def test_a_character_belongs_to_one_plate():
    # A false board round the true one, so much higher that they are not the same: what one reads,
    # the other cannot.
    high = [_at(LEFT, x, y) for x, y in [(0, -0.6), (1, -0.6), (1, 1.6), (0, 1.6)]]
    around = Find("l_board", np.array(high), 0.8)
    assert [r.text for r in _read([around, *_finds(LEFT)[1:]])] == ["11A2222"]
    # Nor with the doubles of what was read.
    doubles = [replace(find, score=0.5) for find in _finds(LEFT)[1:]]
    for score in (0.9, 0.7):
        assert [r.text for r in _read([*_finds(LEFT, score), *doubles, around])] == ["11A2222"]


def test_of_two_boards_the_better_one_is_the_plate():
    off = Find("l_board", np.array(ONE.corners) + 4.0, 0.8)
    (reading,) = _read([off, *_finds(ONE)])
    np.testing.assert_allclose(reading.corners, ONE.corners, atol=1e-3)


def test_a_character_out_of_place_gives_way_to_one_in_place():
    seal = _blob("1", *_at(ONE, 0.445, 0.5), 0.95, (4, 30))
    assert [r.text for r in _read([*_finds(ONE), seal])] == ["12A3456"]


def test_score_is_the_boards_times_the_least_of_its_characters():
    finds = _changed(ONE, 3, score=0.5)
    finds[0] = replace(finds[0], score=0.8)
    (reading,) = _read(finds)
    assert reading.score == pytest.approx(0.8 * 0.5)


@pytest.mark.parametrize(
    ("extra", "expected", "reason"),
    [
        (_blob("1", *_at(ONE, 0.445, 0.5), 0.7, (4, 30)), 0.9 * 0.3, "left out between two"),
        (_blob("1", *_at(ONE, 0.5, 0.05), 0.7, (4, 4)), 0.9 * 0.9, "stands off the row"),
        (_doubled(ONE, 3, "8", 0.7)[0], 0.9 * 0.9, "a double of one that was used"),
    ],
)
def test_a_character_left_out_puts_the_text_in_doubt(extra, expected, reason):
    (reading,) = _read([*_finds(ONE), extra])
    assert reading.text == "12A3456"
    assert reading.score == pytest.approx(expected)


def test_best_reading_first():
    finds = [*_finds(LEFT, 0.6), *_finds(RIGHT, 0.9)]
    assert [reading.text for reading in _read(finds)] == ["33B4444", "11A2222"]
    # Though its board comes second.
    finds[0] = replace(finds[0], score=0.95)
    assert [reading.text for reading in _read(finds)] == ["33B4444", "11A2222"]


@pytest.mark.parametrize("degrees", [-30, -7, 0, 22])
def test_corners_of_a_board_with_rounded_corners(degrees):
    plate = _plate(layout="two_line", degrees=degrees)
    radius = np.array([0.15 / KR.layout("two_line").aspect, 0.15])
    arcs = []
    for number, (x, y) in enumerate([(1, 0), (1, 1), (0, 1), (0, 0)]):
        angles = np.linspace(number - 1, number, 8) * np.pi / 2
        centre = np.abs(np.array([x, y]) - radius)
        arcs += (centre + radius * np.stack([np.cos(angles), np.sin(angles)], 1)).tolist()
    board = Find("r_board", np.array([_at(plate, x, y) for x, y in arcs]), 0.9)
    (reading,) = _read([board, *_finds(plate)[1:]])
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)
    np.testing.assert_allclose(reading.box[:2], board.points.min(0), atol=1e-3)


def _mask_outline(points, num_cells=28):
    """The outline of a polygon that went through a mask of few cells over its box."""
    low, high = points.min(0), points.max(0)
    fine = np.zeros((num_cells * 8, num_cells * 8), np.uint8)
    scaled = (points - low) / (high - low) * (len(fine) - 1)
    cv2.fillPoly(fine, [np.round(scaled).astype(np.int32)], 255)
    mask = cv2.resize(fine, (num_cells, num_cells), interpolation=cv2.INTER_AREA)
    width, height = np.ceil(high - low).astype(int).tolist()
    seen = (cv2.resize(mask, (width, height)) > 127).astype(np.uint8)
    contours, _ = cv2.findContours(seen, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0]
    return outline + low + 0.5


# Cells are 6 px wide here, and quadrangles round the outlines are off by 3 to 8 px. The first
# layout's plates are but 9 cells high.
@pytest.mark.parametrize(("layout", "tolerance_px"), [("one_line", 4.5), ("two_line", 1.5)])
@pytest.mark.parametrize("degrees", [-30, -15, 10, 25])
def test_corners_of_a_board_out_of_a_coarse_mask(layout, tolerance_px, degrees):
    plate = _plate(layout=layout, degrees=degrees)
    finds = [replace(find, points=_mask_outline(find.points)) for find in _finds(plate)]
    (reading,) = _read(finds)
    assert reading.text == plate.text
    np.testing.assert_allclose(reading.corners, plate.corners, atol=tolerance_px)


def test_board_without_four_corners_reads_by_the_rectangle_round_it():
    plate = _plate(degrees=0)
    (x1, y1), (x2, y2) = plate.corners[0], plate.corners[2]
    triangle = Find("l_board", np.array([(x1, y1), (x2, y1), ((x1 + x2) / 2, y2)]), 0.9)
    (reading,) = _read([triangle, *_finds(plate)[1:]])
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)


@st.composite
def _plates(draw):
    """A standard, and a plate of one of its layouts under an affine map that keeps its sense."""
    standard = STANDARDS[draw(st.sampled_from(sorted(STANDARDS)))]
    layout = draw(st.sampled_from(standard.layouts))
    characters = [
        draw(st.sampled_from([*([None] if slot.optional else []), *slot.alphabet]))
        for slot in layout.slots
    ]
    matrix = affine(
        draw(st.floats(40, 900)),
        layout.aspect * draw(st.floats(0.6, 1.6)),
        (draw(st.floats(-500, 4000)), draw(st.floats(-500, 4000))),
        draw(st.floats(-30, 30)),
        draw(st.floats(-0.7, 0.7)),
    )
    plate = draw_plate(standard, layout, characters, matrix, with_groups=draw(st.booleans()))
    return standard, layout, characters, plate


@settings(derandomize=True, max_examples=200, deadline=None)
@given(_plates(), st.randoms(use_true_random=False))
def test_property_perfect_instances_give_the_perfect_reading(drawn, random):
    standard, layout, characters, plate = drawn
    finds = _finds(plate, score=1.0)
    random.shuffle(finds)
    (reading,) = _read(finds, standard)
    assert (reading.layout, reading.text) == (plate.layout, plate.text)
    fields = {name: getattr(reading, name) for name in ("region", "symbol", "serial")}
    assert fields == layout.fields_of(characters)
    assert reading.score == 1
    np.testing.assert_allclose(reading.corners, plate.corners, atol=1)
    corners = np.array(plate.corners)
    np.testing.assert_allclose(reading.box, [*corners.min(0), *corners.max(0)], atol=1)
