"""Impossible labels: each fault is found, and said of the shape that a person has to change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sub_module.errors import LabelError
from sub_module.plates.assemble import assemble_plates
from tests.factories import affine, draw_plate, random_characters
from tests.standards import kr_standard, tiny_standard

KR, TINY = kr_standard(), tiny_standard()


def _plate(standard, layout, text, degrees=7.0, centre=(200, 150), width=200, group_id=None):
    """A plate's shapes: board 0, then each group with its characters; `_` leaves a slot out."""
    its = standard.layout(layout)
    characters = [None if c == "_" else c for c in text]
    matrix = affine(width, its.aspect, centre, degrees)
    return list(draw_plate(standard, its, characters, matrix, group_id).shapes)


def _two_line(text="12A3456", **options):
    """Board 0; `r_s_n` 1, characters 2 3 4; `r_m_n` 5, characters 6 7 8 9."""
    return _plate(KR, "two_line", text, **options)


def _one_line(text="12A3456", **options):
    """Board 0; `l_s_n` 1, characters 2 3 4; `l_m_n` 5, characters 6 7 8 9."""
    return _plate(KR, "one_line", text, **options)


def _assemble(shapes, standard):
    return assemble_plates(
        [shape.label for shape in shapes],
        [shape.polygon for shape in shapes],
        [shape.group_id for shape in shapes],
        standard,
    )


def _faults(shapes, standard=KR):
    with pytest.raises(LabelError) as caught:
        _assemble(shapes, standard)
    return list(caught.value.faults)


def _moved(shape, dx, dy=0.0):
    return replace(shape, points=tuple((x + dx, y + dy) for x, y in shape.points))


def _put(shapes, number, **changes):
    return [replace(s, **changes) if i == number else s for i, s in enumerate(shapes)]


def _pitch(shapes, a, b):
    """The way from one shape's middle to another's."""
    return shapes[b].polygon.mean(axis=0) - shapes[a].polygon.mean(axis=0)


# A board of 200 px in the middle of nowhere else.
_SQUARE = ((5.0, 5.0), (15.0, 5.0), (15.0, 25.0), (5.0, 25.0))


def _ids(shapes, group_id):
    return [replace(shape, group_id=group_id) for shape in shapes]


