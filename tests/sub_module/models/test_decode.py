"""Decoding of heat maps and of columns."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest

from sub_module.models.platenet.decode import (
    _best_paths,
    _states,
    _touching_costs,
    decode_peaks,
    decode_rows,
)
from sub_module.plates import PlateStandard, Slot
from sub_module.plates.standards import load_standard
from tests.factories import random_characters
from tests.standards import kr_standard, tiny_standard


def columns_of(labels: str, alphabet: str, sureness: float = 0.9) -> np.ndarray:
    """(T, 1 + A) probabilities of columns written as text, `_` for blank."""
    out = np.full((len(labels), 1 + len(alphabet)), (1 - sureness) / len(alphabet), np.float32)
    for t, label in enumerate(labels):
        out[t, 0 if label == "_" else 1 + alphabet.index(label)] = sureness
    return out


def decoded(
    columns: np.ndarray, slots: Sequence[Slot], alphabet: str
) -> tuple[list[str | None], float]:
    """The character of each slot and how sure they are together, as a reader takes them."""
    texts = decode_rows(columns[None], tuple(slots), alphabet)
    probabilities, filled = texts.probabilities[0], texts.filled[0].tolist()
    best = probabilities.argmax(1).tolist()
    characters = [alphabet[i] if f else None for i, f in zip(best, filled, strict=True)]
    return characters, float(probabilities.max(1)[texts.filled[0]].prod())


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
    ("_000000_", [DIGIT, MAYBE, MAYBE], "0", "a wide character is one where others are optional"),
    ("_000111_", [DIGIT, MAYBE], "0", "so is one that changes within"),
    ("_000111_", [DIGIT, DIGIT, MAYBE], "01", "it is two where a slot would go empty"),
    ("_000_1_0_", [DIGIT, MAYBE, MAYBE, MAYBE], "010", "as many characters as runs"),
    ("_0_1_0_1_", [DIGIT, DIGIT, MAYBE], "010", "no more characters than slots"),
]


@pytest.mark.parametrize(("labels", "slots", "text", "reason"), CASES, ids=[c[3] for c in CASES])
def test_columns_become_text(labels: str, slots: list[Slot], text: str, reason: str) -> None:
    characters, _ = decoded(columns_of(labels, "01AB"), slots, "01AB")
    assert "".join(c or "" for c in characters) == text
    assert len(characters) == len(slots)


def test_a_character_outside_its_slots_alphabet_cannot_come_out() -> None:
    characters, confidence = decoded(columns_of("_AA_", "01AB"), [DIGIT], "01AB")
    assert characters[0] in {"0", "1", None}
    assert confidence < 0.2


def test_confidence_falls_with_doubt() -> None:
    _, sure = decoded(columns_of("_0_1_", "01", 0.99), (DIGIT, DIGIT), "01")
    _, unsure = decoded(columns_of("_0_1_", "01", 0.6), (DIGIT, DIGIT), "01")
    assert 0 <= unsure < sure <= 1


def test_fewer_columns_than_slots_is_no_text() -> None:
    characters, _ = decoded(columns_of("0", "01"), (DIGIT, DIGIT), "01")
    assert None in characters


@pytest.mark.parametrize(
    "standard", [kr_standard(), tiny_standard(), load_standard("eu")], ids=lambda s: s.name
)
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
            read, _ = decoded(columns, row.slots, standard.alphabet)
            assert "".join(c or "" for c in read) == text


def all_paths(scores: np.ndarray, slots: tuple[Slot, ...], touching: np.ndarray) -> float:
    """The best score of any division, by trying all: an independent check of the search."""
    num_states, num_columns = scores.shape
    best = -np.inf
    for path in itertools.product(range(num_states), repeat=num_columns):
        monotone = all(a <= b for a, b in itertools.pairwise(path))
        visited = set(path)
        complete = all(slot.optional or 2 * i + 1 in visited for i, slot in enumerate(slots))
        if monotone and complete:
            best = max(best, score_of(path, scores, touching))
    return best


def score_of(path: Sequence[int], scores: np.ndarray, touching: np.ndarray) -> float:
    """What a path (states from 0, odd ones slots) scores, by its definition."""
    costs = [
        touching[t + 1] if a != b and a % 2 and b % 2 else 0.0
        for t, (a, b) in enumerate(itertools.pairwise(path))
    ]
    return float(sum(scores[state, t] for t, state in enumerate(path)) - sum(costs))


@pytest.mark.parametrize("slots", [(DIGIT, LETTER), (DIGIT, MAYBE), (MAYBE, DIGIT)])
def test_the_search_finds_what_trying_everything_finds(slots: tuple[Slot, ...]) -> None:
    rng = np.random.default_rng(0)
    scores = np.log(rng.random((5, 10, 5)) + 1e-3).astype(np.float32)
    for costs in (np.zeros((10, 5), np.float32), rng.random((10, 5)).astype(np.float32)):
        paths = _best_paths(scores, _states(slots, "01AB"), costs)
        for row, path in enumerate(paths):
            found = score_of((path - 1).tolist(), scores[:, row], costs[row])
            assert found == pytest.approx(all_paths(scores[:, row], slots, costs[row]), abs=1e-4)


def test_characters_that_touch_cost_more_where_they_look_alike() -> None:
    columns = columns_of("_000111_", "01")[None, :, 1:]
    (costs,) = _touching_costs(np.ascontiguousarray(columns))
    # Column 2 is a 0 after a 0, column 4 a 1 after a 0.
    assert costs[2] == pytest.approx(13, abs=0.5)
    assert 1 <= costs[4] == costs[2:7].min() < 3


def test_a_row_whose_slots_all_have_to_be_filled_pays_for_no_touching() -> None:
    for layout in kr_standard().layouts:
        assert not any(_states(row.slots, "01").counts for row in layout.rows)
    assert _states((DIGIT, MAYBE), "01").counts


def test_rows_are_decoded_together_as_alone() -> None:
    slots = (DIGIT, MAYBE, MAYBE)
    rows = np.stack([columns_of(row, "01AB") for row in ("_0_1_1_", "__11___", "0_11_0_")])
    together = decode_rows(rows, slots, "01AB")
    for n, row in enumerate(rows):
        alone = decode_rows(row[None], slots, "01AB")
        assert together.filled[n].tolist() == alone.filled[0].tolist()
        assert together.probabilities[n] == pytest.approx(alone.probabilities[0])
        assert together.complete[n] == pytest.approx(alone.complete[0])


@pytest.mark.parametrize(
    ("labels", "complete"),
    [
        ("_00_11__", 0.9),
        # A character that no slot takes.
        ("_00_11_A_", 0.025),
        # Characters are wider than their labels.
        ("_00_11A__", 0.9),
    ],
)
def test_what_no_slot_takes_is_missed(labels: str, complete: float) -> None:
    texts = decode_rows(columns_of(labels, "01AB")[None], (DIGIT, DIGIT), "01AB")
    assert texts.complete == pytest.approx([complete], abs=1e-5)


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
