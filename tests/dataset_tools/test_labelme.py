"""Label files: what we write labelme opens, what labelme writes we read, the rest is refused."""

from __future__ import annotations

import json

import pytest
from labelme._label_file import LabelFile
from PIL import Image

from dataset_tools.labelme import (
    NO_PLATE,
    Annotation,
    Shape,
    annotation_json,
    read_annotation,
)
from dataset_tools.validation import validate
from sub_module.errors import DataError, LabelError
from tests.factories import affine, draw_plate, write_pair, write_set
from tests.standards import tiny_standard

TRIANGLE = [[1, 2], [30, 4], [20, 25]]


def _raw(**changes):
    shape = {"label": "w", "points": TRIANGLE, "group_id": None, "shape_type": "polygon"}
    raw = {"shapes": [shape], "imagePath": "a.jpg", "imageWidth": 64, "imageHeight": 48}
    raw["shapes"][0] |= changes.pop("shape", {})
    return raw | {"imageData": None} | changes


def _read(tmp_path, raw):
    path = tmp_path / "a.json"
    path.write_text(raw if isinstance(raw, str) else json.dumps(raw))
    return read_annotation(path, tiny_standard())


def test_annotation_survives_the_file(tmp_path):
    annotation = Annotation(
        "dir é.jpg",
        64,
        48,
        (
            Shape("w", ((1.25, 2.5), (30.0, 4.0), (20.0, 25.0)), 3),
            Shape("f_board", ((0.0, 0.0), (60.0, 0.0), (60.0, 40.0), (0.0, 40.0)), None),
        ),
    )
    assert _read(tmp_path, annotation_json(annotation)) == annotation
    assert annotation_json(annotation) == annotation_json(annotation)


def test_what_is_no_plate_is_labelled_in_any_standard(tmp_path):
    window = Shape(NO_PLATE, ((1.0, 2.0), (30.0, 4.0), (20.0, 25.0)), None)
    annotation = Annotation("a.jpg", 64, 48, (), no_plates=(window,))
    assert _read(tmp_path, annotation_json(annotation)) == annotation


def test_faults_count_shapes_as_the_file_does(tmp_path):
    """A character without a board is the second shape, after what is no plate."""
    window = {"label": NO_PLATE, "points": [[1, 2], [30, 4], [20, 25]], "shape_type": "polygon"}
    stray = {"label": "w", "points": [[1, 2], [30, 4], [20, 25]], "shape_type": "polygon"}
    raw = json.loads(annotation_json(Annotation("a.jpg", 64, 48, ())))
    (tmp_path / "a.json").write_text(json.dumps(raw | {"shapes": [window, stray]}))
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    (problem,) = validate(tmp_path, tiny_standard()).problems
    assert problem.reason.startswith("shape 1 ('w')")
    flat = window | {"points": [[1, 2], [30, 4]]}
    (tmp_path / "a.json").write_text(json.dumps(raw | {"shapes": [flat]}))
    (problem,) = validate(tmp_path, tiny_standard()).problems
    assert problem.reason == "shape 0 ('no_plate'): its polygon has 2 points, it needs 3 or more"


def test_coordinates_are_rounded():
    annotation = Annotation("a.jpg", 64, 48, (Shape("w", ((1 / 3, 2), (9, 2), (9, 9)), None),))
    assert json.loads(annotation_json(annotation))["shapes"][0]["points"][0] == [0.33, 2]


def test_labelmes_own_loader_opens_what_we_write(tmp_path):
    standard = tiny_standard()
    plates = write_set(tmp_path, standard, 2)
    for i, plate in enumerate(plates):
        loaded = LabelFile(str(tmp_path / f"{i:06d}.json"))
        assert loaded.image_path == f"{i:06d}.jpg"
        assert loaded.image_data == (tmp_path / f"{i:06d}.jpg").read_bytes()
        assert [s["label"] for s in loaded.shapes] == [s.label for s in plate.shapes]
        assert {s["shape_type"] for s in loaded.shapes} == {"polygon"}


