"""Which images train, validate and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from dataset_tools.annotations import has_label_files
from sub_module.errors import ConfigError

SPLITS = ("train", "val", "test")


class Splitter:
    """Sorts the images of an annotation set into train, val and test, one by one.

    Where label files lie in subdirectories of these names, those decide, and images elsewhere have
    no split. Otherwise a hash of the image's name does: an image stays where it is, whatever else
    joins or leaves the set.
    """

    def __init__(self, annotations: Path, shares: Mapping[str, float]) -> None:
        """Look at the directories of a set.

        Args:
            annotations: The annotation set.
            shares: The relative size of each split; only used for the hash.

        Raises:
            ConfigError: Shares that are none.
        """
        self._bounds = _bounds(shares)
        self._is_fixed = any(has_label_files(annotations / split) for split in SPLITS)

    def split_of(self, image_file: str) -> str | None:
        """The split of an image, its file relative to the set, with forward slashes.

        Returns:
            None when it lies outside of the directories that decide.
        """
        parts = PurePosixPath(image_file).parts
        if not self._is_fixed:
            digest = hashlib.sha256(parts[-1].encode()).digest()
            place = int.from_bytes(digest[:8], "big") / 2**64
            # The last bound is 1 but for rounding.
            last = self._bounds[-1][0]
            return next((split for split, bound in self._bounds if place < bound), last)
        return parts[0] if len(parts) > 1 and parts[0] in SPLITS else None


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
