"""Stroke alphabets: form, variety and legibility of drawn characters."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dataset_tools.draw.faces.families import FAMILIES
from dataset_tools.draw.faces.glyphs import Glyph, glyph
from dataset_tools.draw.faces.pen import Pen, Stroke, ink
from dataset_tools.draw.faces.strokes import CHARACTERS, Face, random_face, random_letters

# Real plates give them the same form, too: a country's grammar tells them apart.
_SAME = ({"O", "0"}, {"I", "1"})
_HOLES = dict.fromkeys(CHARACTERS, 0) | dict.fromkeys("ADOPR069", 1) | {"B": 2, "8": 2}
# A tail, a slash or an open 4 make or fill some.
_ANY_HOLES = "Q4"


@lru_cache(maxsize=1)
def faces() -> list[Face]:
    rng = np.random.default_rng(5)
    return [random_face(rng) for _ in range(16)]


@lru_cache(maxsize=1)
def glyphs() -> list[dict[str, Glyph]]:
    return [{c: face.glyph(c) for c in CHARACTERS} for face in faces()]


def test_a_face_is_its_seeds_own() -> None:
    one, same, other = (random_face(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one.glyph(c).mask, same.glyph(c).mask) for c in CHARACTERS)
    assert one.widths != other.widths
    assert one.traits != other.traits


def test_masks_are_cut_to_ink_of_a_capitals_height() -> None:
    for alphabet in glyphs():
        for character, drawn in alphabet.items():
            height, width = drawn.mask.shape
            assert drawn.mask.dtype == np.uint8
            assert 92 <= height <= 97, character
            assert drawn.relative_width == width / 96
            inked = drawn.mask > 127
            for edge in (inked[0], inked[-1], inked[:, 0], inked[:, -1]):
                assert edge.any(), character


def test_outlines_go_round_the_ink() -> None:
    for alphabet in glyphs():
        for character, drawn in alphabet.items():
            height, width = drawn.mask.shape
            assert len(drawn.outline) >= 4
            assert drawn.outline.min() >= 0
            assert drawn.outline.max() <= 1
            filled = np.zeros((height, width), np.uint8)
            corners = np.floor(drawn.outline * (width, height)).astype(np.int32)
            cv2.fillPoly(filled, [corners], 1)
            inside = filled[drawn.mask > 127].mean()
            assert inside > 0.94, character


def test_strokes_join_and_leave_their_holes_open() -> None:
    """As many holes as the character has, with at most one clogged or torn one in a hundred."""
    wrong = []
    for face, alphabet in zip(faces(), glyphs(), strict=True):
        for character in set(CHARACTERS) - set(_ANY_HOLES):
            if character == "0" and face.traits.zero != "plain":
                continue
            binary = (alphabet[character].mask > 127).astype(np.uint8)
            contours, tree = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
            inner = [c for c, node in zip(contours, tree[0], strict=True) if node[3] >= 0]
            holes = sum(cv2.contourArea(c) > 12 for c in inner)
            if len(contours) - len(inner) != 1 or holes != _HOLES[character]:
                wrong.append((face.family, character))
    assert len(wrong) <= 0.01 * len(faces()) * len(CHARACTERS), wrong


def test_characters_of_a_face_differ() -> None:
    """No two cover each other, centred, by more than 96 %."""
    for alphabet in glyphs():
        inks = np.stack([_centred(alphabet[c].mask) for c in CHARACTERS])
        common = inks @ inks.T
        area = inks.sum(1)
        overlap = common / (area[:, None] + area - common)
        for i, j in zip(*np.nonzero(np.triu(overlap, 1) > 0.96), strict=True):
            assert {CHARACTERS[i], CHARACTERS[j]} in _SAME
        assert np.median(overlap) < 0.6


def test_characters_look_like_those_of_a_font() -> None:
    """In most faces the font's nearest character is the same one."""
    known = np.stack([_stretched(glyph("DejaVuSans-Bold.ttf", c).mask) for c in CHARACTERS])
    nearest = np.zeros((len(CHARACTERS), len(CHARACTERS)), int)
    for alphabet in glyphs():
        for i, character in enumerate(CHARACTERS):
            off = np.abs(known - _stretched(alphabet[character].mask)).mean(1)
            nearest[i, off.argmin()] += 1
    others = {c for i, c in enumerate(CHARACTERS) if nearest[i].argmax() != i}
    # Plates' 1 has no foot, their W no pointed middle, their Q, R and J other tails.
    assert others <= set("0OQI1JRW")


