"""What is about to become a version, and the rows that the catalog gets of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dataset_tools.catalog import AnnotationRow, ImageRow, NewAnnotationSet, NewTrainingSet
from dataset_tools.versions.objects import Content
from dataset_tools.versions.version import Kind, LeftOut
from sub_module.errors import CatalogError

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from dataset_tools.catalog import AnnotationSet, Catalog, TrainingSet


@dataclass(frozen=True)
class Draft:
    """A checked and staged set that has no version yet.

    Attributes:
        new: What the catalog is to know of the set; version and tag are empty.
        content: Its files.
        size_bytes: Of all files together.
        figures: For people who read the tag.
        annotations: All images, if it is an annotation set.
        images: All images, if it is a training set.
        left_out: Files of the directory that are not in it.
    """

    new: NewAnnotationSet | NewTrainingSet
    content: Content
    size_bytes: int
    figures: Mapping[str, object]
    annotations: Sequence[AnnotationRow] = ()
    images: Sequence[ImageRow] = ()
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def kind(self) -> Kind:
        """Annotation set or training set."""
        return Kind.ANNOTATIONS if isinstance(self.new, NewAnnotationSet) else Kind.TRAINING

    @property
    def category(self) -> str:
        """What it is of."""
        return self.new.category

    def tag(self, version: str) -> str:
        """The tag of one of its versions."""
        return f"{self.kind.prefix}{version}"

    def needs_rows(self, catalog: Catalog, version: str) -> bool:
        """Whether the catalog lacks this version.

        Raises:
            CatalogError: It has another set under the same tag, or the database fails.
        """
        return not is_noted(catalog, self.kind, self.tag(version), self.content.md5)

    def note(self, catalog: Catalog, session: Session, version: str) -> None:
        """Put the rows in.

        Raises:
            Conflict: Rows are there already.
            CatalogError: The database fails.
        """
        if isinstance(self.new, NewAnnotationSet):
            annotation_set = replace(self.new, version=version, tag=self.tag(version))
            catalog.add_annotation_set(session, annotation_set, self.annotations)
        else:
            training_set = replace(self.new, version=version, tag=self.tag(version))
            catalog.add_training_set(session, training_set, self.images)


def is_noted(catalog: Catalog, kind: Kind, tag: str, content_md5: str) -> bool:
    """Whether the catalog has the set of a tag.

    Raises:
        CatalogError: It has another set under that tag, or the database fails.
    """
    noted = noted_sets(catalog, kind).get(tag)
    if noted is not None and noted.content_md5 != content_md5:
        raise CatalogError(
            f"{catalog.name}: has other files under {tag}, of another data set repository: use a "
            "database or a version name of its own"
        )
    return noted is not None


def noted_sets(catalog: Catalog, kind: Kind) -> dict[str, AnnotationSet | TrainingSet]:
    """What the catalog has of one kind of set, by tag.

    Raises:
        CatalogError: The database fails.
    """
    if kind is Kind.ANNOTATIONS:
        return {found.tag: found for found in catalog.annotation_sets()}
    return {found.tag: found for found in catalog.training_sets()}
