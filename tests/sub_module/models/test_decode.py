"""Decoding of heat maps and of columns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sub_module.models.platenet.decode import _best_path, _grammar, decode_peaks, decode_row
from sub_module.plates import PlateStandard, Slot
from tests.factories import random_characters
from tests.standards import kr_standard, tiny_standard


def columns_of(labels: str, alphabet: str, sureness: float = 0.9) -> np.ndarray:
    """(T, 1 + A) probabilities of columns written as text, `_` for blank."""
    out = np.full((len(labels), 1 + len(alphabet)), (1 - sureness) / len(alphabet), np.float32)
    for t, label in enumerate(labels):
        out[t, 0 if label == "_" else 1 + alphabet.index(label)] = sureness
    return out


DIGIT = Slot("serial", "01")
LETTER = Slot("symbol", "AB")
MAYBE = Slot("serial", "01", optional=True)

CASES = [
    ("_00_11_", [DIGIT, DIGIT], "01", "two runs with a blank between"),
    ("_0011_", [DIGIT, DIGIT], "01", "no blank between"),
    ("0_1", [DIGIT, DIGIT], "01", "no blank at either end"),
    ("_0_0_", [DIGIT, DIGIT], "00", "the same character twice"),
    ("_0_A_", [DIGIT, LETTER], "0A", "alphabets by slot"),
    ("_00_", [DIGIT, MAYBE], "0", "an optional slot at the end is empty"),
    ("_0_1_", [DIGIT, MAYBE], "01", "an optional slot at the end is full"),
    ("_0_A_", [DIGIT, MAYBE, LETTER], "0A", "an optional slot in the middle, one blank column"),
    ("_0A_", [DIGIT, MAYBE, LETTER], "0A", "an optional slot in the middle, no blank column"),
    ("_A_", [MAYBE, MAYBE, LETTER], "A", "optional slots at the start"),
    ("_0_1_A_", [DIGIT, DIGIT], "01", "a stray character is read as nothing"),
]


@pytest.mark.parametrize(("labels", "slots", "text", "reason"), CASES, ids=[c[3] for c in CASES])
def test_columns_become_text(labels: str, slots: list[Slot], text: str, reason: str) -> None:
    row = decode_row(columns_of(labels, "01AB"), tuple(slots), "01AB")
    assert "".join(c or "" for c in row.characters) == text
    assert len(row.characters) == len(slots)


def test_a_character_outside_its_slots_alphabet_cannot_come_out() -> None:
    row = decode_row(columns_of("_AA_", "01AB"), (DIGIT,), "01AB")
    assert row.characters[0] in {"0", "1", None}
    assert row.confidence < 0.2


def test_confidence_falls_with_doubt() -> None:
    sure = decode_row(columns_of("_0_1_", "01", 0.99), (DIGIT, DIGIT), "01")
    unsure = decode_row(columns_of("_0_1_", "01", 0.6), (DIGIT, DIGIT), "01")
    assert 0 <= unsure.confidence < sure.confidence <= 1


def test_fewer_columns_than_slots_is_no_text() -> None:
    row = decode_row(columns_of("0", "01"), (DIGIT, DIGIT), "01")
    assert None in row.characters
    assert row.confidence == 0


@pytest.mark.parametrize("standard", [kr_standard(), tiny_standard()], ids=lambda s: s.name)
def test_every_text_of_a_standard_survives(standard: PlateStandard) -> None:
    """Texts painted into columns come back."""
    rng = np.random.default_rng(0)
    for _ in range(60):
        layout = standard.layouts[rng.integers(len(standard.layouts))]
        rest = random_characters(layout, rng)
        for row in layout.rows:
            characters, rest = rest[: len(row.slots)], rest[len(row.slots) :]
            text = "".join(c or "" for c in characters)
            runs = "".join(
                c * int(rng.integers(1, 4)) + "_" * int(rng.integers(1, 3)) for c in text
            )
            columns = columns_of(f"_{runs}".ljust(48, "_"), standard.alphabet)
            read = decode_row(columns, row.slots, standard.alphabet)
            assert "".join(c or "" for c in read.characters) == text


def all_paths(scores: np.ndarray, slots: tuple[Slot, ...]) -> float:
    """The best score of any division, by trying all: an independent check of the search."""
    num_states, num_columns = scores.shape
    best = -np.inf
    for path in itertools.product(range(num_states), repeat=num_columns):
        monotone = all(a <= b for a, b in itertools.pairwise(path))
        visited = set(path)
        complete = all(slot.optional or 2 * i + 1 in visited for i, slot in enumerate(slots))
        if monotone and complete:
            best = max(best, sum(scores[state, t] for t, state in enumerate(path)))
    return best


@pytest.mark.parametrize("slots", [(DIGIT, LETTER), (DIGIT, MAYBE), (MAYBE, DIGIT)])
def test_the_search_finds_what_trying_everything_finds(slots: tuple[Slot, ...]) -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        scores = np.log(rng.random((5, 5)) + 1e-3).astype(np.float32)
        path = _best_path(scores, _grammar(slots, "01AB"))
        found = sum(scores[state - 1, t] for t, state in enumerate(path))
        assert found == pytest.approx(all_paths(scores, slots), abs=1e-4)


def test_peaks_become_quadrangles_best_first() -> None:
    heat = np.zeros((4, 5), np.float32)
    heat[1, 2], heat[3, 4], heat[0, 0] = 0.6, 0.9, 0.1
    corners = np.zeros((8, 4, 5), np.float32)
    corners[:, 1, 2] = [-1, -0.5, 1, -0.5, 1, 0.5, -1, 0.5]
    quads, scores = decode_peaks(heat, corners, stride=8, min_heat=0.2, max_plates=5)
    assert scores.tolist() == pytest.approx([0.9, 0.6])
    # Centre of column 2, row 1 is (20, 12); offsets are in strides of 8.
    assert quads[1].tolist() == [[12, 8], [28, 8], [28, 16], [12, 16]]


def test_no_more_peaks_than_asked_for() -> None:
    heat = np.random.default_rng(0).random((6, 6)).astype(np.float32)
    quads, _ = decode_peaks(heat, np.zeros((8, 6, 6), np.float32), 8, 0.0, max_plates=3)
    assert quads.shape == (3, 4, 2)
