"""What there is, and how two versions differ: the tags and the catalog side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

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
    known = {found.tag: found.content_md5 for found in catalog.annotation_sets()}
    known |= {found.tag: found.content_md5 for found in catalog.training_sets()}

    def noted(version: Version) -> Noted:
        if version.tag not in known:
            return Noted.MISSING
        return Noted.YES if known[version.tag] == version.content_md5 else Noted.OTHER

    return [ListedVersion(version, noted(version)) for version in versions]


def annotation_tag(catalog: Catalog, name: str) -> str | None:
    """The tag of an annotation set that the catalog has, by its tag or version name."""
    for tag in (name, f"{Kind.ANNOTATIONS.prefix}{name}"):
        if catalog.annotation_set(tag) is not None:
            return tag
    return None


def lacking(catalog: Catalog, version: Version) -> Exception:
    """Why a version cannot be compared that the catalog has no annotation set for."""
    if version.kind is not Kind.ANNOTATIONS:
        return DataError(f"{version.tag} is a training set; only annotation sets are compared")
    return CatalogError(
        f"{catalog.name}: lacks {version.tag}; to fill it in: `dataset pull {version.tag} DIR`, "
        f"then `dataset add DIR --category {version.category} --version {version.version}`"
    )
