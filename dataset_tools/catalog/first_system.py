"""Moves what the first system's database says into the catalog.

Its three tables, which have no constraints between them:

    ann_data(id, json_name, image_name, category, ann_version)
    image_data(id, dataset_purpose, image_name, record_file, category, train_version)
    train_data(id, dataset_purpose, category, record_file, train_version)

They hold no checksums, sizes or plates, and do not say which annotation set a training set came
from; those columns stay empty. `train_data` adds only versions that `image_data` does not name.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, Select, TableClause, column, inspect, select, table, union
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from dataset_tools.catalog.catalog import Catalog
from dataset_tools.catalog.connect import connect, shown
from dataset_tools.catalog.failures import in_one_line
from dataset_tools.catalog.migrate import FIRST_SYSTEM_TABLES
from dataset_tools.catalog.models import AnnotationSet, TrainingSet
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
    return table(name, *map(column, columns))


_ANN = _table("ann_data", "json_name", "image_name", "category", "ann_version")
_IMAGE = _table(
    "image_data", "dataset_purpose", "image_name", "record_file", "category", "train_version"
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
            version of that name is there with other images.
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
        annotated = _versions(
            connection, select(_ANN.c.category, _ANN.c.ann_version), "ann", prefix
        )
        trained = _versions(
            connection,
            union(
                select(_IMAGE.c.category, _IMAGE.c.train_version),
                select(_TRAIN.c.category, _TRAIN.c.train_version),
            ),
            "train",
            prefix,
        )
        imported = []
        with catalog.transaction() as session:
            for version in [*annotated, *trained]:
                move = _move_annotations if version in annotated else _move_images
                imported.append(move(connection, catalog, session, version))
                progress(len(imported), len(annotated) + len(trained), version.name)
    return imported


def _versions(connection: Connection, query: Any, kind: str, prefix: str) -> list[_Version]:
    """The versions that rows (category, version) name, and what they are called here."""
    found = sorted({(str(row[0]), str(row[1])) for row in connection.execute(query)})
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
    query = select(_ANN.c.image_name, _ANN.c.json_name).where(
        _ANN.c.category == version.category, _ANN.c.ann_version == version.original
    )
    rows, num_rows = _by_image(connection, query)
    present = catalog.annotation_set(version.tag)
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
            (AnnotationRow(image, row[1], *[None] * 5) for image, row in rows.items()),
        )
    else:
        _check_same(present, present.num_images, len(rows))
    return Imported(version.tag, len(rows), num_rows - len(rows), present is None)


def _move_images(
    connection: Connection, catalog: Catalog, session: Session, version: _Version
) -> Imported:
    query = select(_IMAGE.c.image_name, _IMAGE.c.dataset_purpose, _IMAGE.c.record_file).where(
        _IMAGE.c.category == version.category, _IMAGE.c.train_version == version.original
    )
    rows, num_rows = _by_image(connection, query)
    counts = Counter(_purpose(row) for row in rows.values())
    present = catalog.training_set(version.tag)
    if present is None:
        new = NewTrainingSet(
            category=version.category,
            version=version.name,
            tag=version.tag,
            content_md5=None,
            annotation_tag=None,
            split={str(purpose): number / len(rows) for purpose, number in counts.items()},
            num_images={str(purpose): number for purpose, number in counts.items()},
            standard=None,
        )
        catalog.add_training_set(
            session,
            new,
            (ImageRow(image, _purpose(row), row[2], None) for image, row in rows.items()),
        )
    else:
        _check_same(present, sum(present.num_images.values()), len(rows))
    return Imported(version.tag, len(rows), num_rows - len(rows), present is None)


def _by_image(connection: Connection, query: Select[Any]) -> tuple[dict[str, Any], int]:
    """Rows by their image, each image's first one, sorted; and how many rows there are."""
    rows: dict[str, Any] = {}
    number = 0
    # Of two rows of one image always the same one wins.
    ordered = query.order_by(*query.selected_columns)
    for row in connection.execution_options(yield_per=_NUM_ROWS).execute(ordered):
        rows.setdefault(row[0], row)
        number += 1
    return rows, number


def _purpose(row: Any) -> Purpose:
    if row[1] not in _PURPOSES:
        raise CatalogError(
            f"image_data: dataset_purpose of {row[0]} is {row[1]!r}, none of {', '.join(_PURPOSES)}"
        )
    return cast(Purpose, row[1])


def _check_same(present: AnnotationSet | TrainingSet, there: int, here: int) -> None:
    if there != here:
        raise CatalogError(
            f"{present.tag} is there with {there} images, the first system has {here}; "
            "give another prefix"
        )
