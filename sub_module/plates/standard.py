"""The plate standard: layouts, slots, alphabets, colours and class list, from a config.

Plate coordinates run from (0, 0) at a plate's top left corner to (1, 1) at its bottom right.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from string import ascii_uppercase, digits
from typing import Any

from sub_module.errors import ConfigError

FIELDS = ("region", "symbol", "serial")
PlateBox = tuple[float, float, float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Slot:
    """One place for a character.

    Attributes:
        field: The part of the reading that the character belongs to, one of `FIELDS`.
        alphabet: The characters that may stand here, as a reading writes them.
        optional: Whether a plate may leave the slot out (texts of variable length).
    """

    field: str
    alphabet: str
    optional: bool = False


@dataclass(frozen=True)
class Group:
    """A run of slots that carries one label of its own.

    Attributes:
        label: The class of the group's polygon.
        box: (x1, y1, x2, y2) in plate coordinates: where the characters stand.
        slots: From left to right.
    """

    label: str
    box: PlateBox
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Row:
    """One line of text.

    Attributes:
        box: (x1, y1, x2, y2) in plate coordinates: the strip that a reader looks at; it holds
            the boxes of the row's groups with some margin.
        groups: From left to right.
    """

    box: PlateBox
    groups: tuple[Group, ...]

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The row's slots from left to right."""
        return tuple(slot for group in self.groups for slot in group.slots)


@dataclass(frozen=True)
class Layout:
    """How a plate's text is set.

    Attributes:
        name: As readings name it, such as `two_line`.
        label: The class of the board's polygon.
        aspect: Width over height of the plate.
        rows: From top to bottom.
        aspects: The lowest and the highest width over height that plates are drawn with.
        furniture: How often what stands on a plate beside its characters is drawn, from 0 to 1, by
            name (`dataset_tools.draw.plates.furniture` has the names).
    """

    name: str
    label: str
    aspect: float
    rows: tuple[Row, ...]
    aspects: tuple[float, float]
    furniture: tuple[tuple[str, float], ...] = ()

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """All groups in reading order."""
        return tuple(group for row in self.rows for group in row.groups)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """All slots in reading order."""
        return tuple(slot for group in self.groups for slot in group.slots)

    def nearest_row(self, y: float) -> int:
        """The index of the row whose text runs nearest to a height in plate coordinates."""
        heights = self._row_heights
        return min(range(len(heights)), key=lambda row: abs(heights[row] - y))

    @cached_property
    def _row_heights(self) -> tuple[float, ...]:
        """The height at which each row's text runs, in plate coordinates."""
        return tuple(
            sum((g.box[1] + g.box[3]) / 2 for g in row.groups) / len(row.groups)
            for row in self.rows
        )

    def nearest_group(self, x: float, y: float) -> Group:
        """The group whose box has its middle nearest to a point in plate coordinates."""

        def distance(group: Group) -> float:
            x1, y1, x2, y2 = group.box
            return math.hypot(((x1 + x2) / 2 - x) * self.aspect, (y1 + y2) / 2 - y)

        return min(self.groups, key=distance)

    def fits(self, characters: list[str | None]) -> bool:
        """Whether one entry a slot (None: left out) is a text of this layout."""
        return len(characters) == len(self.slots) and all(
            slot.optional if character is None else character in slot.alphabet
            for slot, character in zip(self.slots, characters, strict=True)
        )

    def fields_of(self, characters: Sequence[str | None]) -> dict[str, str]:
        """The text of each of `FIELDS`, from one entry a slot (None: left out)."""
        texts = dict.fromkeys(FIELDS, "")
        for slot, character in zip(self.slots, characters, strict=True):
            texts[slot.field] += character or ""
        return texts


@dataclass(frozen=True)
class Colours:
    """A pair of plate colours, RGB 0-255, and how often it is drawn beside the others."""

    background: Colour
    text: Colour
    weight: float = 1.0


