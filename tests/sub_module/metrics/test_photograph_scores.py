"""Figures of photographs against cases worked by hand, and slower ways to the same numbers."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from sub_module.datasets.photographs import LabelledPlate, Photograph
from sub_module.metrics.bootstrap import Estimate, ratios
from sub_module.metrics.photographs import edit_distance, score_photographs
from sub_module.plates import PlateReading
from sub_module.plates.geometry import Box


def _box(x: float) -> Box:
    return x, 0.0, x + 100, 40.0


def _photograph(**plates: float) -> Photograph:
    """Plates by text, with their left edge; `_` is a plate without a known text."""
    return Photograph(
        Path("a.jpg"),
        tuple(LabelledPlate(_box(x), text.replace("_", "")) for text, x in plates.items()),
    )


def _reading(text: str, x: float, score: float = 0.9, raw: str = "") -> PlateReading:
    x1, y1, x2, y2 = box = _box(x)
    corners = ((x1, y1), (x2, y1), (x2, y2), (x1, y2))
    return PlateReading("one_line", box, corners, "", "", text, text, score, raw)


def test_figures_by_hand() -> None:
    photographs = [
        _photograph(AB123=0, XYO9=300),
        _photograph(CD4567=0),
        _photograph(_=0),
        _photograph(),
    ]
    readings = [
        # One exact but for its hyphen; one with 0 for O, which its raw text had right.
        [_reading("AB-123", 5), _reading("XY09", 300, raw="XYO9")],
        # Two characters are wrong, one is missing; a second reading of the plate is false.
        [_reading("CD54", 0), _reading("CD4567", 20, score=0.5)],
        [_reading("QQ", 0)],
        [_reading("1", 0)],
    ]
    scores = score_photographs(photographs, readings, [0.01, 0.02, 0.03, 0.02])
    values = {name: e and e.value for name, e in scores.estimates.items()}
    assert values == {
        "recall": 1.0,
        "precision": pytest.approx(4 / 6),
        "exact": pytest.approx(1 / 3),
        "exact_o0": pytest.approx(2 / 3),
        "exact_raw": pytest.approx(2 / 3),
        "exact_raw_o0": pytest.approx(2 / 3),
        "characters": pytest.approx(1 - (0 + 1 + 3) / (5 + 4 + 6)),
        "characters_o0": pytest.approx(1 - 3 / 15),
        "ms_per_photo": pytest.approx(20),
    }
    assert scores.counts == {
        "num_photos": 4,
        "num_plates": 4,
        "num_unknown": 1,
        "num_readings": 6,
        "num_false": 2,
    }
    assert [(m.image, m.plate, m.reading, m.exact, m.exact_o0) for m in scores.matches] == [
        (0, 0, 0, True, True),
        (0, 1, 1, False, True),
        (1, 0, 0, False, False),
        (1, None, 1, False, False),
        (2, 0, 0, None, None),
        (3, None, 0, False, False),
    ]


def test_a_missed_plate_counts_for_exact_reads_and_not_for_characters() -> None:
    # A third to the side: IoU 0.5 and no less; a little further: missed.
    for x, found in ((100 / 3 - 0.01, 1), (100 / 3 + 0.01, 0)):
        scores = score_photographs([_photograph(AB1=0)], [[_reading("AB1", x)]])
        assert scores.estimates["recall"] == Estimate(found, found, found)
        assert scores.estimates["exact"] == Estimate(found, found, found)
        assert (scores.estimates["characters"] is None) == (found == 0)
        assert scores.counts["num_false"] == 1 - found


def test_a_text_that_is_much_too_long_takes_nothing_from_other_plates() -> None:
    photographs = [_photograph(AB1=0, OB2=300)]
    readings = [[_reading("AB1", 0), _reading("12345678", 300)]]
    estimates = score_photographs(photographs, readings).estimates
    # Of its distance, 7 of 3 characters, no more than 3 count.
    for name in ("characters", "characters_o0"):
        assert estimates[name] == Estimate(0.5, 0.5, 0.5)
    alone = score_photographs([_photograph(AB1=0)], [[_reading("12345678", 0)]])
    assert alone.estimates["characters"] == Estimate(0.0, 0.0, 0.0)


def _ratio(above: ArrayLike, below: ArrayLike) -> Estimate | None:
    return ratios({"of": (above, below)})["of"]


def test_what_there_is_not_has_no_figure() -> None:
    nothing = score_photographs([_photograph()], [[]])
    assert set(nothing.estimates.values()) == {None}
    assert score_photographs([], []).counts["num_photos"] == 0
    with pytest.raises(ValueError, match="shorter"):
        score_photographs([_photograph()] * 2, [[], []], [0.1])


def test_edit_distance_is_that_of_its_definition() -> None:
    @cache
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        changed = slow(a[1:], b[1:]) + (a[0] != b[0])
        return min(changed, slow(a[1:], b) + 1, slow(a, b[1:]) + 1)

    rng = random.Random(0)
    texts = ["".join(rng.choices("AB1", k=rng.randrange(7))) for _ in range(120)]
    for a, b in zip(texts, reversed(texts), strict=True):
        assert edit_distance(a, b) == slow(a, b), (a, b)
    assert edit_distance("KITTEN", "SITTING") == 3


def test_intervals_are_those_of_resampling_one_by_one() -> None:
    rng = np.random.default_rng(3)
    plates = rng.integers(0, 4, 40)
    exact = rng.binomial(plates, 0.8)
    found = _ratio(exact, plates)
    picks = rng.integers(0, 40, (4000, 40))
    low, high = np.percentile([exact[p].sum() / plates[p].sum() for p in picks], [2.5, 97.5])
    assert found is not None
    assert found.value == exact.sum() / plates.sum()
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.015)
    assert found == _ratio(exact, plates), "the same each time"
    of_plates = np.repeat(np.arange(40), plates)
    assert found.high - found.low > 0.1, f"of {len(of_plates)} plates"


def test_interval_of_one_image_and_of_rare_plates() -> None:
    assert _ratio([1], [2]) == Estimate(0.5, 0.5, 0.5)
    assert _ratio([0, 0], [0, 0]) is None
    assert _ratio([], []) is None
    assert _ratio([1.0] + [0.0] * 9, [1.0] + [0.0] * 9) == Estimate(1.0, 1.0, 1.0)
