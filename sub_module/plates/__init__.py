"""Plate standards and readings."""

from sub_module.plates.reading import PlateReading, Point
from sub_module.plates.standard import Colours, Group, Layout, PlateStandard, Row, Slot

__all__ = ["Colours", "Group", "Layout", "PlateReading", "PlateStandard", "Point", "Row", "Slot"]
