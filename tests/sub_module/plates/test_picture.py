"""Readings as drawings for a terminal and as annotated pictures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from sub_module.errors import ConfigError
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.instances import Instances
from sub_module.plates.picture import annotate, outlined, terminal_plate, text_of
from tests.standards import TINY, kr_standard, tiny_standard

_KR, _TINY = kr_standard(), tiny_standard()


def _reading(
    layout: str,
    fields: tuple[str, str, str] = ("12", "A", "3456"),
    box: tuple[float, float, float, float] = (20, 40, 100, 80),
    score: float = 0.9,
    text: str | None = None,
) -> PlateReading:
    x1, y1, x2, y2 = box
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return PlateReading(layout, box, corners, *fields, text or "".join(fields), score)


def _wide() -> PlateStandard:
    """The small standard with letters that take two columns each."""
    config = json.loads(json.dumps(TINY).replace("WXYZ", "가나다라"))
    return PlateStandard.from_config({**config, "classes": [*TINY["classes"], *"가나다라"]})


@pytest.mark.parametrize(
    ("standard", "layout", "fields", "lines", "reason"),
    [
        (_KR, "two_line", ("12", "A", "3456"), ["  1 2 A  ", " 3 4 5 6 "], "rows are rows"),
        (_KR, "one_line", ("12", "A", "3456"), [" 1 2 A   3 4 5 6 "], "groups are set apart"),
        (_KR, "r_board", ("12", "A", "3456"), ["  1 2 A  ", " 3 4 5 6 "], "the label will do"),
        (_TINY, "stacked", ("", "WXY", "012"), [" W X Y ", " 0 1 2 "], "another standard"),
        (_TINY, "stacked", ("", "WXY", "01"), [" W X Y ", "  0 1  "], "an optional slot is empty"),
        (_TINY, "flat", ("W", "X", "01"), [" W   X 0 1 "], "the fields tell where X stands"),
        (_TINY, "flat", ("WX", "", "01"), [" W X   0 1 "], "the same text, read otherwise"),
        (_wide(), "stacked", ("", "가나다", "01"), [" 가 나 다 ", "   0 1    "], "wide letters"),
        (_KR, "two_line", ("", "", "9"), [" 9 "], "a text that does not fit is one row"),
        (_KR, "two_line", ("", "", ""), ["  "], "nothing was read"),
    ],
)
def test_terminal_plate(
    standard: PlateStandard,
    layout: str,
    fields: tuple[str, str, str],
    lines: list[str],
    reason: str,
) -> None:
    top, *rows, bottom = terminal_plate(_reading(layout, fields), standard).split("\n")
    assert [row.strip("│")[1:-1] for row in rows] == lines, reason
    assert top == "╭" + "─" * (len(top) - 2) + "╮", reason
    assert bottom == "╰" + "─" * (len(top) - 2) + "╯", reason


def test_rows_that_may_share_a_text_in_several_ways_are_drawn_as_one() -> None:
    config = json.loads(json.dumps(TINY))
    top, low = (row["groups"][0]["slots"] for row in config["layouts"][0]["rows"])
    for slot in (*top, *low):
        slot.update(field="serial", alphabet="WXYZ0123")
    standard = PlateStandard.from_config(config)
    # Five characters in three slots and two or three: only the last slot may be left out.
    known = _reading("stacked", ("", "", "WX012"))
    assert " W X 0 " in terminal_plate(known, standard)
    top[2]["optional"] = True
    either = _reading("stacked", ("", "", "WX012"))
    assert " W X 0 1 2 " in terminal_plate(either, PlateStandard.from_config(config))


@pytest.mark.parametrize(
    ("grammar", "raw", "shown"),
    [
        ("", "", "12A3456"),
        ("KR", "", "12A3456 (KR)"),
        ("", "12A345G", "12A3456 (raw 12A345G)"),
        ("KR", "12A345G", "12A3456 (KR; raw 12A345G)"),
    ],
)
def test_the_grammar_and_the_raw_text_stand_beside_it(grammar: str, raw: str, shown: str) -> None:
    reading = replace(_reading("one_line"), grammar=grammar, raw=raw or "12A3456")
    assert text_of(reading) == shown


def test_an_unknown_layout_is_named() -> None:
    with pytest.raises(ConfigError, match="flat"):
        terminal_plate(_reading("flat"), _KR)
    with pytest.raises(ConfigError, match="flat"):
        annotate(_grey(50, 50), [_reading("flat")], _KR)


def _grey(width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 128, np.uint8)


def _painted(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((picture != 128).any(axis=2))


def test_annotate_leaves_the_callers_array_alone() -> None:
    image = _grey(320, 240)
    image.flags.writeable = False
    picture = annotate(image, [_reading("one_line")], _KR)
    assert (picture.shape, picture.dtype) == (image.shape, image.dtype)
    assert _painted(picture).any()
    assert not _painted(image).any()


def test_annotate_of_no_reading_is_a_copy() -> None:
    image = _grey(40, 30)
    picture = annotate(image, [], _KR)
    assert (picture == image).all()
    assert not np.shares_memory(picture, image)


def test_annotate_outlines_the_plate_and_leaves_its_inside() -> None:
    painted = _painted(annotate(_grey(320, 240), [_reading("one_line")], _KR))
    assert painted[40, 20:101].all(), "the top edge"
    assert painted[80, 20:101].all(), "the bottom edge"
    assert not painted[48:75, 30:95].any()
    assert painted[22:36, 22:60].mean() > 0.9, "the label above"


@pytest.mark.parametrize(
    ("size", "box", "reason"),
    [
        ((320, 240), (100, 2, 180, 30), "no room above: the label goes below"),
        ((320, 240), (290, 100, 318, 110), "at the right edge"),
        ((320, 240), (-20, -10, 30, 10), "partly outside"),
        ((320, 240), (0, 0, 320, 240), "as large as the picture"),
        ((24, 16), (2, 8, 20, 14), "a picture smaller than the label"),
        ((4000, 30), (100, 5, 160, 25), "a strip"),
    ],
)
def test_the_label_lies_whole_in_the_picture(
    size: tuple[int, int], box: tuple[float, float, float, float], reason: str
) -> None:
    alone = annotate(_grey(*size), [_reading("one_line", box=box, score=1)], _KR)
    white = (alone == 255).all(axis=2)
    assert white.any(), reason
    # Letters never touch the rim: what is cut off would.
    assert not white[:, 0].any(), reason
    assert not white[:, -1].any(), reason


def test_lines_and_letters_grow_with_the_picture() -> None:
    box = (500.0, 400.0, 700.0, 450.0)
    heights = []
    for scale in (1, 4):
        reading = _reading("one_line", box=tuple(scale * v for v in box))  # type: ignore[arg-type]
        picture = annotate(_grey(1000 * scale, 800 * scale), [reading], _KR)
        rows = np.flatnonzero(_painted(picture)[: 390 * scale].any(axis=1))
        heights.append(rows.max() - rows.min())
    assert 3.5 < heights[1] / heights[0] < 4.5


def test_layouts_differ_in_colour_and_truth_has_no_score() -> None:
    corner = [
        annotate(_grey(320, 240), [_reading(layout)], _KR)[40, 60].tolist()
        for layout in ("one_line", "two_line")
    ]
    assert corner[0] != corner[1]
    widths = [
        np.flatnonzero(_painted(annotate(_grey(320, 240), [r], _KR))[30]).max()
        for r in (_reading("one_line", score=1), _reading("one_line", score=0.99))
    ]
    assert widths[0] < widths[1]


def test_outlines_of_groups_and_characters() -> None:
    image = np.full((60, 120, 3), 128, np.uint8)
    assert (outlined(image, None, _KR) == image).all()
    square = np.array([[10, 10], [40, 10], [40, 40], [10, 40]], np.float32)
    labels = (_KR.board_labels[0], _KR.group_labels[0], "0")
    instances = Instances(
        labels,
        np.ones(3, np.float32),
        np.zeros((3, 4), np.float32),
        (square + np.float32([70, 0]), square, square + np.float32([30, 0])),
    )
    drawn = outlined(image, instances, _KR)
    assert (image == 128).all(), "the caller's stays as it is"
    assert (drawn[20, 10] != 128).any()
    assert (drawn[20, 70] != drawn[20, 10]).any(), "a character looks otherwise than its group"
    assert (drawn[20, 110] == 128).all(), "the board is marked with its reading"
