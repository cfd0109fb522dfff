"""What a detector says of one plate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sub_module.plates.standard import Layout

Point = tuple[float, float]


@dataclass(frozen=True)
class PlateReading:
    """One plate and its text.

    Attributes:
        layout: Name of the layout in the plate standard.
        box: (x1, y1, x2, y2), float pixels of the original image.
        corners: Four points clockwise from the plate's own top left, float pixels of the
            original image.
        region: Text of the region slots; empty where the standard has none.
        symbol: Text of the symbol slots; empty where the standard has none.
        serial: Text of the serial slots; empty where the standard has none.
        text: The whole text in reading order.
        score: Confidence from 0 to 1; 1 for ground truth.
        raw: The text as the characters alone say it, before a grammar chose among look-alikes.
        grammar: The name of the grammar that `text` follows; empty where it follows none.
    """

    layout: str
    box: tuple[float, float, float, float]
    corners: tuple[Point, Point, Point, Point]
    region: str
    symbol: str
    serial: str
    text: str
    score: float
    raw: str = ""
    grammar: str = ""

    def __post_init__(self) -> None:
        if not self.raw:
            object.__setattr__(self, "raw", self.text)

    @classmethod
    def from_slots(
        cls,
        layout: Layout,
        box: tuple[float, float, float, float],
        corners: NDArray[np.floating],
        characters: Sequence[str | None],
        score: float,
    ) -> PlateReading:
        """The reading of a plate whose slots hold these characters.

        Args:
            layout: The plate's.
            box: (x1, y1, x2, y2), pixels of the original image.
            corners: (4, 2), clockwise from the plate's own top left, in the same pixels.
            characters: One entry a slot of the layout, None where it is left out.
            score: From 0 to 1.
        """
        a, b, c, d = ((float(x), float(y)) for x, y in corners)
        return cls(
            layout=layout.name,
            box=box,
            corners=(a, b, c, d),
            **layout.fields_of(characters),
            text="".join(character or "" for character in characters),
            score=score,
        )

    def scaled(self, x_factor: float, y_factor: float) -> PlateReading:
        """The same plate in pixels of the same image at another size."""
        x1, y1, x2, y2 = self.box
        a, b, c, d = ((x * x_factor, y * y_factor) for x, y in self.corners)
        box = (x1 * x_factor, y1 * y_factor, x2 * x_factor, y2 * y_factor)
        return replace(self, box=box, corners=(a, b, c, d))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PlateReading:
        """The reading that `to_dict` gave, also after a way through JSON.

        Raises:
            KeyError: A field is missing.
            TypeError, ValueError: A field is none of its kind.
        """
        x1, y1, x2, y2 = (float(value) for value in data["box"])
        a, b, c, d = ((float(x), float(y)) for x, y in data["corners"])
        texts = {name: str(data[name]) for name in ("layout", "region", "symbol", "serial", "text")}
        for name in ("raw", "grammar"):
            # Readings written down before there were grammars lack both.
            texts[name] = str(data.get(name, ""))
        return cls(box=(x1, y1, x2, y2), corners=(a, b, c, d), score=float(data["score"]), **texts)


def texts_of(readings: Iterable[PlateReading]) -> list[tuple[str, str]]:
    """The (layout, text) of each reading, sorted: equal exactly when two read the same plates."""
    return sorted((reading.layout, reading.text) for reading in readings)