@dataclass(frozen=True)
class Grammar:
    """What a country's texts look like.

    Attributes:
        name: Such as `DE`.
        patterns: Each a character for each of a text's: `L` a letter, `D` a digit, `*` either.
        letters: Those that the country uses.
        digits: Those that the country uses.
    """

    name: str
    patterns: tuple[str, ...]
    letters: str = ascii_uppercase
    digits: str = digits

    def alphabets(self, pattern: str) -> tuple[str, ...]:
        """The characters that may stand at each place of one of the patterns."""
        kinds = {"L": self.letters, "D": self.digits, "*": self.letters + self.digits}
        return tuple(kinds[kind] for kind in pattern)


@dataclass(frozen=True)
class PlateStandard:
    """A country's plates; built once from a config by `from_config`, which validates it.

    Attributes:
        name: Short, such as `kr`.
        layouts: In the order that models number them.
        colours: What plates of this standard are painted in.
        classes: The labels of a data set of this standard, in category order.
        grammars: Of the countries whose plates these are; none: a text is what its slots hold.
    """

    name: str
    layouts: tuple[Layout, ...]
    colours: tuple[Colours, ...]
    classes: tuple[str, ...]
    grammars: tuple[Grammar, ...] = ()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PlateStandard:
        """Build a standard from a config's `plates` dict (`configs/plates/kr.py` shows each key).

        Raises:
            ConfigError: A key is missing or unknown, or the parts contradict each other.
        """
        try:
            standard = cls(
                name=config["name"],
                layouts=tuple(_layout(layout) for layout in config["layouts"]),
                colours=tuple(
                    Colours(
                        _colour(pair["background"]),
                        _colour(pair["text"]),
                        float(pair.get("weight", 1.0)),
                    )
                    for pair in config["colours"]
                ),
                classes=tuple(config["classes"]),
                grammars=tuple(_grammar(grammar) for grammar in config.get("grammars", ())),
            )
        except KeyError as error:
            raise ConfigError(f"plate standard: key {error} is missing") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"plate standard: {error}") from error
        standard._validate()
        return standard

    def to_config(self) -> dict[str, Any]:
        """Plain data for JSON, of which `from_config` makes an equal standard."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of what labels depend on: standards that differ in grammars or in what stands on
        drawn plates beside the characters share it."""
        known = asdict(self)
        del known["grammars"]
        for layout in known["layouts"]:
            del layout["aspects"], layout["furniture"]
        for pair in known["colours"]:
            del pair["weight"]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:12]

    @cached_property
    def alphabet(self) -> str:
        """Every character of any slot, once, in the order of the class list."""
        used = {c for layout in self.layouts for slot in layout.slots for c in slot.alphabet}
        return "".join(sorted(used, key=lambda c: self.classes.index(self.label_of(c))))

    @cached_property
    def board_labels(self) -> tuple[str, ...]:
        """The board label of each layout, in layout order."""
        return tuple(layout.label for layout in self.layouts)

    @cached_property
    def group_labels(self) -> tuple[str, ...]:
        """Every group label, once, in layout order."""
        return tuple(dict.fromkeys(g.label for layout in self.layouts for g in layout.groups))

    def layout(self, name: str) -> Layout:
        """The layout of that name or board label.

        Raises:
            ConfigError: There is none.
        """
        for layout in self.layouts:
            if name in (layout.name, layout.label):
                return layout
        raise ConfigError(f"plate standard {self.name}: no layout {name!r}")

    def label_of(self, character: str) -> str:
        """The class of a text's character; the two may differ in case (`A`, class `a`).

        Raises:
            ConfigError: The character has no class.
        """
        if character in self.classes:
            return character
        for label in self.classes:
            if label.casefold() == character.casefold():
                return label
        raise ConfigError(f"plate standard {self.name}: character {character!r} has no class")

    def character_of(self, label: str) -> str | None:
        """The text's character for a class label; None when the label is a board's or a group's."""
        return self._characters.get(label)

    @cached_property
    def _characters(self) -> dict[str, str]:
        return {self.label_of(character): character for character in self.alphabet}

    def _validate(self) -> None:
        def require(condition: bool, reason: str) -> None:
            if not condition:
                raise ConfigError(f"plate standard {self.name}: {reason}")

        require(bool(self.layouts), "it has no layout")
        require(bool(self.colours), "it has no colours")
        require(len(set(self.classes)) == len(self.classes), "a class is listed twice")
        names = [name for layout in self.layouts for name in (layout.name, layout.label)]
        require(len(set(names)) == len(names), "two layouts share a name or a label")
        for layout in self.layouts:
            require(layout.aspect > 0, f"layout {layout.name}: aspect must be above 0")
            require(bool(layout.rows), f"layout {layout.name} has no row")
            for label in (layout.label, *(group.label for group in layout.groups)):
                require(label in self.classes, f"label {label!r} is not in the class list")
            for row in layout.rows:
                require(bool(row.slots), f"layout {layout.name} has a row without slots")
                for box in (row.box, *(group.box for group in row.groups)):
                    x1, y1, x2, y2 = box
                    inside = 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
                    require(inside, f"layout {layout.name}: box {box} does not lie in the plate")
            for slot in layout.slots:
                require(slot.field in FIELDS, f"field {slot.field!r} is none of {FIELDS}")
                require(bool(slot.alphabet), f"layout {layout.name}: a slot has an empty alphabet")
                for character in slot.alphabet:
                    self.label_of(character)
            low, high = layout.aspects
            require(0 < low <= high, f"layout {layout.name}: aspects must rise from above 0")
            for name, share in layout.furniture:
                fits = 0 <= share <= 1
                require(fits, f"layout {layout.name}: furniture {name}: {share} is no share")
        for pair in self.colours:
            require(pair.weight > 0, "a colour's weight must be above 0")
        for grammar in self.grammars:
            for pattern in grammar.patterns:
                require(
                    bool(pattern) and set(pattern) <= set("LD*"),
                    f"grammar {grammar.name}: pattern {pattern!r} must consist of L, D and *",
                )
            unknown = set(grammar.letters + grammar.digits) - set(self.alphabet)
            require(
                not unknown, f"grammar {grammar.name}: no slot takes {''.join(sorted(unknown))}"
            )


