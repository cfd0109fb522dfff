"""What a version is called, and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sub_module.errors import DataError

# So that it can be a file, a part of a git tag and a word on the command line.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBERED = re.compile(r"v([1-9][0-9]{0,8})")


class Kind(StrEnum):
    """What a version is of; the value is its folder in the data set repository."""

    ANNOTATIONS = "annotations"
    TRAINING = "training"

    @property
    def prefix(self) -> str:
        """How its tags begin."""
        return "ann-" if self is Kind.ANNOTATIONS else "train-"


@dataclass(frozen=True)
class Version:
    """One version in the data set repository.

    Attributes:
        tag: Its git tag, such as `ann-v3`.
        kind: Annotation set or training set.
        category: What the set is of, such as `board_dataset`.
        version: Its name, such as `v3`.
        commit: The commit that is tagged, in hex.
        created: When it was tagged, UTC.
        content_md5: DVC's checksum of the whole set: two sets with the same have the same files.
        size_bytes: Of all files together.
        num_files: How many there are.
    """

    tag: str
    kind: Kind
    category: str
    version: str
    commit: str
    created: datetime
    content_md5: str
    size_bytes: int
    num_files: int

    @property
    def pointer(self) -> str:
        """DVC's file for it, relative to the data set repository."""
        return pointer(self.kind, self.category)


@dataclass(frozen=True)
class LeftOut:
    """Files that were not taken into a version.

    Attributes:
        rejected: The first reason of each that cannot be used.
        unreviewed: Label files that no person has gone through.
    """

    rejected: Mapping[str, str] = field(default_factory=dict)
    unreviewed: tuple[str, ...] = ()

    def figures(self) -> dict[str, int]:
        """How many, in words, where there are any."""
        numbers = {
            "left out as unusable": len(self.rejected),
            "left out as not reviewed": len(self.unreviewed),
        }
        return {what: number for what, number in numbers.items() if number}


@dataclass(frozen=True)
class Published:
    """What became of a set that was added.

    Attributes:
        version: Its name, such as `v3`.
        tag: Its git tag.
        commit: The commit that is tagged, in hex.
        content_md5: DVC's checksum of the whole set.
        is_new: False when the version was there already, with the same bytes.
        left_out: What of the directory is not in it.
    """

    version: str
    tag: str
    commit: str
    content_md5: str
    is_new: bool
    left_out: LeftOut = field(default_factory=LeftOut)


def pointer(kind: Kind, category: str) -> str:
    """DVC's file for a set, relative to the data set repository."""
    return f"{kind}/{category}.dvc"


def check_name(what: str, name: str) -> str:
    """Gives a category or version name back if it is one.

    Raises:
        DataError: It cannot name a file and a git tag.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise DataError(
            f"{what} {name!r} is no name: at most 64 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit and not ending with '.' or '.lock'"
        )
    return name


def next_name(taken: set[str]) -> str:
    """The first of v1, v2, ... above all that are taken."""
    numbers = [int(found[1]) for name in taken if (found := _NUMBERED.fullmatch(name))]
    return f"v{max(numbers, default=0) + 1}"