def test_faces_vary_as_plates_do() -> None:
    rng = np.random.default_rng(0)
    many = [random_face(rng) for _ in range(300)]
    assert {face.family for face in many} == set(FAMILIES)
    thickness = [2 * face.pen.across for face in many]
    assert min(thickness) < 0.11
    assert max(thickness) > 0.18
    widths = [face.widths["H"] for face in many]
    assert min(widths) < 0.42
    assert max(widths) > 0.72
    for trait, forms in {
        "zero": {"plain", "cut", "slash", "dot"},
        "one": {"stem", "flag", "base"},
        "three": {"round", "flat"},
        "four": {"closed", "open"},
        "six": {"hook", "arm", "straight"},
        "seven": {"straight", "curved", "barred"},
    }.items():
        assert {getattr(face.traits, trait) for face in many} == forms
    plain = sum(face.traits.zero == "plain" for face in many) / len(many)
    assert plain > 0.75
    same = sum(face.widths["O"] == face.widths["0"] for face in many) / len(many)
    assert 0.25 < same < 0.55


def test_no_other_characters() -> None:
    with pytest.raises(KeyError):
        faces()[0].glyph("Ä")


def test_a_font_has_what_strokes_have_not() -> None:
    settings = {"strokes": 1.0, "fonts": ["DejaVuSans.ttf"]}
    ours, theirs = (random_letters(a, settings, np.random.default_rng(0)) for a in ("A", "AÄ"))
    assert theirs("Ä").mask.any()
    assert not np.array_equal(ours("A").mask, theirs("A").mask)


def test_a_bar_is_as_thick_as_the_pen() -> None:
    pen = Pen(across=0.1, along=0.05, softness=0.0)
    upright = _covered([Stroke(((0.5, 0.2), (0.5, 0.8)))], pen)
    level = _covered([Stroke(((0.2, 0.5), (0.8, 0.5)))], pen)
    assert upright == pytest.approx(0.6 * 0.2, rel=0.04)
    assert level == pytest.approx(0.6 * 0.1, rel=0.04)


def test_round_ends_are_those_of_a_disc() -> None:
    stroke = [Stroke(((0.5, 0.2), (0.5, 0.8)))]
    lost = _covered(stroke, Pen(0.1, 0.1, 0.0)) - _covered(stroke, Pen(0.1, 0.1, 1.0))
    assert lost == pytest.approx((4 - np.pi) * 0.1**2, rel=0.15)


def test_a_bent_ring_is_a_circle() -> None:
    corners = ((0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8))
    ring = [Stroke(corners, bend=(1.0, 1.0), closed=True)]
    assert _covered(ring, Pen(0.05, 0.05, 0.0)) == pytest.approx(np.pi * 0.6 * 0.1, rel=0.05)


def test_the_box_cuts_strokes_and_a_later_stroke_may_erase() -> None:
    pen = Pen(0.1, 0.1, 0.0)
    across = Stroke(((-1.0, 0.5), (2.0, 0.5)))
    assert _covered([across], pen) == pytest.approx(0.2, rel=0.03)
    assert _covered([across, Stroke(across.points, erase=True)], pen) == 0


def _covered(strokes: list[Stroke], pen: Pen) -> float:
    """Share of a square box that has ink."""
    return float(ink(strokes, pen, 1.0, 480, 3).sum() / 255 / 480**2)


def _stretched(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The ink in a box of one size, as a row; a narrow character stays narrow."""
    room = max(mask.shape[0] // 2 - mask.shape[1], 0) // 2
    padded = cv2.copyMakeBorder(mask, 0, 0, room, room, cv2.BORDER_CONSTANT, value=0)
    return cv2.resize(padded, (16, 24), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()


def _centred(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The ink at half the size, in the middle of a canvas, as a row."""
    ink_small = mask[::2, ::2] > 127
    height, width = ink_small.shape
    canvas = np.zeros((50, 70), np.float32)
    left = (70 - width) // 2
    canvas[:height, left : left + width] = ink_small
    return canvas.ravel()
