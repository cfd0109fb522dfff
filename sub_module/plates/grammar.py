"""Which text is meant, where countries' grammars leave it no choice among look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.standard import Grammar

Floats = NDArray[np.floating]
# No character is beyond all doubt, and none is impossible.
_DOUBT = 1e-5


@dataclass(frozen=True)
class GrammaticalText:
    """A text that follows a grammar.

    Attributes:
        characters: Indices into the alphabet.
        grammar: The grammar's name.
        shares: For each character its probability among those that may stand there.
    """

    characters: tuple[int, ...]
    grammar: str
    shares: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Every pattern of one length, those of the most specific grammar first.

    Attributes:
        names: Of their grammars.
        allowed: (P, n, A) which characters may stand where.
        rarity: The log of how many texts of that length there are for each that a pattern allows.
    """

    names: tuple[str, ...]
    allowed: NDArray[np.bool_]
    rarity: float


def likeliest_text(
    probabilities: Floats,
    alphabet: str,
    grammars: tuple[Grammar, ...],
    follows_grammar: float,
) -> GrammaticalText | None:
    """The likeliest text that follows one of the grammars, if it is likelier than all that do not.

    By Bayes' rule: before a plate is looked at, `follows_grammar` is shared out evenly among the
    texts that some pattern allows, the rest among all texts. So the fewer texts the patterns allow,
    the further they may depart from what the characters alone say. Of several patterns that the
    text follows, the one counts that allows the fewest texts.

    Args:
        probabilities: (n, A) of each character at each place; 0 where it cannot stand at all.
        alphabet: The A characters.
        grammars: Of the standard; none is likelier than another.
        follows_grammar: The share of plates that follow one of them, from 0 to below 1.

    Returns:
        The text; None where a text that follows no grammar is likelier.
    """
    if follows_grammar <= 0:
        return None
    patterns = _patterns(len(probabilities), alphabet, grammars)
    if not patterns.names:
        return None
    logs = np.log(probabilities + _DOUBT)
    by_place = np.where(patterns.allowed & (probabilities > 0), logs, -np.inf)
    losses = logs.max(1).sum() - by_place.max(2).sum(1)
    # Rounded, so that equal ones are equal and the first of them, the most specific, wins.
    index = int(np.round(losses, 6).argmin())
    odds = np.log(follows_grammar / (1 - follows_grammar)) + patterns.rarity
    if not losses[index] <= max(odds, 0.0):
        return None
    characters = by_place[index].argmax(1)
    places = np.arange(len(characters))
    together = np.where(patterns.allowed[index], probabilities, 0).sum(1)
    shares = probabilities[places, characters] / together
    return GrammaticalText(
        tuple(characters.tolist()), patterns.names[index], tuple(shares.tolist())
    )


@lru_cache(maxsize=64)
def _patterns(length: int, alphabet: str, grammars: tuple[Grammar, ...]) -> _Patterns:
    found = []
    for grammar in grammars:
        for pattern in grammar.patterns:
            if len(pattern) == length:
                masks = [[c in places for c in alphabet] for places in grammar.alphabets(pattern)]
                found.append((grammar.name, np.array(masks, bool)))
    found.sort(key=lambda entry: _number(entry[1]))
    names = tuple(name for name, _ in found)
    shape = len(found), length, len(alphabet)
    allowed = np.array([mask for _, mask in found], bool).reshape(shape)
    # Texts that two patterns allow count twice: too many rather than too few.
    number = max(sum(_number(mask) for _, mask in found), 1.0)
    rarity = max(length * float(np.log(len(alphabet))) - float(np.log(number)), 0.0)
    return _Patterns(names, allowed, rarity)


def _number(mask: NDArray[np.bool_]) -> float:
    """How many texts a pattern allows."""
    return float(np.prod(mask.sum(1, dtype=float)))
