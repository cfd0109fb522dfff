"""What a plate says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataset_tools.draw.chance import pick
from sub_module.plates import Grammar, Layout, PlateStandard, Slot

# Characters that a reader takes for each other, and how often one of them is chosen on purpose.
_LOOK_ALIKES = frozenset("O0Q1I7B8D5S2Z6GC4AWMNHVYUT")
_LOOK_ALIKE_SHARE = 0.3
# How often a text follows a grammar where the standard has some.
_GRAMMAR_SHARE = 0.5
# From a letter to a letter, or a digit to a digit, in texts that follow none.
_KEEP_KIND = 0.68
# How often texts have 5, 6, 7 and 8 characters.
_LENGTHS = {5: 0.12, 6: 0.28, 7: 0.42, 8: 0.18}


def random_text(standard: PlateStandard, layout: Layout, rng: np.random.Generator) -> list[str]:
    """A text for a plate: one entry a slot, empty where it is left out.

    Half of the texts follow a grammar, where the standard has one that fits the layout.
    """
    slots = layout.slots
    kinds = None
    if standard.grammars and rng.random() < _GRAMMAR_SHARE:
        kinds = _grammar_alphabets(standard.grammars, slots, rng)
    filled = _filled_slots(slots, None if kinds is None else len(kinds), rng)
    alphabets = [slots[i].alphabet for i in filled]
    if kinds is not None:
        common = [_common(a, b) for a, b in zip(alphabets, kinds, strict=True)]
        # In the slots that were left out there may be no place for this pattern.
        alphabets = common if all(common) else alphabets
    else:
        alphabets = _of_a_kind(alphabets, rng)
    text = [""] * len(slots)
    for i, alphabet in zip(filled, alphabets, strict=True):
        text[i] = _choose(alphabet, rng)
    return text


def _grammar_alphabets(
    grammars: Sequence[Grammar], slots: Sequence[Slot], rng: np.random.Generator
) -> tuple[str, ...] | None:
    """The alphabets of a pattern of some grammar; None when its texts are too long or too short."""
    grammar = pick(grammars, rng)
    least = sum(not slot.optional for slot in slots)
    patterns = [p for p in grammar.patterns if least <= len(p) <= len(slots)]
    if not patterns:
        return None
    return grammar.alphabets(pick(patterns, rng))


def _filled_slots(slots: Sequence[Slot], count: int | None, rng: np.random.Generator) -> list[int]:
    """The indices of the slots that get a character: `count` of them, or as many as is usual."""
    required = [i for i, slot in enumerate(slots) if not slot.optional]
    optional = [i for i, slot in enumerate(slots) if slot.optional]
    if count is None:
        weights = [_LENGTHS.get(len(required) + n, 0.002) for n in range(len(optional) + 1)]
        shares = np.cumsum(weights) / sum(weights)
        count = len(required) + int(np.searchsorted(shares, rng.random()))
    more = rng.permutation(len(optional))[: count - len(required)]
    return sorted([*required, *(optional[i] for i in more)])


def _of_a_kind(alphabets: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Alphabets reduced to letters or to digits, which follow each other in runs."""
    reduced = []
    is_letter = rng.random() < 0.6
    for alphabet in alphabets:
        kind = "".join(c for c in alphabet if c.isalpha() == is_letter)
        reduced.append(kind or alphabet)
        is_letter ^= rng.random() > _KEEP_KIND
    return reduced


def _common(alphabet: str, other: str) -> str:
    return "".join(c for c in alphabet if c in other)


def _choose(alphabet: str, rng: np.random.Generator) -> str:
    if rng.random() < _LOOK_ALIKE_SHARE:
        alphabet = "".join(c for c in alphabet if c in _LOOK_ALIKES) or alphabet
    return pick(alphabet, rng)
