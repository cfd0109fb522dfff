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
# Sums of logs that differ by less are of one text.
_SAME = 1e-4


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
    """Every pattern of one length.

    Attributes:
        names: (P,) of their grammars.
        allowed: (P, n, A) which characters may stand where.
        rarity: (P,) the log of how much likelier each text of a pattern is than a random one of
            that length, before a plate is looked at.
    """

    names: tuple[str, ...]
    allowed: NDArray[np.bool_]
    rarity: NDArray[np.float64]


def likeliest_text(
    probabilities: Floats,
    alphabet: str,
    grammars: tuple[Grammar, ...],
    follows_grammar: float,
) -> GrammaticalText | None:
    """The likeliest text that follows one of the grammars, if it is likelier than all that do not.

    By Bayes' rule: before a plate is looked at, `follows_grammar` is shared out evenly among the
    grammars, each grammar's share among its patterns and each pattern's among the texts that it
    allows; the rest among all texts. So the fewer texts a pattern allows, the further they may
    depart from what the characters alone say; and where letters and digits may stand, any digit is
    likelier than any letter.

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
    # The log odds of each pattern's likeliest text against the likeliest of all.
    odds = np.log(follows_grammar / (1 - follows_grammar)) + patterns.rarity - losses
    if odds.max() < 0:
        # That text itself may follow a pattern.
        odds = np.where(losses < _SAME, odds, -np.inf)
    index = int(odds.argmax())
    if odds[index] == -np.inf:
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
    names, allowed, shares = [], [], []
    for grammar in grammars:
        for pattern in grammar.patterns:
            masks = [[c in places for c in alphabet] for places in grammar.alphabets(pattern)]
            if len(pattern) == length and all(map(any, masks)):
                names.append(grammar.name)
                allowed.append(np.array(masks, bool))
                shares.append(1 / len(grammar.patterns))
    # How many texts each pattern allows.
    numbers = np.array([mask.sum(1, dtype=float).prod() for mask in allowed])
    of_length = np.array(shares) / sum(shares)
    rarity = np.log(of_length / numbers) + length * np.log(len(alphabet))
    shape = len(names), length, len(alphabet)
    return _Patterns(tuple(names), np.array(allowed, bool).reshape(shape), rarity)