def test_we_read_what_labelme_writes(tmp_path):
    write_set(tmp_path, tiny_standard(), 1)
    path = tmp_path / "000000.json"
    before = read_annotation(path, tiny_standard())
    loaded = LabelFile(str(path))
    shapes = [{k: v for k, v in s.items() if k != "other_data"} for s in loaded.shapes]
    loaded.save(str(path), shapes, loaded.image_path, 240, 320, image_data=loaded.image_data)
    assert read_annotation(path, tiny_standard()) == before


@pytest.mark.parametrize(
    ("raw", "points", "reason"),
    [
        (
            _raw(shape={"shape_type": "rectangle", "points": [[1, 2], [30, 20]]}),
            ((1, 2), (30, 2), (30, 20), (1, 20)),
            "a rectangle is two corners",
        ),
        (_raw(shape={"points": [[-1, 2], [30, 4], [20, 25]]}), None, "a slip over the edge"),
        (_raw(shape={"shape_type": None}), None, "old files name no type"),
    ],
)
def test_shapes_of_other_hands(tmp_path, raw, points, reason):
    (shape,) = _read(tmp_path, raw).shapes
    assert shape.points == (points or tuple(map(tuple, raw["shapes"][0]["points"]))), reason


def test_image_path_of_another_machine_keeps_its_name(tmp_path):
    assert _read(tmp_path, _raw(imagePath="..\\photos\\x.jpg")).image_name == "x.jpg"
    assert _read(tmp_path, _raw(imagePath="../../etc/x.jpg")).image_name == "x.jpg"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", "no valid JSON"),
        ("", "no valid JSON"),
        ("[" * 100_000, "no valid JSON"),
        ("[]", "no list of shapes"),
        ({"images": []}, "no list of shapes"),
        (_raw(imagePath=None), "no imagePath"),
        (_raw(imagePath="C:\\"), "imagePath names no file: ''"),
        (_raw(imagePath="a\n\x1b[31m.jpg"), r"names no file: 'a\\n\\x1b\[31m.jpg'"),
        (_raw(imagePath="\ud800.jpg"), r"names no file: '\\ud800.jpg'"),
        (_raw(imagePath="a" * 300), "names no file: 'a{40}'\\.\\.\\.$"),
        (_raw(imagePath="é" * 150), "names no file"),
        (_raw(imageWidth="64"), "imageWidth must be a number of pixels, not '64'"),
        (_raw(imageHeight=0), "imageHeight must be"),
        (_raw(shapes=[7]), "shape 0: no JSON object"),
        (_raw(shape={"label": "q"}), "shape 0: unknown label 'q'"),
        (_raw(shape={"label": ["w"]}), r"unknown label \['w'\]"),
        (_raw(shape={"points": TRIANGLE[:2]}), r"shape 0 \('w'\): its polygon has 2 points"),
        (_raw(shape={"points": None}), "its polygon has 0 points"),
        (_raw(shape={"points": [1, 2, 3]}), "pairs of numbers"),
        (_raw(shape={"points": [[1, 2], [3, "x"], [5, 6]]}), "pairs of numbers"),
        (_raw(shape={"points": [[1, 2], [10**400, 4], [5, 6]]}), "pairs of numbers"),
        (_raw(shape={"points": [[1, 2], [float("nan"), 4], [5, 6]]}), "lies outside"),
        (_raw(shape={"points": [[1, 2], [90, 4], [5, 6]]}), r"\(90, 4\) lies outside of the 64x48"),
        (
            _raw(shape={"label": "f_board", "points": [[1, 2], [1e308, 4], [5, 6]]}),
            r"\(1e\+308, 4\) lies outside",
        ),
        (_raw(shape={"points": [[1, 1], [2, 2], [3, 3]]}), "no area"),
        (_raw(shape={"shape_type": "circle", "points": TRIANGLE[:2]}), "is a 'circle'"),
        (_raw(shape={"shape_type": "a\nb"}), r"is a 'a\\nb'"),
        (_raw(shape={"group_id": "one"}), "group_id must be a whole number"),
    ],
)
def test_bad_label_file_is_refused_in_one_line(tmp_path, raw, message):
    with pytest.raises(DataError, match=message) as caught:
        _read(tmp_path, raw)
    assert str(caught.value).startswith(f"{tmp_path / 'a.json'}: ")
    assert "\n" not in str(caught.value)


