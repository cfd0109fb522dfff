"""Moves what the first system's database says into the catalog.

Its three tables, which have no constraints between them:

    ann_data(id, json_name, image_name, category, ann_version)
    image_data(id, dataset_purpose, image_name, record_file, category, train_version)
    train_data(id, dataset_purpose, category, record_file, train_version)

They hold no checksums, sizes or plates, and do not say which annotation set a training set came
from; those columns stay empty. `train_data` adds only versions that `image_data` does not name.

MySQL compares text without regard to case and trailing spaces, unless a table says otherwise. So
what belongs together is decided here and not there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    Connection,
    TableClause,
    column,
    inspect,
    select,
    table,
)
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from dataset_tools.catalog.catalog import Catalog
from dataset_tools.catalog.connect import connect, shown
from dataset_tools.catalog.failures import in_one_line
from dataset_tools.catalog.migrate import FIRST_SYSTEM_TABLES
from dataset_tools.catalog.models import Annotation, AnnotationSet, Image, TrainingSet
from dataset_tools.catalog.rows import (
    AnnotationRow,
    ImageRow,
    NewAnnotationSet,
    NewTrainingSet,
    Purpose,
)
from sub_module.errors import CatalogError
from sub_module.progress import Progress, silent

_PURPOSES = ("train", "val", "test")
_NOT_IN_A_TAG = re.compile(r"[^A-Za-z0-9._-]+")
_NUM_ROWS = 5000


def _table(name: str, *columns: str) -> TableClause:
    return table(name, column("id"), *map(column, columns))


_ANN = _table("ann_data", "category", "ann_version", "image_name", "json_name")
_IMAGE = _table(
    "image_data", "category", "train_version", "image_name", "dataset_purpose", "record_file"
)
_TRAIN = _table("train_data", "category", "train_version")


@dataclass(frozen=True)
class Imported:
    """One set that was moved.

    Attributes:
        tag: In the catalog; the data set repository has no such tag.
        num_images: How many images the set has.
        num_doubles: How many rows named an image a second time, and were left out.
        is_new: False when an earlier import had moved it.
    """

    tag: str
    num_images: int
    num_doubles: int
    is_new: bool


@dataclass(frozen=True)
class _Version:
    """A version: as the first system names it, and its name and tag here."""

    category: str
    original: str
    name: str
    tag: str


def import_first_system(
    catalog: Catalog, source: URL, prefix: str = "first-", progress: Progress = silent
) -> list[Imported]:
    """Move every version of the three tables: all of them or, on an error, none.

    Args:
        catalog: Where to.
        source: The first system's database, which is only read.
        prefix: Goes before each version's name, so that the plain names stay free for versions
            whose files Plateflow keeps.
        progress: Called once a version.

    Raises:
        CatalogError: A database fails, the tables are not there or hold what cannot be, or a
            version of that name is there with another category, other images or other files.
    """
    where = shown(source)
    if source.get_backend_name() == "sqlite" and not Path(str(source.database)).is_file():
        # SQLite would make an empty one.
        raise CatalogError(f"{where}: there is no such file")
    with in_one_line(where), connect(source).connect() as connection:
        missing = FIRST_SYSTEM_TABLES - set(inspect(connection).get_table_names())
        if missing:
            raise CatalogError(
                f"{where}: is no database of the first system: it has no table {min(missing)}"
            )
        annotated = _versions(connection, [_ANN], "ann", prefix)
        trained = _versions(connection, [_IMAGE, _TRAIN], "train", prefix)
        imported = []
        with catalog.transaction() as session:
            for version in [*annotated, *trained]:
                move = _move_annotations if version in annotated else _move_images
                imported.append(move(connection, catalog, session, version))
                progress(len(imported), len(annotated) + len(trained), version.name)
    return imported


def _versions(
    connection: Connection, tables: list[TableClause], kind: str, prefix: str
) -> list[_Version]:
    """The versions that the tables' rows name, and what they are called here."""
    rows = chain.from_iterable(_rows(connection, source, 2) for source in tables)
    found = sorted({(category, original) for category, original in rows})
    num_categories = Counter(version for _, version in found)
    versions = []
    for category, original in found:
        # Here a version's name belongs to one category.
        full = original if num_categories[original] == 1 else f"{category}-{original}"
        name = prefix + _NOT_IN_A_TAG.sub("-", full)
        versions.append(_Version(category, original, name, f"{kind}-{name}"))
    twice = [tag for tag, number in Counter(v.tag for v in versions).items() if number > 1]
    if twice:
        raise CatalogError(f"the first system has two versions that would both become {twice[0]}")
    return versions


