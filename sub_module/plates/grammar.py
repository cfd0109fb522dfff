"""Which text is meant, where countries' grammars leave it no choice among look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.standard import Grammar

Floats = NDArray[np.floating]
# No character is beyond all doubt, and none is impossible.
_DOUBT = 1e-4


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
    """

    names: tuple[str, ...]
    allowed: NDArray[np.bool_]


def likeliest_text(
    probabilities: Floats,
    alphabet: str,
    grammars: tuple[Grammar, ...],
    max_loss: float,
) -> GrammaticalText | None:
    """The likeliest text that follows one of the grammars.

    Of several patterns that it follows, the one counts that allows the fewest texts.

    Args:
        probabilities: (n, A) of each character at each place; 0 where it cannot stand at all.
        alphabet: The A characters.
        grammars: Of the standard; none is likelier than another.
        max_loss: How much less likely the text may be than the likeliest of all, in log units.

    Returns:
        The text; None where none is likely enough.
    """
    patterns = _patterns(len(probabilities), alphabet, grammars)
    if not patterns.names:
        return None
    logs = np.log(probabilities + _DOUBT)
    by_place = np.where(patterns.allowed & (probabilities > 0), logs, -np.inf)
    losses = logs.max(1).sum() - by_place.max(2).sum(1)
    # Rounded, so that equal ones are equal and the first of them, the most specific, wins.
    index = int(np.round(losses, 6).argmin())
    if not losses[index] <= max_loss:
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
    found.sort(key=lambda entry: float(np.log(entry[1].sum(1) + 1e-9).sum()))
    names = tuple(name for name, _ in found)
    shape = len(found), length, len(alphabet)
    return _Patterns(names, np.array([mask for _, mask in found], bool).reshape(shape))
