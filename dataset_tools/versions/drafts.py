"""What is about to become a version, and the rows that the catalog gets of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dataset_tools.catalog import AnnotationRow, ImageRow, NewAnnotationSet, NewTrainingSet
from dataset_tools.versions.objects import Content
from dataset_tools.versions.version import Kind

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from dataset_tools.catalog import AnnotationSet, Catalog, TrainingSet


@dataclass(frozen=True)
class Draft(ABC):
    """A checked and staged set that has no version yet.

    Attributes:
        category: What it is of.
        content: Its files.
        standard: Fingerprint of the plate standard that it was checked against.
    """

    category: str
    content: Content
    standard: str

    kind: Kind

    @property
    @abstractmethod
    def figures(self) -> dict[str, object]:
        """For people who read the tag."""

    @abstractmethod
    def noted(self, catalog: Catalog, tag: str) -> AnnotationSet | TrainingSet | None:
        """What the catalog has under a tag."""

    @abstractmethod
    def taken(self, catalog: Catalog) -> set[str]:
        """Version names that the catalog knows of this kind of set."""

    @abstractmethod
    def note(self, catalog: Catalog, session: Session, version: str) -> None:
        """Put the rows in.

        Raises:
            Conflict: Rows are there already.
            CatalogError: The database fails.
        """

    def tag(self, version: str) -> str:
        """The tag of one of its versions."""
        return f"{self.kind.prefix}{version}"


@dataclass(frozen=True)
class AnnotationDraft(Draft):
    """An annotation set; `rows` are all its images, `class_counts` its shapes of each label."""

    rows: Sequence[AnnotationRow]
    class_counts: Mapping[str, int]

    @property
    def num_plates(self) -> int:
        """In all images."""
        return sum(row.num_plates or 0 for row in self.rows)

    @property
    def figures(self) -> dict[str, object]:
        """See `Draft`."""
        return {"images": len(self.rows), "plates": self.num_plates}

    def noted(self, catalog: Catalog, tag: str) -> AnnotationSet | None:
        """See `Draft`."""
        return catalog.annotation_set(tag)

    def taken(self, catalog: Catalog) -> set[str]:
        """See `Draft`."""
        return {found.version for found in catalog.annotation_sets()}

    def note(self, catalog: Catalog, session: Session, version: str) -> None:
        """See `Draft`."""
        new = NewAnnotationSet(
            category=self.category,
            version=version,
            tag=self.tag(version),
            content_md5=self.content.md5,
            num_images=len(self.rows),
            num_plates=self.num_plates,
            class_counts=dict(self.class_counts),
            standard=self.standard,
        )
        catalog.add_annotation_set(session, new, self.rows)


@dataclass(frozen=True)
class TrainingDraft(Draft):
    """A training set; `rows` are all its images."""

    rows: Sequence[ImageRow]
    annotation_tag: str
    split: Mapping[str, float]

    @property
    def num_images(self) -> dict[str, int]:
        """Of each part of the split."""
        return {part: sum(row.purpose == part for row in self.rows) for part in self.split}

    @property
    def figures(self) -> dict[str, object]:
        """See `Draft`."""
        return {"from": self.annotation_tag, **self.num_images}

    def noted(self, catalog: Catalog, tag: str) -> TrainingSet | None:
        """See `Draft`."""
        return catalog.training_set(tag)

    def taken(self, catalog: Catalog) -> set[str]:
        """See `Draft`."""
        return {found.version for found in catalog.training_sets()}

    def note(self, catalog: Catalog, session: Session, version: str) -> None:
        """See `Draft`."""
        new = NewTrainingSet(
            category=self.category,
            version=version,
            tag=self.tag(version),
            content_md5=self.content.md5,
            annotation_tag=self.annotation_tag,
            split=dict(self.split),
            num_images=self.num_images,
            standard=self.standard,
        )
        catalog.add_training_set(session, new, self.rows)
