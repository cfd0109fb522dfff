"""Plates out of labelled polygons: any turn, any perspective, several boards, broken labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sub_module.errors import DataError
from sub_module.plates.assemble import assemble_plates
from tests.factories import affine, draw_plate, random_characters
from tests.standards import kr_standard, tiny_standard

STANDARDS = {"kr": kr_standard(), "tiny": tiny_standard()}
LAYOUTS = [(name, layout.name) for name, s in STANDARDS.items() for layout in s.layouts]


def _assemble(shapes, standard):
    return assemble_plates(
        [shape.label for shape in shapes],
        [shape.polygon for shape in shapes],
        [shape.group_id for shape in shapes],
        standard,
    )


def _random_plate(standard, layout, matrix, seed=0, **options):
    characters = random_characters(layout, np.random.default_rng(seed))
    return draw_plate(standard, layout, characters, matrix, **options)


def _perspective(strength):
    return np.array([[1, 0, 0], [0, 1, 0], [strength, strength / 2, 1]])


@pytest.mark.parametrize(("name", "layout_name"), LAYOUTS)
@pytest.mark.parametrize("with_groups", [True, False])
@pytest.mark.parametrize("degrees", [-30, -12, 0, 17, 30])
@pytest.mark.parametrize("strength", [0, 0.0008])
def test_reads_turned_and_tilted_plates(name, layout_name, with_groups, degrees, strength):
    standard = STANDARDS[name]
    layout = standard.layout(layout_name)
    turned = affine(200, layout.aspect, (200, 150), degrees)
    for seed in range(5):
        plate = _random_plate(
            standard, layout, _perspective(strength) @ turned, seed, with_groups=with_groups
        )
        (found,) = _assemble(plate.shapes, standard)
        assert (found.reading.layout, found.reading.text) == (plate.layout, plate.text)
        np.testing.assert_allclose(found.reading.corners, plate.corners, atol=1e-6)
        assert found.reading.score == 1


def test_property_affine_maps_change_places_and_nothing_else():
    rng = np.random.default_rng(7)
    for _ in range(150):
        standard = STANDARDS[str(rng.choice(list(STANDARDS)))]
        layout = standard.layouts[rng.integers(len(standard.layouts))]
        characters = random_characters(layout, rng)
        matrix = affine(
            rng.uniform(30, 800),
            layout.aspect * rng.uniform(0.7, 1.4),
            (rng.uniform(0, 2000), rng.uniform(0, 2000)),
            rng.uniform(-40, 40),
            rng.uniform(-0.25, 0.25),
        )
        plate = draw_plate(standard, layout, characters, matrix, with_groups=rng.random() < 0.5)
        order = rng.permutation(len(plate.shapes))
        (found,) = _assemble([plate.shapes[i] for i in order], standard)
        # The order of shapes in a file means nothing.
        assert found.reading.text == plate.text
        assert [c for _, c in found.characters] == list(plate.text)
        assert order[found.board] == 0
        assert sorted([found.board, *found.members]) == list(range(len(plate.shapes)))
        corners = np.array([[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]]) @ matrix.T
        np.testing.assert_allclose(found.reading.corners, corners[:, :2], atol=1e-6)


@pytest.mark.parametrize("degrees", [90, 135, 180, -90])
def test_groups_and_grammar_tell_which_way_up(degrees):
    standard = STANDARDS["kr"]
    for layout in standard.layouts:
        plate = _random_plate(standard, layout, affine(200, layout.aspect, (200, 200), degrees))
        (found,) = _assemble(plate.shapes, standard)
        assert found.reading.text == plate.text
        np.testing.assert_allclose(found.reading.corners, plate.corners, atol=1e-6)


def test_fields_and_optional_slots():
    standard = STANDARDS["tiny"]
    layout = standard.layout("flat")
    for characters, expected in [
        (["W", "X", "Y", "0", "1"], ("WX", "Y", "01")),
        (["W", None, None, "0", "1"], ("W", "", "01")),
        # Only the groups' polygons tell these two apart.
        (["W", "X", None, "0", "1"], ("WX", "", "01")),
        (["W", None, "X", "0", "1"], ("W", "X", "01")),
    ]:
        plate = draw_plate(standard, layout, characters, affine(200, 4, (200, 100), 10))
        reading = _assemble(plate.shapes, standard)[0].reading
        assert (reading.region, reading.symbol, reading.serial) == expected


def test_class_labels_become_the_characters_of_texts():
    standard = STANDARDS["kr"]
    plate = draw_plate(standard, standard.layouts[0], list("12A3456"), affine(200, 2, (200, 100)))
    assert "a" in [shape.label for shape in plate.shapes]
    reading = _assemble(plate.shapes, standard)[0].reading
    assert (reading.text, reading.region, reading.symbol, reading.serial) == (
        "12A3456",
        "12",
        "A",
        "3456",
    )


@pytest.mark.parametrize("ids", [(None, None), (1, 2), (5, 5)])
def test_two_plates_side_by_side(ids):
    standard = STANDARDS["kr"]
    layout = standard.layout("one_line")
    plates = [
        _random_plate(
            standard, layout, affine(150, 4.7, (100 + 152 * i, 80), 8), i, group_id=ids[i]
        )
        for i in range(2)
    ]
    mixed = [shape for pair in zip(*(p.shapes for p in plates), strict=True) for shape in pair]
    found = _assemble(mixed, standard)
    assert [plate.reading.text for plate in found] == [plate.text for plate in plates]


def test_group_id_outweighs_geometry():
    # The second plate stands in front of the first: its characters lie on both boards.
    standard = STANDARDS["kr"]
    layout = standard.layout("two_line")
    back = _random_plate(standard, layout, affine(300, 2, (200, 150)), 1, group_id=1)
    front = _random_plate(standard, layout, affine(300, 2, (230, 165)), 2, group_id=2)
    found = _assemble((*back.shapes, *front.shapes), standard)
    assert [plate.reading.text for plate in found] == [back.text, front.text]
    anonymous = [replace(shape, group_id=None) for shape in (*back.shapes, *front.shapes)]
    with pytest.raises(DataError, match="do not fit"):
        _assemble(anonymous, standard)


def test_no_shapes_no_plates():
    assert _assemble([], STANDARDS["kr"]) == []


def _without(plate, label):
    return [shape for shape in plate.shapes if shape.label != label]


@pytest.mark.parametrize(
    ("change", "message", "reason"),
    [
        (lambda p: [replace(p.shapes[0], label="x"), *p.shapes[1:]], "unknown label 'x'", "typo"),
        (lambda p: _without(p, "r_board"), "lies on no board", "board forgotten"),
        (lambda p: p.shapes[:-1], "do not fit the layout two_line", "a character forgotten"),
        (lambda p: p.shapes[:1], r"\(none\) do not fit", "a bare board"),
        (
            lambda p: [replace(s, label="l_s_n") if s.label == "r_s_n" else s for s in p.shapes],
            "does not belong on a 'r_board'",
            "a group of the other layout",
        ),
        (
            lambda p: [
                replace(p.shapes[0], points=((-400, -100), (800, -100), (200, 600))),
                *p.shapes[1:],
            ],
            "no quadrangle",
            "a triangle for a board",
        ),
        (
            lambda p: [*p.shapes, replace(p.shapes[-1], points=((0, 0), (5, 0), (5, 5)))],
            "lies on no board",
            "a character far away",
        ),
    ],
)
def test_what_is_no_plate_is_refused(change, message, reason):
    standard = STANDARDS["kr"]
    plate = draw_plate(standard, standard.layouts[0], list("12A3456"), affine(200, 2, (200, 100)))
    with pytest.raises(DataError, match=message):
        _assemble(change(plate), standard)