CASES = [
    pytest.param(
        _put(_two_line(), 3, label="b"),
        KR,
        ["shape 3 ('b'): the characters '1BA' do not fit 'r_s_n', whose place 2 takes 0123456789"],
        id="a sub text with two letters",
    ),
    pytest.param(
        _put(_one_line(), 4, label="7"),
        KR,
        ["shape 4 ('7'): the characters '127' do not fit 'l_s_n', whose place 3 takes ABCDE"],
        id="a sub text without a letter",
    ),
    pytest.param(
        _put(_put(_one_line(), 2, label="c"), 8, label="e"),
        KR,
        ["shape 2 ('c'): the characters 'C2A'", "shape 8 ('e'): the characters '34E6'"],
        id="a letter too many in each group",
    ),
    pytest.param(
        [*_two_line(), _moved(_two_line()[4], *_pitch(_two_line(), 3, 4))],
        KR,
        ["shape 10 ('a'): the characters '12AA' do not fit 'r_s_n', which has 3 places"],
        id="a letter beside the letter",
    ),
    pytest.param(
        [*_two_line(), replace(_two_line()[8])],
        KR,
        ["shape 10 ('5'): stands in the place of shape 8 ('5')"],
        id="a character twice",
    ),
    pytest.param(
        [*_two_line(), replace(_moved(_two_line()[8], 2, 1), label="6")],
        KR,
        ["shape 10 ('6'): stands in the place of shape 8 ('5')"],
        id="two characters in one place",
    ),
    pytest.param(
        [*_put(_two_line(), 8, label="b"), replace(_two_line()[8], label="5")],
        KR,
        ["shape 8 ('b'): stands in the place of shape 10 ('5')"],
        id="of two in one place the one that cannot stand there",
    ),
    pytest.param(
        [*_two_line(), replace(_two_line()[1])],
        KR,
        ["shape 10 ('r_s_n'): is there already, as shape 1 ('r_s_n')"],
        id="a group twice",
    ),
    pytest.param(
        [*_two_line(), replace(_two_line()[0])],
        KR,
        ["shape 10 ('r_board'): stands on the plate of shape 0 ('r_board')"],
        id="a board twice",
    ),
    pytest.param(
        [*_two_line(), replace(_moved(_two_line()[0], 30, 4), label="l_board")],
        KR,
        ["shape 10 ('l_board'): stands on the plate of shape 0 ('r_board')"],
        id="a board of the other layout on the plate",
    ),
    pytest.param(
        _put(_two_line(), 9, points=_SQUARE),
        KR,
        ["shape 9 ('6'): lies on no board"],
        id="a character outside of its board, and no word of its empty slot",
    ),
    pytest.param(
        _put(_two_line(group_id=4), 9, points=_SQUARE),
        KR,
        ["shape 9 ('6'): lies outside of shape 0 ('r_board'), to which group_id 4 joins it"],
        id="a character outside of the board of its group_id",
    ),
    pytest.param(
        _two_line()[:7] + [_moved(s, *_pitch(_two_line(), 6, 7)) for s in _two_line()[7:]],
        KR,
        ["shape 9 ('6'): lies on no board"],
        id="a character just outside",
    ),
    pytest.param(
        [
            *_two_line(group_id=1),
            *_put(_one_line(group_id=2, centre=(200, 300)), 7, group_id=1),
        ],
        KR,
        ["shape 17 ('4'): lies outside of shape 0 ('r_board'), to which group_id 1 joins it"],
        id="a character joined to the other plate",
    ),
    pytest.param(
        [
            *_put(_two_line(group_id=1), 9, points=_one_line(centre=(200, 300))[9].points),
            *_one_line(group_id=2, centre=(200, 300)),
        ],
        KR,
        ["shape 9 ('6'): lies outside of shape 0 ('r_board'), to which group_id 1 joins it"],
        id="a character drawn on the other plate",
    ),
    pytest.param(
        _put(_one_line(), 1, label="r_s_n"),
        KR,
        ["shape 1 ('r_s_n'): does not belong on a 'l_board'"],
        id="a group of the other layout",
    ),
    pytest.param(
        _put(_two_line(), 0, label="l_board"),
        KR,
        ["shape 0 ('l_board'): its groups and characters are those of a 'r_board'"],
        id="a board with the other layout's label",
    ),
    pytest.param(
        [s for s in _put(_one_line(), 0, label="r_board") if s.label not in KR.group_labels],
        KR,
        ["shape 0 ('r_board'): its characters are those of a 'l_board'"],
        id="a board with the other layout's label and no groups",
    ),
    pytest.param(
        _put(_put(_two_line(), 1, label="r_m_n"), 5, label="r_s_n"),
        KR,
        ["shape 1 ('r_m_n'): stands where 'r_s_n' does", "shape 5 ('r_s_n'): stands where 'r_m_n'"],
        id="groups exchanged",
    ),
    pytest.param(
        _put(_one_line(), 1, points=_one_line()[2].points),
        KR,
        ["shape 1 ('l_s_n'): does not hold shape 3 ('2'), shape 4 ('a')"],
        id="a group round one of its characters",
    ),
    pytest.param(
        _put(
            _one_line(degrees=3),
            5,
            points=(
                *_one_line(degrees=3)[4].points[10:11],
                *_one_line(degrees=3)[5].points[1:3],
                *_one_line(degrees=3)[4].points[5:6],
            ),
        ),
        KR,
        ["shape 5 ('l_m_n'): must not hold shape 4 ('a')"],
        id="a group round a character of its neighbour",
    ),
    pytest.param(
        _two_line()[:9],
        KR,
        [
            "shape 0 ('r_board'): its characters ('1', '2', 'A', '3', '4', '5') do not fit the "
            "layout two_line: there is none in place 4 of 'r_m_n'"
        ],
        id="a character forgotten",
    ),
    pytest.param(
        _put(_one_line(), 0, points=_one_line()[0].points[:3]),
        KR,
        ["shape 0 ('l_board'): is no quadrangle"],
        id="a board with three corners",
    ),
    pytest.param(
        _put(_put(_two_line(), 0, label="board"), 7, label="o"),
        KR,
        ["shape 0: unknown label 'board'", "shape 7: unknown label 'o'"],
        id="unknown labels, and no word of what they leave behind",
    ),
    pytest.param(
        _put(_put(_put(_two_line(), 3, label="b"), 9, points=_SQUARE), 1, label="l_s_n"),
        KR,
        [
            "shape 1 ('l_s_n'): does not belong on a 'r_board'",
            "shape 3 ('b'): the characters '1BA' do not fit 'r_s_n'",
            "shape 9 ('6'): lies on no board",
        ],
        id="three mistakes, three faults",
    ),
    pytest.param(
        _plate(TINY, "stacked", "WX002_")[:1]
        + _plate(TINY, "stacked", "WXY01_")[1:]
        + [replace(_plate(TINY, "stacked", "WXY01_")[7])],
        TINY,
        ["shape 8 ('1'): stands in the place of shape 7 ('1')"],
        id="tiny: a double that would find a slot",
    ),
    pytest.param(
        _put(_plate(TINY, "flat", "W_X01"), 4, label="2"),
        TINY,
        ["shape 4 ('2'): the characters '201' do not fit 'f_b', "],
        id="tiny: a digit for a letter",
    ),
    pytest.param(
        _put(_plate(TINY, "flat", "WXY01"), 1, label="s_top"),
        TINY,
        ["shape 1 ('s_top'): does not belong on a 'f_board'"],
        id="tiny: a group of the other layout",
    ),
    pytest.param(
        _put(_plate(TINY, "stacked", "WXY012"), 7, label="z"),
        TINY,
        ["shape 7 ('z'): the characters '0Z2' do not fit 's_low', whose place 2 takes 0123"],
        id="tiny: a letter among digits",
    ),
]


