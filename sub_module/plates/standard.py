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
# What a character of a grammar's pattern stands for.
_KINDS = {"L": "letters", "D": "digits", "*": "letters or digits"}
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
        letters: Those that the country uses; left out of a config: all in the standard's alphabet.
        digits: As `letters`.
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
            ConfigError: A key is missing or unknown, its value is of another kind, or the parts
                contradict each other.
        """
        try:
            config = _table(config, cls, "plates", grammars=())
            layouts = tuple(_layout(layout) for layout in _list(config, "layouts"))
            used = {c for layout in layouts for slot in layout.slots for c in slot.alphabet}
            standard = cls(
                name=_text(config, "name"),
                layouts=layouts,
                colours=tuple(_colours(pair) for pair in _list(config, "colours")),
                classes=_texts(config, "classes"),
                grammars=tuple(_grammar(grammar, used) for grammar in _list(config, "grammars")),
            )
        except KeyError as error:
            raise ConfigError(f"plate standard: key {error} is missing") from error
        except (TypeError, ValueError, OverflowError) as error:
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

    def _require(self, condition: bool, reason: str) -> None:
        if not condition:
            raise ConfigError(f"plate standard {self.name}: {reason}")

    def _validate(self) -> None:
        require = self._require
        require(bool(self.layouts), "it has no layout")
        require(bool(self.colours), "it has no colours")
        require(len(set(self.classes)) == len(self.classes), "a class is listed twice")
        names = [name for layout in self.layouts for name in (layout.name, layout.label)]
        require(len(set(names)) == len(names), "two layouts share a name or a label")
        for layout in self.layouts:
            self._validate_layout(layout)
        for pair in self.colours:
            require(pair.weight > 0, "a colour's weight must be above 0")
        for grammar in self.grammars:
            self._validate_grammar(grammar)

    def _validate_layout(self, layout: Layout) -> None:
        require, named = self._require, f"layout {layout.name}"
        require(layout.aspect > 0, f"{named}: aspect must be above 0")
        require(bool(layout.rows), f"{named} has no row")
        for label in (layout.label, *(group.label for group in layout.groups)):
            require(label in self.classes, f"label {label!r} is not in the class list")
        for row in layout.rows:
            require(bool(row.slots), f"{named} has a row without slots")
            for box in (row.box, *(group.box for group in row.groups)):
                x1, y1, x2, y2 = box
                inside = 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
                require(inside, f"{named}: box {box} does not lie in the plate")
        for slot in layout.slots:
            require(slot.field in FIELDS, f"field {slot.field!r} is none of {FIELDS}")
            require(bool(slot.alphabet), f"{named}: a slot has an empty alphabet")
            for character in slot.alphabet:
                self.label_of(character)
        low, high = layout.aspects
        require(0 < low <= high, f"{named}: aspects must rise from above 0")
        for name, share in layout.furniture:
            require(0 <= share <= 1, f"{named}: furniture {name}: {share} is no share")

    def _validate_grammar(self, grammar: Grammar) -> None:
        require, named = self._require, f"grammar {grammar.name}"
        most = max(len(layout.slots) for layout in self.layouts)
        require(bool(grammar.patterns), f"{named}: patterns must not be empty")
        for pattern in grammar.patterns:
            quoted = f"{named}: pattern {pattern!r}"
            known = bool(pattern) and set(pattern) <= _KINDS.keys()
            require(known, f"{quoted} must consist of L, D and *")
            require(len(pattern) <= most, f"{quoted} is longer than any layout: {most} slots")
            for kind, characters in zip(pattern, grammar.alphabets(pattern), strict=True):
                require(bool(characters), f"{quoted} needs {_KINDS[kind]}, and there are none")
        unknown = set(grammar.letters + grammar.digits) - set(self.alphabet)
        require(not unknown, f"{named}: no slot takes {''.join(sorted(unknown))}")


def _layout(config: Any) -> Layout:
    config = _table(config, Layout, "layouts", furniture={})
    furniture = config["furniture"]
    if not isinstance(furniture, Mapping):
        furniture = dict(_list(config, "furniture"))  # as `to_config` writes it
    aspect = _number(config["aspect"], "aspect")
    low, high = _numbers({"aspects": [aspect, aspect], **config}, "aspects", 2)
    rows = [_table(row, Row, "rows") for row in _list(config, "rows")]
    return Layout(
        name=_text(config, "name"),
        label=_text(config, "label"),
        aspect=aspect,
        rows=tuple(Row(_box(r), tuple(_group(g) for g in _list(r, "groups"))) for r in rows),
        aspects=(low, high),
        furniture=tuple((str(n), _number(s, f"furniture {n}")) for n, s in furniture.items()),
    )


def _group(config: Any) -> Group:
    config = _table(config, Group, "groups")
    slots = [_table(slot, Slot, "slots", optional=False) for slot in _list(config, "slots")]
    return Group(
        _text(config, "label"),
        _box(config),
        tuple(Slot(_text(s, "field"), _text(s, "alphabet"), bool(s["optional"])) for s in slots),
    )


def _grammar(config: Any, used: set[str]) -> Grammar:
    every = {
        "letters": "".join(sorted(filter(str.isalpha, used))),
        "digits": "".join(sorted(filter(str.isdigit, used))),
    }
    config = _table(config, Grammar, "grammars", **every)
    texts = (_text(config, "letters"), _text(config, "digits"))
    return Grammar(_text(config, "name"), _texts(config, "patterns"), *texts)


def _colours(config: Any) -> Colours:
    config = _table(config, Colours, "colours", weight=1.0)
    weight = _number(config["weight"], "weight")
    return Colours(_colour(config, "background"), _colour(config, "text"), weight)


def _colour(config: Mapping[str, Any], key: str) -> Colour:
    red, green, blue = values = _numbers(config, key, 3)
    if not all(value.is_integer() and 0 <= value <= 255 for value in values):
        raise ValueError(f"{key} must be whole numbers from 0 to 255, not {config[key]!r}")
    return int(red), int(green), int(blue)


def _box(config: Mapping[str, Any]) -> PlateBox:
    x1, y1, x2, y2 = _numbers(config, "box", 4)
    return x1, y1, x2, y2


def _table(config: Any, kind: type[Any], name: str, **defaults: Any) -> dict[str, Any]:
    """A dict whose keys are the attributes of a class, with defaults for those left out."""
    if not isinstance(config, Mapping):
        raise TypeError(f"{name}: expected a table of keys, not {type(config).__name__}")
    for key in config:
        if key not in kind.__dataclass_fields__:
            raise ValueError(f"{name}: key {key!r} is unknown")
    return {**defaults, **config}


def _list(config: Mapping[str, Any], key: str) -> Sequence[Any]:
    if not isinstance(config[key], list | tuple):
        raise TypeError(f"{key} must be a list, not {type(config[key]).__name__}")
    return config[key]  # type: ignore[no-any-return]


def _numbers(config: Mapping[str, Any], key: str, count: int) -> tuple[float, ...]:
    values = _list(config, key)
    if len(values) != count:
        raise ValueError(f"{key} must be {count} numbers, not {values!r}")
    return tuple(_number(value, key) for value in values)


def _number(value: Any, name: str) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise TypeError(f"{name} must be a finite number, not {value!r}")
    return float(value)


def _texts(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_text({key: value}, key) for value in _list(config, key))


def _text(config: Mapping[str, Any], key: str) -> str:
    if not isinstance(config[key], str):
        raise TypeError(f"{key} must be text, not {config[key]!r}")
    return config[key]  # type: ignore[no-any-return]
