"""Families of plate lettering: what a random face of each may look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_Range = tuple[float, float]


@dataclass(frozen=True)
class Family:
    """What the faces of some plates have in common: ranges and shares to draw from.

    Attributes:
        weight: How often, against the other families.
        width: Of most characters, in heights.
        thickness: Of upright strokes, in heights.
        roundness: Reach of a bowl's corners along x, of half the bowl.
        softness: Of the pen (see `Pen`).
        blur: By how much all corners are rounded, sigma in pixels of the master.
        even: Share of faces whose characters are all about equally wide.
        bars: Share of faces with bars on I.
        ones: Shares of 1 as a stem, with a flag, and as base (with flag and base).
        cut_zeros: Share of faces whose 0 is cut open.
        slashed_zeros: Share of faces whose 0 is crossed by a slash.
    """

    weight: float
    width: _Range
    thickness: _Range
    roundness: _Range
    softness: _Range
    blur: _Range
    ones: Mapping[str, float]
    even: float = 0.1
    bars: float = 0.1
    cut_zeros: float = 0.0
    slashed_zeros: float = 0.0


_FLAG = {"stem": 0.02, "flag": 0.9, "base": 0.08}

FAMILIES = {
    # DIN 1451 Mittelschrift and its kin: older German, Polish, Czech, Hungarian plates.
    "din": Family(
        weight=0.2,
        width=(0.48, 0.62),
        thickness=(0.12, 0.155),
        roundness=(0.8, 1.0),
        softness=(0.0, 0.2),
        blur=(0.0, 1.6),
        ones=_FLAG,
    ),
    # FE-Schrift, hard to forge: German and Mercosul plates.
    "fe": Family(
        weight=0.17,
        width=(0.54, 0.66),
        thickness=(0.12, 0.155),
        roundness=(0.6, 0.95),
        softness=(0.0, 0.3),
        blur=(0.0, 1.6),
        ones={"flag": 0.8, "base": 0.2},
        even=0.8,
        bars=0.85,
        cut_zeros=0.6,
    ),
    # Charles Wright: British plates; heavy, its corners small.
    "wright": Family(
        weight=0.13,
        width=(0.56, 0.68),
        thickness=(0.155, 0.2),
        roundness=(0.5, 0.85),
        softness=(0.0, 0.1),
        blur=(0.0, 1.3),
        ones={"stem": 0.25, "flag": 0.75},
    ),
    # Spanish, Italian, French, Belgian, Dutch dies.
    "latin": Family(
        weight=0.2,
        width=(0.46, 0.64),
        thickness=(0.1, 0.15),
        roundness=(0.55, 1.0),
        softness=(0.0, 1.0),
        blur=(0.0, 2.2),
        ones=_FLAG,
        bars=0.25,
    ),
    # American embossing dies: condensed, all corners round.
    "american": Family(
        weight=0.13,
        width=(0.38, 0.5),
        thickness=(0.1, 0.14),
        roundness=(0.6, 1.0),
        softness=(0.3, 1.0),
        blur=(1.0, 3.2),
        ones={"stem": 0.04, "flag": 0.46, "base": 0.5},
        bars=0.6,
        slashed_zeros=0.1,
    ),
    # Brazil's Mandatory: wide.
    "mandatory": Family(
        weight=0.08,
        width=(0.6, 0.78),
        thickness=(0.13, 0.185),
        roundness=(0.55, 1.0),
        softness=(0.0, 1.0),
        blur=(0.0, 2.0),
        ones=_FLAG,
    ),
    "any": Family(
        weight=0.09,
        width=(0.38, 0.78),
        thickness=(0.09, 0.22),
        roundness=(0.4, 1.0),
        softness=(0.0, 1.0),
        blur=(0.0, 3.0),
        ones={"stem": 0.05, "flag": 0.7, "base": 0.25},
        even=0.3,
        bars=0.35,
        cut_zeros=0.03,
        slashed_zeros=0.05,
    ),
}
