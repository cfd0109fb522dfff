"""Choices that chance makes, and the generators that it comes from."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from dataset_tools.draw.brushes import Colour

_Option = TypeVar("_Option", covariant=True)


class _Options(Protocol[_Option]):
    """A sequence, or the rows of an array."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> _Option: ...


def own_generator(rng: np.random.Generator, name: str) -> np.random.Generator:
    """A generator for one step of drawing, from the seed of the image's and the step's name.

    It takes nothing from `rng`, so a step that is left out changes no other.
    """
    entropy = getattr(rng.bit_generator.seed_seq, "entropy", 0)
    return np.random.default_rng([zlib.crc32(name.encode()), *np.atleast_1d(entropy).tolist()])


def pick(options: _Options[_Option], rng: np.random.Generator) -> _Option:
    """One of some options, all alike."""
    return options[int(rng.integers(len(options)))]


def pick_by_share(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    """A name, by its share; shares need not add up to 1."""
    left = rng.random() * sum(shares.values())
    chosen = ""
    for name, share in shares.items():
        if share > 0 and left >= 0:
            chosen = name
            left -= share
    return chosen


def size_within(limits: Sequence[float], rng: np.random.Generator) -> float:
    """A size from a lowest to a highest, uniform in the logarithm: small ones as often as large."""
    low, high = limits
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def varied(colour: Colour, spread: float, rng: np.random.Generator) -> list[float]:
    """A colour changed by chance, by a standard deviation in grey levels."""
    # Plain numbers: for three of them the calls of numpy cost more than the sums.
    noise = rng.normal(size=3).tolist()
    return [
        min(max(float(value + spread * by), 0.0), 255.0)
        for value, by in zip(colour, noise, strict=True)
    ]


def varied_grey(low: float, high: float, spread: float, rng: np.random.Generator) -> list[float]:
    """A grey between two levels, hardly tinted: see `varied`."""
    return varied((rng.uniform(low, high),) * 3, spread, rng)