def _edited(tmp_path, **changes):
    """A label file of one flat plate WXY01; shapes by number, each with what changes."""
    standard = tiny_standard()
    layout = standard.layout("flat")
    plate = draw_plate(standard, layout, list("WXY01"), affine(200, 4, (160, 120), 5))
    path = write_pair(tmp_path, "a", [plate])
    raw = json.loads(path.read_text())
    for number, change in changes.items():
        raw["shapes"][int(number.removeprefix("shape"))] |= change
    path.write_text(json.dumps(raw))
    return path


def test_every_fault_of_a_file_is_told(tmp_path):
    # Board 0; f_a 1, w 2, x 3; f_b 4, y 5, 0 6, 1 7.
    path = _edited(
        tmp_path,
        shape2={"label": "q", "group_id": "one"},
        shape3={"points": [[5, 5], [9, 5], [9, 9]]},
        shape4={"points": [[1, 2]]},
        shape7={"label": "z"},
    )
    with pytest.raises(LabelError, match=r"unknown label 'q' \(and 4 more\)$") as caught:
        read_annotation(path, tiny_standard())
    faults = [fault.removeprefix(f"{path}: ") for fault in caught.value.faults]
    assert faults == [
        "shape 2: unknown label 'q'",
        "shape 2: group_id must be a whole number or null, not 'one'",
        "shape 3 ('x'): lies on no board",
        "shape 4 ('f_b'): its polygon has 1 point, it needs 3 or more",
        "shape 7 ('z'): the characters 'Y0Z' do not fit 'f_b', whose place 3 takes 0123",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"shape0": {"label": "board"}}, "what lies on it is not blamed"),
        ({"shape0": {"points": [[1, 2]]}}, "nobody knows where the board is"),
        ({"shape6": {"label": "O"}}, "its slot is not empty"),
        ({"shape6": {"points": "?"}}, "its slot is not empty"),
        ({"shape4": {"shape_type": "line"}}, "a group may be missing"),
        ({"shape7": {"points": [[500, 1], [510, 1], [510, 9]]}}, "outside is where it lies"),
        ({"shape7": {"group_id": "one"}}, "all else is in order"),
    ],
)
def test_one_mistake_is_one_fault(tmp_path, changes, reason):
    with pytest.raises(LabelError) as caught:
        read_annotation(_edited(tmp_path, **changes), tiny_standard())
    assert len(caught.value.faults) == 1, reason


@pytest.mark.parametrize(
    ("flags", "is_reviewed"),
    [
        ({}, True),
        ({"reviewed": True}, True),
        ({"reviewed": False}, False),
        ({"night": False}, True),
        (None, True),
    ],
)
def test_only_what_says_so_is_not_reviewed(tmp_path, flags, is_reviewed):
    assert _read(tmp_path, _raw(flags=flags)).reviewed is is_reviewed


def test_a_proposal_says_that_nobody_reviewed_it(tmp_path):
    shape = Shape("w", ((1.0, 2.0), (30.0, 4.0), (20.0, 25.0)), None)
    proposal = Annotation("a.jpg", 64, 48, (shape,), reviewed=False)
    assert json.loads(annotation_json(proposal))["flags"] == {"reviewed": False}
    assert _read(tmp_path, annotation_json(proposal)) == proposal


def test_missing_or_binary_label_file(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_annotation(tmp_path / "none.json", tiny_standard())
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no valid JSON"):
        read_annotation(tmp_path / "b.json", tiny_standard())