def _layout(config: Mapping[str, Any]) -> Layout:
    return Layout(
        name=config["name"],
        label=config["label"],
        aspect=float(config["aspect"]),
        rows=tuple(
            Row(
                box=_box(row["box"]),
                groups=tuple(
                    Group(group["label"], _box(group["box"]), _slots(group["slots"]))
                    for group in row["groups"]
                ),
            )
            for row in config["rows"]
        ),
        aspects=_aspects(config),
        furniture=tuple((str(n), float(s)) for n, s in dict(config.get("furniture", ())).items()),
    )


def _aspects(config: Mapping[str, Any]) -> tuple[float, float]:
    low, high = (float(value) for value in config.get("aspects", [config["aspect"]] * 2))
    return low, high


def _grammar(config: Mapping[str, Any]) -> Grammar:
    return Grammar(
        name=config["name"],
        patterns=tuple(config["patterns"]),
        letters=str(config.get("letters", ascii_uppercase)),
        digits=str(config.get("digits", digits)),
    )


def _slots(configs: list[Mapping[str, Any]]) -> tuple[Slot, ...]:
    return tuple(Slot(c["field"], c["alphabet"], bool(c.get("optional", False))) for c in configs)


def _box(values: list[float]) -> PlateBox:
    x1, y1, x2, y2 = (float(value) for value in values)
    return x1, y1, x2, y2


def _colour(values: list[int]) -> Colour:
    red, green, blue = (int(value) for value in values)
    return red, green, blue
