"""Which character was read as which, as a table of shaded cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sub_module.plates import PlateStandard

# Stands for a character that was left out or made up.
_NONE = "∅"
_RIGHT_RGB, _WRONG_RGB = (38, 132, 84), (201, 42, 42)
_MAX_MISTAKES = 10


@dataclass(frozen=True)
class Cell:
    """One pair of characters.

    Attributes:
        count: How often.
        colour: CSS of the shade.
        dark: Whether the shade asks for light text.
    """

    count: int
    colour: str
    dark: bool


@dataclass(frozen=True)
class Confusion:
    """The table.

    Attributes:
        read: Heads of the columns.
        rows: Character of the ground truth, and its cells.
        mistakes: (truth, read, count), the most frequent first.
    """

    read: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    mistakes: tuple[tuple[str, str, int], ...]


def confusion_table(
    confusion: Mapping[tuple[str, str], int], standard: PlateStandard
) -> Confusion | None:
    """The table of the characters that occur; None when there are none.

    Args:
        confusion: Count by (truth, read), with "" for none, as `score_readings` gives it.
        standard: Gives the order of the characters.
    """
    if not confusion:
        return None
    used = {character for pair in confusion for character in pair}
    characters = [c for c in (*standard.alphabet, "") if c in used]
    rows = []
    for truth in characters:
        counts = [confusion.get((truth, read), 0) for read in characters]
        cells = (
            _cell(count, count / max(1, sum(counts)), truth == read)
            for read, count in zip(characters, counts, strict=True)
        )
        rows.append((truth or _NONE, tuple(cells)))
    mistakes = [(t or _NONE, r or _NONE, count) for (t, r), count in confusion.items() if t != r]
    mistakes.sort(key=lambda mistake: -mistake[2])
    heads = tuple(character or _NONE for character in characters)
    return Confusion(heads, tuple(rows), tuple(mistakes[:_MAX_MISTAKES]))


def _cell(count: int, share: float, right: bool) -> Cell:
    """Mistakes are few: the square root lifts one in a hundred above the paper's white."""
    red, green, blue = _RIGHT_RGB if right else _WRONG_RGB
    strength = 0.1 + 0.75 * share if right else 0.12 + 0.88 * share**0.5
    colour = f"rgba({red},{green},{blue},{strength:.2f})" if count else "transparent"
    return Cell(count, colour, dark=count > 0 and strength > 0.6)
