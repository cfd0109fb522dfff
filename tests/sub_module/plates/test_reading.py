"""Readings compared."""

from __future__ import annotations

from sub_module.plates.reading import PlateReading, texts_of


def _reading(layout: str, text: str, x: float, score: float) -> PlateReading:
    corners = ((x, 0.0), (x + 9, 0.0), (x + 9, 5.0), (x, 5.0))
    return PlateReading(layout, (x, 0.0, x + 9, 5.0), corners, "", "", text, text, score)


def test_texts_tell_what_was_read_not_where_or_in_which_order() -> None:
    truth = [_reading("flat", "W0", 0, 1), _reading("flat", "X1", 50, 1)]
    found = [_reading("flat", "X1", 51, 0.9), _reading("flat", "W0", 2, 0.8)]
    assert texts_of(found) == texts_of(truth) == [("flat", "W0"), ("flat", "X1")]
    assert texts_of([_reading("stacked", "W0", 0, 1)]) != texts_of(truth[:1])
    assert texts_of([truth[0], truth[0]]) != texts_of(truth[:1])
    assert texts_of(()) == []
