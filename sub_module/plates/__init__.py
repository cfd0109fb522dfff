"""Plate standards and readings."""

from sub_module.plates.reading import PlateReading, Point
from sub_module.plates.standard import Colours, Grammar, Group, Layout, PlateStandard, Row, Slot

__all__ = [
    "Colours",
    "Grammar",
    "Group",
    "Layout",
    "PlateReading",
    "PlateStandard",
    "Point",
    "Row",
    "Slot",
]
