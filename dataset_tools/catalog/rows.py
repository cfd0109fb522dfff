"""What goes into the catalog and what a comparison gives, as plain values.

They know no database, so that code which only makes them loads none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sub_module.errors import CatalogError

Purpose = Literal["train", "val", "test"]


class Conflict(CatalogError):  # noqa: N818 - it is an outcome that callers expect
    """Rows that are there already: of the same tag, version, name or path."""


@dataclass(frozen=True)
class AnnotationRow:
    """One image of an annotation set, with its label file.

    Attributes:
        image: Path relative to the set, with forward slashes; unique in the set.
        label_file: The same, of the label file.
        image_md5: Of the file's bytes, in hex; None where nobody knows (a set of the first system).
        label_md5: The same, of the label file.
        image_bytes: Size of the file, or None.
        label_bytes: Size of the label file, or None.
        num_plates: How many plates are labelled, or None.
    """

    image: str
    label_file: str
    image_md5: str | None
    label_md5: str | None
    image_bytes: int | None
    label_bytes: int | None
    num_plates: int | None


@dataclass(frozen=True)
class NewAnnotationSet:
    """One version of an annotation set.

    Attributes:
        category: What the set is of, such as `board_dataset`.
        version: Its name among the category's versions, such as `v3`.
        tag: Its git tag, such as `ann-v3`; unique.
        content_md5: DVC's checksum of the directory, or None where nobody knows.
        num_images: How many there are.
        num_plates: How many plates are labelled in all of them, or None.
        class_counts: How many shapes there are of each label.
        standard: Fingerprint of the plate standard that it was checked against, or None.
    """

    category: str
    version: str
    tag: str
    content_md5: str | None
    num_images: int
    num_plates: int | None
    class_counts: Mapping[str, int]
    standard: str | None


@dataclass(frozen=True)
class ImageRow:
    """One image of a training set.

    Attributes:
        image: File name in the training set; unique in the set.
        purpose: Which part of the split it is in.
        record_file: The COCO file that holds its labels, relative to the set.
        annotation_image: Its image in the annotation set, or None where nobody knows.
    """

    image: str
    purpose: Purpose
    record_file: str
    annotation_image: str | None


@dataclass(frozen=True)
class NewTrainingSet:
    """One version of a training set.

    Attributes:
        category: As of an annotation set.
        version: Its name among the category's versions.
        tag: Its git tag, such as `train-v3`; unique.
        content_md5: DVC's checksum of the directory, or None where nobody knows.
        annotation_tag: The annotation set that it was recorded from, or None.
        split: The part of the images that each purpose was to get.
        num_images: How many images each purpose got.
        standard: Fingerprint of the plate standard, or None.
    """

    category: str
    version: str
    tag: str
    content_md5: str | None
    annotation_tag: str | None
    split: Mapping[str, float]
    num_images: Mapping[str, int]
    standard: str | None


@dataclass(frozen=True)
class RunRow:
    """What is known of one run of a pipeline.

    Attributes:
        name: Unique.
        pipeline: Its name in the registry.
        version: Of the pipeline.
        state: Such as `running`, `succeeded` or `failed`.
        training_tag: The training set that it trained on, or None as long as there is none.
        metrics: Figures of the best model; one that is no finite number is kept as None.
    """

    name: str
    pipeline: str
    version: str
    state: str
    training_tag: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelRow:
    """What is known of one checkpoint.

    Attributes:
        path: Its URL in the store; unique.
        run: Name of the run that made it, which the catalog must know.
        training_tag: The training set that it was trained on, or None.
        checkpoint_sha256: Of the checkpoint's bytes, in hex.
        metrics: Figures such as EIR; one that is no finite number is kept as None.
    """

    path: str
    run: str
    training_tag: str | None
    checkpoint_sha256: str
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """Files that differ between two sets, each sorted by path."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class SetDiff:
    """How an annotation set differs from an older one.

    Attributes:
        images: By path; a file whose checksum is not known in both counts as unchanged.
        labels: The same of the label files.
        class_counts: For each label in either set, how many shapes the old and the new one have.
    """

    images: Changes
    labels: Changes
    class_counts: Mapping[str, tuple[int, int]]
