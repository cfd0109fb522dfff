"""Texts that follow a country's grammar."""

from __future__ import annotations

import numpy as np
import pytest

from sub_module.plates.grammar import likeliest_text
from sub_module.plates.standard import Grammar
from sub_module.plates.standards import load_standard

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOOK_ALIKE = {"0": "O", "O": "0", "1": "I", "I": "1", "8": "B", "B": "8", "S": "5", "5": "S"}


def sure(text: str, share: float = 0.9) -> np.ndarray:
    """(n, A): each character has a share, its look-alike half of the rest, others a crumb."""
    out = np.full((len(text), len(ALPHABET)), 1e-5)
    for place, character in enumerate(text):
        out[place, ALPHABET.index(character)] = share
        if character in LOOK_ALIKE:
            out[place, ALPHABET.index(LOOK_ALIKE[character])] = (1 - share) / 2
    return out


BRAZIL = (Grammar("BR", ("LLLDDDD",)), Grammar("BR-Mercosul", ("LLLDLDD",)))
SPAIN = Grammar("ES", ("DDDDLLL",), "BCDFGHJKLMNPRSTVWXYZ")
CASES = [
    ("ABC1234", BRAZIL, "ABC1234", "BR", "a text that follows a grammar stays"),
    ("ABC1D23", BRAZIL, "ABC1D23", "BR-Mercosul", "the grammar that it follows"),
    ("A8C12E4", BRAZIL, "ABC12E4", None, "no letter looks like it there"),
    ("OBCI234", BRAZIL, "OBC1234", "BR", "a letter for a digit"),
    ("08C1234", BRAZIL, "OBC1234", "BR", "two digits for letters"),
    ("1234BCD", (SPAIN,), "1234BCD", "ES", "letters of the country"),
    ("1234BCI", (SPAIN,), "1234BCI", None, "the country has no such letter, nor a look-alike"),
    ("123ABC", BRAZIL, "123ABC", None, "no pattern is as long"),
    ("ABC123", (), "ABC123", None, "no grammars"),
]


@pytest.mark.parametrize(
    ("raw", "grammars", "text", "name", "reason"), CASES, ids=[case[4] for case in CASES]
)
def test_the_likeliest_text_of_a_grammar(
    raw: str, grammars: tuple[Grammar, ...], text: str, name: str | None, reason: str
) -> None:
    found = likeliest_text(sure(raw), ALPHABET, grammars, follows_grammar=0.9)
    if name is None:
        assert found is None
        return
    assert found is not None
    assert "".join(ALPHABET[i] for i in found.characters) == text
    assert found.grammar == name


def test_the_bound_follows_from_bayes_rule() -> None:
    """O is 18 times as likely as 0; of 36 texts the grammar allows 10, each of which is so much
    likelier beforehand: 3.6 times the odds that a plate follows it, so they meet at 5 to 1."""
    grammars = (Grammar("X", ("D",)),)
    assert likeliest_text(sure("O"), ALPHABET, grammars, 5 / 6 - 0.01) is None
    found = likeliest_text(sure("O"), ALPHABET, grammars, 5 / 6 + 0.01)
    assert found is not None
    # Of the ten digits all but 0 have a crumb each.
    assert found.shares[0] == pytest.approx(0.05 / (0.05 + 9e-5))
    assert likeliest_text(sure("1"), ALPHABET, grammars, 0.0) is None, "grammars are not asked"


def test_of_grammars_that_fit_the_most_specific_is_named() -> None:
    wide, narrow = Grammar("WIDE", ("LLDD",)), Grammar("NARROW", ("LLDD",), "ABC")
    for grammars in ((wide, narrow), (narrow, wide)):
        texts = [likeliest_text(sure(t), ALPHABET, grammars, 0.9) for t in ("AC12", "XC12")]
        assert [text.grammar if text else "" for text in texts] == ["NARROW", "WIDE"]


def test_where_letters_and_digits_may_stand_digits_are_likelier() -> None:
    """Either pattern has half a share: its ten digits have 2.6 times as much each as letters."""
    grammars = (Grammar("X", ("LD",)), Grammar("Y", ("LL",)))
    for share_of_0, meant in ((0.3, "A0"), (0.26, "AO")):
        doubtful = sure("AO", 0.99)
        doubtful[1] = 1e-5
        doubtful[1, [ALPHABET.index(c) for c in "0O"]] = share_of_0, 1 - share_of_0
        found = likeliest_text(doubtful, ALPHABET, grammars, 0.9)
        assert found is not None
        assert "".join(ALPHABET[i] for i in found.characters) == meant


def test_a_pattern_that_no_text_of_the_alphabet_follows_is_none() -> None:
    grammars = (Grammar("X", ("L",), "ABC"), Grammar("Y", ("D",)))
    found = likeliest_text(np.array([[0.9, 0.1]]), "01", grammars, 0.9)
    assert found is not None
    assert found.grammar == "Y"


def test_a_character_that_its_slot_does_not_take_cannot_come_out() -> None:
    probabilities = sure("O")
    probabilities[0, ALPHABET.index("0")] = 0
    found = likeliest_text(probabilities, ALPHABET, (Grammar("X", ("D",)),), 0.9999)
    assert found is None or ALPHABET[found.characters[0]] != "0"


REAL = [
    ("MAB123", "DE"),
    ("1234BCD", "ES"),
    ("AB123CD", "IT"),
    ("AB12CDE", "GB"),
    ("1ABC234", "BE"),
    ("12345", "LU"),
    ("ABCDEFG", ""),
]


@pytest.mark.parametrize(("text", "country"), REAL)
def test_europe(text: str, country: str) -> None:
    """A text that a country issues follows its grammar as it is; nonsense follows none."""
    grammars = load_standard("eu").grammars
    found = likeliest_text(sure(text, 0.99), ALPHABET, grammars, follows_grammar=0.1)
    assert (found is None) == (country == "")
    if found is None:
        return
    assert "".join(ALPHABET[i] for i in found.characters) == text
    own = [grammar for grammar in grammars if grammar.name == country]
    alone = likeliest_text(sure(text, 0.99), ALPHABET, tuple(own), follows_grammar=0.1)
    assert alone is not None
    assert alone.grammar == country
