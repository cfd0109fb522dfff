"""Sets for tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace

from dataset_tools.catalog import (
    AnnotationRow,
    Catalog,
    ImageRow,
    NewAnnotationSet,
    NewTrainingSet,
)


def row(image: str, content: str = "", label: str = "") -> AnnotationRow:
    """An image and its label file; what they hold changes their checksums only."""
    stem = image.rpartition(".")[0]
    return AnnotationRow(
        image=image,
        label_file=f"{stem}.json",
        image_md5=hashlib.md5(f"image {content}".encode()).hexdigest(),
        label_md5=hashlib.md5(f"label {label}".encode()).hexdigest(),
        image_bytes=3_000_000_000,
        label_bytes=2000,
        num_plates=1,
    )


def new_set(version: str, num_images: int) -> NewAnnotationSet:
    """An annotation set of a version."""
    return NewAnnotationSet(
        category="board_dataset",
        version=version,
        tag=f"ann-{version}",
        content_md5="d41d8cd98f00b204e9800998ecf8427e.dir",
        num_images=num_images,
        num_plates=num_images,
        class_counts={"r_board": num_images, "a": 3},
        standard="0123456789ab",
    )


def add_set(
    catalog: Catalog,
    version: str,
    rows: Iterable[AnnotationRow],
    then: Callable[[], None] = lambda: None,
    **changes: object,
) -> None:
    """Add an annotation set in a transaction of its own; `then` comes just before the commit."""
    rows = list(rows)
    new = replace(new_set(version, len(rows)), **changes)
    with catalog.transaction() as session:
        catalog.add_annotation_set(session, new, rows)
        then()


def add_training_set(catalog: Catalog, version: str, annotation_tag: str | None) -> None:
    """Add a training set of three images in a transaction of its own."""
    new = NewTrainingSet(
        category="board_dataset",
        version=version,
        tag=f"train-{version}",
        content_md5=None,
        annotation_tag=annotation_tag,
        split={"train": 0.8, "val": 0.1, "test": 0.1},
        num_images={"train": 1, "val": 1, "test": 1},
        standard="0123456789ab",
    )
    images = [
        ImageRow(f"{purpose}.jpg", purpose, f"{purpose}.json", f"{purpose}.jpg")
        for purpose in ("train", "val", "test")
    ]
    with catalog.transaction() as session:
        catalog.add_training_set(session, new, images)
