"""The catalog's tables.

A row that a method of `Catalog` gives is detached: plain values, no database behind it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

# Of a path or URL: in utf8mb4 a longer one would not fit into an index of InnoDB.
MAX_PATH_CHARACTERS = 700
# Case, accents and emoji all tell names apart, as they do on the disk.
_MYSQL = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


class Moment(TypeDecorator[datetime]):
    """A moment in UTC to the microsecond; databases keep it without a time zone."""

    impl = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To what the database keeps."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From what the database keeps."""
        return None if value is None else value.replace(tzinfo=UTC)


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """What the tables share: how constraints are named, which Python type is which column."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: Moment,
        dict[str, int]: JSON,
        dict[str, float]: JSON,
        dict[str, Any]: JSON,
    }


class AnnotationSet(Base):
    """One version of an annotation set; see `NewAnnotationSet`."""

    __tablename__ = "annotation_sets"
    __table_args__ = (UniqueConstraint("category", "version"), _MYSQL)

    id: Mapped[int] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(100))
    tag: Mapped[str] = mapped_column(String(200), unique=True)
    content_md5: Mapped[str | None] = mapped_column(String(40))
    num_images: Mapped[int]
    num_plates: Mapped[int | None]
    class_counts: Mapped[dict[str, int]]
    standard: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Annotation(Base):
    """One image of an annotation set, with its label file; see `AnnotationRow`."""

    __tablename__ = "annotations"
    # The rows of a set lie side by side and in order, which makes adding and comparing fast.
    __table_args__ = (_MYSQL | {"sqlite_with_rowid": False},)

    annotation_set_id: Mapped[int] = mapped_column(
        ForeignKey(AnnotationSet.id, ondelete="CASCADE"), primary_key=True
    )
    image: Mapped[str] = mapped_column(String(MAX_PATH_CHARACTERS), primary_key=True)
    label_file: Mapped[str] = mapped_column(String(MAX_PATH_CHARACTERS))
    image_md5: Mapped[str | None] = mapped_column(String(32))
    label_md5: Mapped[str | None] = mapped_column(String(32))
    image_bytes: Mapped[int | None] = mapped_column(BigInteger)
    label_bytes: Mapped[int | None] = mapped_column(BigInteger)
    num_plates: Mapped[int | None]


class TrainingSet(Base):
    """One version of a training set; see `NewTrainingSet`."""

    __tablename__ = "training_sets"
    __table_args__ = (UniqueConstraint("category", "version"), _MYSQL)

    id: Mapped[int] = mapped_column(primary_key=True)
    category: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(100))
    tag: Mapped[str] = mapped_column(String(200), unique=True)
    content_md5: Mapped[str | None] = mapped_column(String(40))
    # What a training set was made of stays known: such an annotation set cannot be deleted.
    annotation_set_id: Mapped[int | None] = mapped_column(ForeignKey(AnnotationSet.id))
    split: Mapped[dict[str, float]]
    num_images: Mapped[dict[str, int]]
    standard: Mapped[str | None] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(default=now)

    annotation_set: Mapped[AnnotationSet | None] = relationship(lazy="joined")

    @property
    def annotation_tag(self) -> str | None:
        """Tag of the annotation set that it was recorded from."""
        return self.annotation_set.tag if self.annotation_set else None


class Image(Base):
    """One image of a training set; see `ImageRow`."""

    __tablename__ = "images"
    __table_args__ = (
        CheckConstraint("purpose IN ('train', 'val', 'test')", name="purpose"),
        _MYSQL | {"sqlite_with_rowid": False},
    )

    training_set_id: Mapped[int] = mapped_column(
        ForeignKey(TrainingSet.id, ondelete="CASCADE"), primary_key=True
    )
    image: Mapped[str] = mapped_column(String(MAX_PATH_CHARACTERS), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(5))
    record_file: Mapped[str] = mapped_column(String(MAX_PATH_CHARACTERS))
    annotation_image: Mapped[str | None] = mapped_column(String(MAX_PATH_CHARACTERS))


class Run(Base):
    """One run of a pipeline; see `RunRow`."""

    __tablename__ = "runs"
    __table_args__ = (_MYSQL,)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(255), unique=True)
    pipeline: Mapped[str] = mapped_column(String(200))
    version: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(20))
    training_set_id: Mapped[int | None] = mapped_column(ForeignKey(TrainingSet.id))
    metrics: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    training_set: Mapped[TrainingSet | None] = relationship(lazy="joined")

    @property
    def training_tag(self) -> str | None:
        """Tag of the training set."""
        return self.training_set.tag if self.training_set else None


class Model(Base):
    """One checkpoint; see `ModelRow`."""

    __tablename__ = "models"
    __table_args__ = (_MYSQL,)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(MAX_PATH_CHARACTERS), unique=True)
    run_id: Mapped[int] = mapped_column(ForeignKey(Run.id))
    training_set_id: Mapped[int | None] = mapped_column(ForeignKey(TrainingSet.id))
    checkpoint_sha256: Mapped[str] = mapped_column(String(64))
    metrics: Mapped[dict[str, Any]]
    is_deployed: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    run: Mapped[Run] = relationship(lazy="joined", innerjoin=True)
    training_set: Mapped[TrainingSet | None] = relationship(lazy="joined")

    @property
    def training_tag(self) -> str | None:
        """Tag of the training set."""
        return self.training_set.tag if self.training_set else None


def table_of(kind: type[Base]) -> Table:
    """The table of a class, for inserts that make no objects."""
    table = kind.__table__
    assert isinstance(table, Table)
    return table
