"""What there is, and how two versions differ: the tags and the catalog side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from dataset_tools.versions.drafts import is_noted, noted_sets
from dataset_tools.versions.version import Kind, Version
from sub_module.errors import CatalogError, DataError

if TYPE_CHECKING:
    from dataset_tools.catalog import Catalog


class Noted(StrEnum):
    """What the catalog has under a version's tag."""

    YES = "yes"
    MISSING = "missing"
    # Of a set with other bytes: the catalog serves another data set repository too.
    OTHER = "other files"


@dataclass(frozen=True)
class ListedVersion:
    """A version, and what the catalog knows of it."""

    version: Version
    noted: Noted


def listed(versions: Sequence[Version], catalog: Catalog) -> list[ListedVersion]:
    """Versions with what the catalog knows of each.

    Raises:
        CatalogError: The database fails.
    """
    known = {tag: noted for kind in Kind for tag, noted in noted_sets(catalog, kind).items()}

    def of(version: Version) -> Noted:
        if version.tag not in known:
            return Noted.MISSING
        is_same = known[version.tag].content_md5 == version.content_md5
        return Noted.YES if is_same else Noted.OTHER

    return [ListedVersion(version, of(version)) for version in versions]


def noted_tag(catalog: Catalog, versions: Sequence[Version], name: str) -> str:
    """The tag of an annotation set that the catalog has, by its tag or version name.

    Args:
        catalog: May have sets that are no versions, such as those of the first system.
        versions: All that there are.
        name: `ann-v3`, or `v3`.

    Raises:
        DataError: There is none, or it is a training set.
        CatalogError: The catalog lacks it, or has another set under its tag.
    """
    noted = noted_sets(catalog, Kind.ANNOTATIONS)
    for tag in (name, f"{Kind.ANNOTATIONS.prefix}{name}"):
        if tag in noted:
            for version in versions:
                if version.tag == tag:
                    is_noted(catalog, version.kind, tag, version.content_md5)
            return tag
    version = find_version(versions, name)
    if version.kind is not Kind.ANNOTATIONS:
        raise DataError(f"{version.tag} is a training set; only annotation sets are compared")
    raise CatalogError(
        f"{catalog.name}: lacks {version.tag}; to fill it in: `dataset pull {version.tag} DIR`"
        f", then `dataset add DIR --category {version.category} --version {version.version}`"
    )


def find_version(versions: Sequence[Version], name: str) -> Version:
    """As `DataSets.find`.

    Raises:
        DataError: There is none; the message names what there is.
    """
    # Annotation sets first.
    for prefix in ("", *(kind.prefix for kind in Kind)):
        for version in versions:
            if version.tag == f"{prefix}{name}":
                return version
    there = ", ".join(version.tag for version in versions[-10:]) or "none at all"
    others = f" and {len(versions) - 10} older" if len(versions) > 10 else ""
    raise DataError(f"no version {name!r} in the data set repository; there is {there}{others}")