@pytest.mark.parametrize(("shapes", "standard", "wanted"), CASES)
def test_every_fault_is_said_of_its_shape(shapes, standard, wanted):
    found = _faults(shapes, standard)
    for fault, start in zip(found, wanted, strict=True):
        assert fault.startswith(start), found


def test_the_first_fault_is_the_message_and_the_others_are_counted():
    with pytest.raises(LabelError, match=r"shape 3 .* whose place 2 .* \(and 1 more\)$") as caught:
        _assemble(_put(_put(_two_line(), 3, label="b"), 9, points=_SQUARE), KR)
    assert "\n" not in str(caught.value)


def _jittered(shapes, rng, share):
    """Points that a hand put down a little beside where they belong."""
    height = np.ptp(shapes[0].polygon[:, 1])
    return [
        replace(
            s, points=tuple(map(tuple, s.polygon + rng.normal(0, share * height, s.polygon.shape)))
        )
        for s in shapes
    ]


def _upright(shape):
    """A shape as who draws rectangles only would draw it."""
    (x1, y1), (x2, y2) = shape.polygon.min(axis=0), shape.polygon.max(axis=0)
    return replace(shape, points=((x1, y1), (x2, y1), (x2, y2), (x1, y2)))


@pytest.mark.parametrize("standard", [KR, TINY], ids=["kr", "tiny"])
def test_what_hands_do_is_no_fault(standard):
    rng = np.random.default_rng(11)
    for case in range(200):
        layout = standard.layouts[case % len(standard.layouts)]
        characters = random_characters(layout, rng)
        matrix = affine(200, layout.aspect, (200, 150), rng.uniform(-20, 20))
        plate = draw_plate(standard, layout, characters, matrix, [None, 3][case % 2])
        shapes = _jittered(list(plate.shapes), rng, 0.02)
        if case % 3 == 1:
            # Rectangles round what stands on a turned plate hold more than that.
            shapes = [shapes[0], *map(_upright, shapes[1:])]
        if case % 5 == 1:
            # A group's polygon is missing, or all are.
            groups = [s.label for s in shapes if s.label in standard.group_labels]
            gone = groups[:1] if case % 2 else groups
            shapes = [s for s in shapes if s.label not in gone]
        if case % 4 == 2:
            # Only some shapes have the group_id.
            shapes = [
                replace(s, group_id=s.group_id if rng.random() < 0.5 else None) for s in shapes
            ]
        (found,) = _assemble(shapes, standard)
        if case % 5 != 1:
            assert found.reading.text == plate.text


@pytest.mark.parametrize("standard", [KR, TINY], ids=["kr", "tiny"])
def test_property_broken_plates_are_refused_with_reasons_and_nothing_else_happens(standard):
    rng = np.random.default_rng(5)
    labels = [*standard.classes, "other"]
    num_refused = 0
    for _ in range(400):
        shapes = []
        for number in range(rng.integers(0, 3)):
            layout = standard.layouts[rng.integers(len(standard.layouts))]
            matrix = affine(150, layout.aspect, rng.uniform(80, 300, 2), rng.uniform(-180, 180))
            group_id = [None, number][rng.integers(2)]
            plate = draw_plate(standard, layout, random_characters(layout, rng), matrix, group_id)
            shapes += plate.shapes
        for _ in range(rng.integers(0, 5)):
            if not shapes:
                break
            i = int(rng.integers(len(shapes)))
            kind = rng.integers(6)
            if kind == 0:
                del shapes[i]
            elif kind == 1:
                shapes[i] = replace(shapes[i], label=str(rng.choice(labels)))
            elif kind == 2:
                shapes[i] = _moved(shapes[i], *rng.normal(0, 60, 2))
            elif kind == 3:
                shapes.insert(
                    int(rng.integers(len(shapes))), _moved(shapes[i], *rng.normal(0, 9, 2))
                )
            elif kind == 4:
                shapes[i] = replace(shapes[i], group_id=[None, 0, 1, 7][rng.integers(4)])
            else:
                shapes[i] = replace(shapes[i], points=shapes[i].points[:3])
        faults: tuple[str, ...] = ()
        try:
            plates = _assemble(shapes, standard)
        except LabelError as error:
            faults = error.faults
            num_refused += 1
        if faults:
            numbers = [int(fault.split()[1].rstrip(":")) for fault in faults]
            assert numbers == sorted(numbers)
            assert set(numbers) <= set(range(len(shapes)))
            assert len(set(faults)) == len(faults)
        else:
            used = sorted(i for p in plates for i in (p.board, *p.members))
            assert used == list(range(len(shapes)))
    assert 150 < num_refused < 390
