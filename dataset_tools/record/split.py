"""Which images train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from dataset_tools.annotations import LabelledImage, Problem
from sub_module.errors import ConfigError

SPLITS = ("train", "val", "test")


def split_images(
    images: Sequence[LabelledImage], shares: Mapping[str, float]
) -> tuple[dict[str, list[LabelledImage]], list[Problem]]:
    """Sort images into train, val and test.

    Where images lie in subdirectories of these names, those decide, and images elsewhere are
    rejected. Otherwise a hash of the image's name does: an image stays where it is, whatever
    else joins or leaves the set.

    Args:
        images: All usable images of a set.
        shares: The relative size of each split; only used for the hash.

    Returns:
        The images of each split, and the rejected ones.

    Raises:
        ConfigError: Shares that are none.
    """
    bounds = _bounds(shares)
    splits: dict[str, list[LabelledImage]] = {split: [] for split in SPLITS}
    rejected: list[Problem] = []
    tops = [PurePosixPath(image.file).parts[0] for image in images]
    fixed = any(
        "/" in image.file and top in SPLITS for image, top in zip(images, tops, strict=True)
    )
    for image, top in zip(images, tops, strict=True):
        if not fixed:
            splits[_split_of(image.annotation.image_name, bounds)].append(image)
        elif "/" in image.file and top in SPLITS:
            splits[top].append(image)
        else:
            rejected.append(Problem(image.file, "lies outside of train/, val/ and test/"))
    return splits, rejected


def _bounds(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    """(split, upper bound of its hash), bounds ascending to 1."""
    for split, share in shares.items():
        if split not in SPLITS:
            raise ConfigError(f"dataset.split: {split!r} is none of {', '.join(SPLITS)}")
        if not 0 <= share < float("inf"):
            raise ConfigError(f"dataset.split.{split} must be 0 or more, not {share}")
    total = sum(shares.values())
    if not shares.get("train"):
        raise ConfigError("dataset.split.train must be above 0")
    bounds, reached = [], 0.0
    for split in SPLITS:
        if shares.get(split):
            reached += shares[split] / total
            bounds.append((split, reached))
    return bounds


def _split_of(image_name: str, bounds: Sequence[tuple[str, float]]) -> str:
    digest = hashlib.sha256(image_name.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    # The last bound is 1 but for rounding.
    return next((split for split, bound in bounds if place < bound), bounds[-1][0])