def _move_annotations(
    connection: Connection, catalog: Catalog, session: Session, version: _Version
) -> Imported:
    rows, num_rows = _by_image(connection, _ANN, version)
    present = session.scalar(select(AnnotationSet).filter_by(tag=version.tag))
    if present is None:
        new = NewAnnotationSet(
            category=version.category,
            version=version.name,
            tag=version.tag,
            content_md5=None,
            num_images=len(rows),
            num_plates=None,
            class_counts={},
            standard=None,
        )
        catalog.add_annotation_set(
            session,
            new,
            (
                AnnotationRow(image, label_file, *[None] * 5)
                for image, (label_file,) in rows.items()
            ),
        )
    else:
        there = select(Annotation.image, Annotation.label_file).filter_by(
            annotation_set_id=present.id
        )
        _check_same(present, version, {row[0]: row[1:] for row in session.execute(there)}, rows)
    return Imported(version.tag, len(rows), num_rows - len(rows), present is None)


def _move_images(
    connection: Connection, catalog: Catalog, session: Session, version: _Version
) -> Imported:
    rows, num_rows = _by_image(connection, _IMAGE, version)
    images = [
        ImageRow(image, _purpose(image, purpose), record_file, None)
        for image, (purpose, record_file) in rows.items()
    ]
    counts = Counter(str(image.purpose) for image in images)
    present = session.scalar(select(TrainingSet).filter_by(tag=version.tag))
    if present is None:
        new = NewTrainingSet(
            category=version.category,
            version=version.name,
            tag=version.tag,
            content_md5=None,
            annotation_tag=None,
            split={purpose: number / len(images) for purpose, number in counts.items()},
            num_images=dict(counts),
            standard=None,
        )
        catalog.add_training_set(session, new, images)
    else:
        there = select(Image.image, Image.purpose, Image.record_file).filter_by(
            training_set_id=present.id
        )
        _check_same(present, version, {row[0]: row[1:] for row in session.execute(there)}, rows)
    return Imported(version.tag, len(rows), num_rows - len(rows), present is None)


def _by_image(
    connection: Connection, source: TableClause, version: _Version
) -> tuple[dict[str, tuple[str, ...]], int]:
    """What each image's first row says behind its name; and how many rows the version has."""
    _, category, original, *_ = source.columns
    # The database may find more than it is asked for, and never less.
    wanted = (category == version.category) & (original == version.original)
    rows: dict[str, tuple[str, ...]] = {}
    number = 0
    for of_category, of_version, image, *others in _rows(connection, source, where=wanted):
        if (of_category, of_version) == (version.category, version.original):
            rows.setdefault(image, tuple(others))
            number += 1
    return rows, number


def _rows(
    connection: Connection,
    source: TableClause,
    num_columns: int | None = None,
    where: ColumnElement[bool] | None = None,
) -> Iterator[tuple[str, ...]]:
    """Rows of a table by their id, without it: the first columns, or all.

    Raises:
        CatalogError: A row says nothing in one of them.
    """
    by_id, *columns = source.columns
    columns = columns[:num_columns]
    query = select(by_id, *columns).order_by(by_id)
    if where is not None:
        query = query.where(where)
    for number, *values in connection.execute(query.execution_options(yield_per=_NUM_ROWS)):
        for field, value in zip(columns, values, strict=True):
            if value in (None, ""):
                raise CatalogError(f"{source.name}: row {number} has no {field.name}")
        yield tuple(map(str, values))


def _purpose(image: str, purpose: str) -> Purpose:
    if purpose not in _PURPOSES:
        raise CatalogError(
            f"image_data: dataset_purpose of {image} is {purpose!r}, none of {', '.join(_PURPOSES)}"
        )
    return cast(Purpose, purpose)


def _check_same(
    present: AnnotationSet | TrainingSet,
    version: _Version,
    there: Mapping[str, Any],
    here: Mapping[str, Any],
) -> None:
    """Whether an earlier import moved this very version.

    Raises:
        CatalogError: The set of that tag is another one, or has other rows now.
    """
    if present.category != version.category:
        raise CatalogError(
            f"{present.tag} is there, of {present.category} and not of {version.category}; "
            "give another prefix"
        )
    differ = [image for image in there.keys() | here.keys() if there.get(image) != here.get(image)]
    if differ:
        images = "1 image" if len(differ) == 1 else f"{len(differ)} images"
        raise CatalogError(
            f"{present.tag} is there, and the first system's differs from it in {images}, such as "
            f"{min(differ)}; give another prefix"
        )
