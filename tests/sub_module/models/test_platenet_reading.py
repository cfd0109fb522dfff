"""How platenet's reader goes about it, with networks whose answers are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sub_module.datasets.coco import load_image
from sub_module.engine.checkpoint import build_model
from sub_module.engine.infer import SHIPPED_MODEL, load_detector
from sub_module.errors import ConfigError, ModelError
from sub_module.export.runtime import OnnxDetector
from sub_module.metrics.calibration import calibrated
from sub_module.models.platenet.decode import RowTexts
from sub_module.models.platenet.settings import ReadingSettings
from sub_module.models.platenet.turned import legibility, turned_back
from sub_module.models.platenet.vote import vote
from sub_module.models.reader import Reader, build_reader, what_is_missing
from sub_module.plates import PlateReading, PlateStandard
from sub_module.plates.geometry import region_corners
from tests.standards import REPOSITORY, TINY, kr_standard, tiny_standard
from tests.sub_module.small import SIZES, small_config

READING = {
    "min_heat": 0.15,
    "min_plate": 0.3,
    "min_score": 0.0,
    "max_plates": 8,
    "num_refinements": 1,
    "overlap": 0.4,
}
COLUMNS = 24
_any = {"field": "serial", "alphabet": "01OI"}
_maybe = {**_any, "optional": True}


def free_standard(**changes: Any) -> PlateStandard:
    """One line of two to four characters, and two lines; every slot takes every character."""

    def row(box: list[float], label: str, slots: list[dict[str, Any]]) -> dict[str, Any]:
        return {"box": box, "groups": [{"label": label, "box": box, "slots": slots}]}

    config = {
        "name": "free",
        "layouts": [
            {
                "name": "one_line",
                "label": "one",
                "aspect": 4.0,
                "rows": [row([0, 0, 1, 1], "text", [_any, _any, _maybe, _maybe])],
            },
            {
                "name": "two_line",
                "label": "two",
                "aspect": 1.5,
                "rows": [
                    row([0, 0, 1, 0.5], "top", [_any, _maybe]),
                    row([0, 0.5, 1, 1], "low", [_any, _maybe]),
                ],
            },
        ],
        "colours": [{"background": [255, 255, 255], "text": [0, 0, 0]}],
        "classes": [*"01OI", "one", "two", "text", "top", "low"],
    }
    return PlateStandard.from_config({**config, **changes})


class GivenNetworks:
    """One plate at some place, of some layout, whose strips show given columns in turn."""

    def __init__(
        self,
        standard: PlateStandard,
        strips: Sequence[str],
        layout: int = 0,
        box: tuple[float, float, float, float] = (20, 30, 100, 50),
        sureness: float = 0.96,
    ) -> None:
        self.standard, self.strips, self.layout = standard, strips, layout
        self.corners, self.sureness = region_corners(box), sureness

    def run(self, graph: str, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        return {"detect": self.detect, "refine": self.refine, "read": self.read}[graph](inputs)

    def detect(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        heat = np.zeros((1, 1, 12, 16), np.float32)
        heat[0, 0, 5, 7] = 0.9
        corners = np.zeros((1, 8, 12, 16), np.float32)
        corners[0, :, 5, 7] = ((self.corners - (60, 44)) / 8).ravel()
        return heat, corners

    def refine(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        layouts = np.full((1, len(self.standard.layouts)), 0.1, np.float32)
        layouts[0, self.layout] = 0.8
        return np.zeros((1, 4, 2), np.float32), layouts, np.ones((1, 1), np.float32)

    def read(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        assert len(inputs) == len(self.strips)
        alphabet = self.standard.alphabet
        rest = (1 - self.sureness) / len(alphabet)
        columns = np.full((len(self.strips), COLUMNS, 1 + len(alphabet)), rest, np.float32)
        for strip, labels in zip(columns, self.strips, strict=True):
            for column, label in zip(strip, labels.ljust(COLUMNS, "_"), strict=True):
                column[0 if label == "_" else 1 + alphabet.index(label)] = self.sureness
        return (columns,)


def reader_of(
    networks: GivenNetworks, standard: PlateStandard | None = None, **reading: Any
) -> Reader:
    config = {"type": "PlateNet", "sizes": SIZES, "reading": {**READING, **reading}}
    return build_reader(config, standard or networks.standard, networks, networks.standard)


def read(
    networks: GivenNetworks, standard: PlateStandard | None = None, **reading: Any
) -> list[PlateReading]:
    image = np.zeros((96, 128, 3), np.uint8)
    return list(reader_of(networks, standard, **reading).find([image])[0].readings)


MARGINS = [0.0, 0.05, 0.1, -0.05]


def test_looks_that_agree_on_the_length_decide() -> None:
    strips = ["_00_11_", "_00_11_", "_0_0_0_", "_00_1I1_"]
    (found,) = read(GivenNetworks(free_standard(), strips), margins=MARGINS)
    assert found.text == found.raw == "01"
    # Three of four agree; one of them is torn in its second character, two thirds of it a 1.
    assert found.score == pytest.approx(0.75 * 0.95 * (0.95 + 0.95 + 0.64) / 3, abs=0.03)


def test_a_plate_on_which_too_few_looks_agree_is_none() -> None:
    networks = GivenNetworks(free_standard(), ["_0_1_", "_0_1_1_", "_0_1_1_0_", "_0_1_1_"])
    assert read(networks, margins=MARGINS, min_agreeing=1)
    assert not read(networks, margins=MARGINS, min_agreeing=3)


def test_short_texts_are_dropped() -> None:
    networks = GivenNetworks(free_standard(), ["_0_1_1_"])
    assert len(read(networks, min_characters=3)) == 1
    assert not read(networks, min_characters=4)


class TurnableNetworks(GivenNetworks):
    """Reads differently what is turned: `turned` are the strips mirrored, and after a half turn."""

    def __init__(self, standard: PlateStandard, upright: list[str], turned: list[str]) -> None:
        super().__init__(standard, upright)
        self.asked = [turned, upright]

    def read(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        self.strips = self.asked.pop()
        return super().read(inputs)


@pytest.mark.parametrize(
    ("turned", "is_kept"),
    [
        (["________", "_0_1____"], True),
        # As legible: a text of characters that look the same in a mirror.
        (["_1_0____", "________"], True),
        # Two characters more, each surer than not, are more than 1.2 times as legible.
        (["_0_1_0_1", "________"], False),
        (["________", "_0_1_0_1"], False),
    ],
)
def test_a_plate_that_reads_better_turned_is_dropped(turned: list[str], is_kept: bool) -> None:
    networks = TurnableNetworks(free_standard(), ["_0_1____"], turned)
    assert bool(read(networks, max_turned=1.2)) == is_kept
    networks = TurnableNetworks(free_standard(), ["_0_1____"], turned)
    assert read(networks), "nobody looks"


def test_legibility() -> None:
    probabilities = np.array([[0.9, 0.1], [0.25, 0.2], [0.0, 0.0]])
    filled = np.array([True, True, False])
    assert np.exp(legibility(probabilities, filled)) == pytest.approx(1.8 * 0.5, rel=1e-4)


def test_turned_back() -> None:
    mirrored, half_turn = turned_back(np.array([[1, 2], [3, 4]], np.uint8))
    assert mirrored.tolist() == [[2, 1], [4, 3]]
    assert half_turn.tolist() == [[4, 3], [2, 1]]


def test_both_rows_of_a_plate_vote_together() -> None:
    strips = ["_0_", "_0_", "_1_", "_1_1_"]
    networks = GivenNetworks(free_standard(), strips, layout=1)
    (found,) = read(networks, margins=[0.0, 0.1])
    assert (found.layout, found.raw) in {("two_line", "01"), ("two_line", "011")}
    assert found.score < 0.55


BORDERS = [
    ((20, 30, 100, 50), True, "inside"),
    ((-4, 30, 96, 50), True, "a twenty-fifth outside"),
    ((-20, 30, 80, 50), False, "a fifth outside"),
    ((20, 84, 100, 104), False, "below the border"),
]


@pytest.mark.parametrize(("box", "is_read", "reason"), BORDERS, ids=[b[2] for b in BORDERS])
def test_plates_that_leave_the_image(
    box: tuple[float, float, float, float], is_read: bool, reason: str
) -> None:
    networks = GivenNetworks(free_standard(), ["_0_1_"], box=box)
    assert bool(read(networks, max_outside=0.05)) == is_read
    assert read(networks), "without a limit all are read"


def test_a_grammar_chooses_among_look_alikes_and_the_raw_text_stands_beside() -> None:
    grammars = [{"name": "X", "patterns": ["LLDD"], "letters": "OI", "digits": "01"}]
    networks = GivenNetworks(free_standard(), ["_O_0_1_0_"], sureness=0.8)
    with_grammar = free_standard(grammars=grammars)
    (found,) = read(networks, with_grammar)
    assert (found.text, found.raw, found.grammar) == ("OO10", "O010", "X")
    assert found.serial == "OO10"
    (raw,) = read(networks, with_grammar, follows_grammar=0.01)
    assert (raw.text, raw.raw, raw.grammar) == ("O010", "O010", "")
    assert found.score < raw.score
    (as_it_is,) = read(GivenNetworks(free_standard(), ["_O_I_1_0_"]), with_grammar)
    assert (as_it_is.text, as_it_is.raw, as_it_is.grammar) == ("OI10", "OI10", "X")


def test_a_model_reads_another_standard() -> None:
    """Layouts go by their names and characters by themselves, whatever their order."""
    trained = free_standard()
    two_line = trained.to_config()["layouts"][1]
    other = free_standard(name="other", layouts=[two_line], classes=[*"IO10", "two", "top", "low"])
    # The refiner prefers the layout that the standard lacks.
    (found,) = read(GivenNetworks(trained, ["_0_", "_I_O_"], layout=0), other)
    assert (found.layout, found.text) == ("two_line", "0IO")


def test_what_a_model_lacks_is_named() -> None:
    kr, tiny = kr_standard(), tiny_standard()
    assert what_is_missing(kr, kr) is None
    assert "stacked" in str(what_is_missing(kr, tiny))
    fewer = free_standard(layouts=free_standard().to_config()["layouts"][:1])
    assert what_is_missing(free_standard(), fewer) is None
    assert "two_line" in str(what_is_missing(fewer, free_standard()))
    renamed = [{**layout, "rows": layout["rows"][:1]} for layout in TINY["layouts"]]
    assert "rows: 2, not 1" in str(
        what_is_missing(tiny, PlateStandard.from_config({**TINY, "layouts": renamed}))
    )
    letters = [{**_any, "alphabet": "01OIX"}] * 2
    row = {
        "box": [0, 0, 1, 1],
        "groups": [{"label": "text", "box": [0, 0, 1, 1], "slots": letters}],
    }
    layout = {"name": "one_line", "label": "one", "aspect": 4.0, "rows": [row]}
    more = free_standard(layouts=[layout], classes=[*"01OIX", "one", "text"])
    with pytest.raises(ModelError, match="cannot read free: it knows no character X"):
        reader_of(GivenNetworks(free_standard(), []), more)


def test_the_shipped_model_reads_a_standard_with_a_layout_fewer() -> None:
    config = kr_standard().to_config()
    fewer = PlateStandard.from_config({**config, "name": "kr1", "layouts": config["layouts"][1:]})
    detectors = [load_detector(SHIPPED_MODEL, 1), load_detector(SHIPPED_MODEL, 1, standard=fewer)]
    image = load_image(REPOSITORY / "docs" / "samples" / "coffee.jpg")
    as_kr, as_fewer = (detector.predict([image])[0] for detector in detectors)
    assert "one_line" in {reading.layout for reading in as_kr}
    assert {reading.layout for reading in as_fewer} == {"one_line"}
    own = {reading.text for reading in as_kr if reading.layout == "one_line"}
    assert own <= {reading.text for reading in as_fewer}
    first, second = detectors
    assert (second.standard, second.categories) == (fewer, ("l_board",))
    assert isinstance(first, OnnxDetector)
    assert isinstance(second, OnnxDetector)
    assert second.trained == first.standard
    assert second.version != first.version
    with pytest.raises(ModelError, match="cannot read tiny: it knows no layout stacked"):
        load_detector(SHIPPED_MODEL, 1, standard=tiny_standard())


def test_a_model_in_torch_reads_another_standard_and_its_own_again() -> None:
    kr = kr_standard()
    config = kr.to_config()
    fewer = PlateStandard.from_config({**config, "name": "kr1", "layouts": config["layouts"][1:]})
    model = build_model(small_config(kr)["model"], kr).eval()
    for standard in (fewer, kr):
        model.read_as(standard)
        assert (model.standard, model.categories) == (standard, standard.board_labels)
        assert len(model.predict([np.zeros((96, 128, 3), np.uint8)])) == 1
    with pytest.raises(ModelError, match="cannot read tiny"):
        model.read_as(tiny_standard())


def test_calibration_stretches_the_log_odds() -> None:
    assert calibrated(0.3, 1.0, 0.0) == pytest.approx(0.3)
    # Odds of 1 to 3, squared and doubled: 2 to 9.
    assert calibrated(0.25, 2.0, np.log(2)) == pytest.approx(2 / 11)
    assert 0 < calibrated(0.0, 1.0, 0.0) < calibrated(1.0, 1.0, 0.0) < 1
    networks = GivenNetworks(free_standard(), ["_0_1_"])
    (plain,), (moved,) = read(networks), read(networks, calibration=[1.0, -2.0])
    assert moved.score == pytest.approx(calibrated(plain.score, 1.0, -2.0))


def test_a_look_alone_is_the_vote() -> None:
    probabilities = np.array([[[0.9, 0.0], [0.0, 0.0]]], np.float32)
    filled = np.array([[True, False]])
    (only,) = [vote([RowTexts(probabilities, filled, np.array([0.8]))])]
    assert only.agreeing == 1
    assert only.complete == pytest.approx(0.8)
    assert only.filled.tolist() == [True, False]
    assert only.probabilities.tolist() == probabilities[0].tolist()


def test_of_two_lengths_as_frequent_the_surer_wins() -> None:
    probabilities = np.array([[[0.6], [0.0]], [[0.9], [0.9]]], np.float32)
    filled = np.array([[True, False], [True, True]])
    assert vote([RowTexts(probabilities, filled, np.ones(2))]).filled.tolist() == [True, True]


WRONG = [
    ({"margins": []}, "margins", "no look"),
    ({"margins": [0.0] * 17}, "margins", "too many looks"),
    ({"margins": [2.0]}, "margins", "a margin out of its range"),
    ({"min_agreeing": 2}, "min_agreeing", "more than looks"),
    ({"margins": 0.02}, "margins", "a number instead of looks"),
    ({"margins": None}, "margins", "no list of looks"),
    ({"margins": [[0.0]]}, "margins", "lists of looks"),
    ({"margins": [True]}, "margins", "a look that is no number"),
    ({"calibration": 0.5}, "calibration", "a number instead of two"),
    ({"calibration": [[1.0], 0.0]}, "calibration", "a slope that is a list"),
    ({"calibration": [True, 0.0]}, "calibration", "a slope that is no number"),
    ({"calibration": [1.0]}, "calibration", "one number"),
    ({"calibration": [-1.0, 0.0]}, "calibration", "scores the wrong way round"),
    ({"max_turned": 0.0}, "max_turned", "nothing would be read"),
    ({"max_turned": [1.2]}, "max_turned", "an optional number in a list"),
    ({"max_outside": "no"}, "max_outside", "text"),
    ({"min_heat": [0.1, 0.2]}, "min_heat", "several numbers"),
    ({"max_plates": [3]}, "max_plates", "a whole number in a list"),
    ({"max_plates": True}, "max_plates", "true is no number"),
    ({"max_plates": 3.5}, "max_plates", "no whole number"),
    ({"nonsense": 1}, "nonsense", "an unknown key"),
]


@pytest.mark.parametrize(("change", "named", "reason"), WRONG, ids=[w[2] for w in WRONG])
def test_settings_that_make_no_sense(change: dict[str, Any], named: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=f"model.reading.{named}"):
        ReadingSettings.from_config({"reading": {**READING, **change}})
